import type { Batch } from "../data/batch.js";
import { UserError } from "../errors.js";
import { type ModelProto, type ReadExternal, readTensor } from "../formats/onnx.js";
import { matchPlaces, type Place, parsePairs, placesOf } from "./match.js";
import { isLayerTerm, type LossMix } from "./mix.js";
import type { LayerPair } from "./objective.js";
import { layersOf } from "./student.js";

/** A model whose layers or weights are looked at. */
export interface Whole {
  readonly model: ModelProto;
  readonly readExternal: ReadExternal;
}

/**
 * Which layers of the student learn from which of the teacher: those of --pairs, else those that are found; none where the
 * mix looks at none. `madeFrom` tells whether names of values mean the same in both. Throws a UserError.
 */
export async function pairLayers(
  mix: LossMix,
  pairs: string | undefined,
  teacher: Whole,
  student: Whole,
  madeFrom: () => boolean,
  sample: Batch,
): Promise<readonly LayerPair[]> {
  if (![...mix.keys()].some(isLayerTerm)) {
    if (pairs === undefined) return [];
    throw new UserError("--pairs: is for losses of layers, such as --loss soft=1,hidden=1");
  }
  const [theirs, ours] = [await allPlaces(teacher, sample), await allPlaces(student, sample)];
  return pairs === undefined ? matchPlaces(ours, theirs, madeFrom()) : parsePairs(pairs, ours, theirs);
}

/** Whether most of a model's matrices are another's, element by element: then so are its names. */
export function isMadeFrom(student: Whole, teacher: Whole): boolean {
  const theirs = new Map(teacher.model.graph!.initializer.map((tensor) => [tensor.name, tensor]));
  const ours = student.model.graph!.initializer.filter(({ dims }) => dims.length >= 2);
  const same = ours.filter((tensor) => {
    const other = theirs.get(tensor.name);
    if (!other || String(other.dims) !== String(tensor.dims) || other.dataType !== tensor.dataType) return false;
    const [a, b] = [readTensor(tensor, student.readExternal).data, readTensor(other, teacher.readExternal).data];
    return (a as Float32Array).every((element, at) => element === b[at]);
  });
  return ours.length > 0 && same.length > ours.length / 2;
}

async function allPlaces({ model, readExternal }: Whole, sample: Batch): Promise<readonly Place[]> {
  const { layers, shapes } = await layersOf(model, readExternal, sample);
  return placesOf(model, layers, shapes);
}
