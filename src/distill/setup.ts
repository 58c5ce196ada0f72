import type { Batch, SampleSet } from "../data/batch.js";
import { openSession } from "../engine/session.js";
import { encodeModel, type ModelProto, type ReadExternal, readTensor } from "../formats/onnx.js";
import type { Side } from "./check.js";
import { matchPlaces, type Place, parsePairs, placesOf } from "./match.js";
import { isLayerTerm, type LossMix } from "./mix.js";
import { type LayerPair, pairsOf } from "./objective.js";
import { describeOutputs } from "./outputs.js";
import { layersOf } from "./student.js";

/** A model with what its file is called; as normalisation leaves it. */
export interface NamedModel {
  readonly model: ModelProto;
  readonly readExternal: ReadExternal;
  readonly name: string;
}

/** What a model takes, which is looked at first, and what its floating-point outputs are, seen by one run. */
export async function sideOf(
  { model, readExternal, name }: NamedModel,
  sample: Batch,
  labelled: boolean,
  check: (side: Omit<Side, "outputs">) => void = () => {},
): Promise<Side> {
  const session = await openSession(encodeModel(model, readExternal));
  try {
    check({ name, inputs: session.inputs });
    const known = new Set(session.inputs.map((input) => input.name));
    // what the model takes and the sample lacks is said by onnxruntime
    const results = await session.run(new Map([...sample].filter(([input]) => known.has(input))));
    const floats = [...results].filter(([, { dtype }]) => dtype.startsWith("float"));
    const shapes = new Map(floats.map(([output, { shape }]) => [output, shape] as const));
    return { name, inputs: session.inputs, outputs: describeOutputs(model, shapes, labelled) };
  } finally {
    await session.close();
  }
}

/** Which layers of the student learn from which of the teacher: those the mix looks at, none where it looks at none. */
export async function layerPairs(
  teacher: NamedModel,
  student: NamedModel,
  samples: SampleSet,
  mix: LossMix,
  pairs: string,
): Promise<readonly LayerPair[]> {
  const terms = [...mix.keys()].filter(isLayerTerm);
  if (terms.length === 0) return [];
  const sample = await samples.read(0);
  const [theirs, ours] = [await allPlaces(teacher, sample), await allPlaces(student, sample)];
  const found =
    pairs === "auto" ? matchPlaces(ours, theirs, isMadeFrom(student, teacher)) : parsePairs(pairs, ours, theirs);
  return found.filter((pair) => terms.some((term) => pairsOf(term, found).includes(pair)));
}

/** Whether most of a model's matrices are another's, element by element: then so are its names. */
export function isMadeFrom(student: NamedModel, teacher: NamedModel): boolean {
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

async function allPlaces({ model, readExternal }: NamedModel, sample: Batch): Promise<readonly Place[]> {
  const { layers, shapes } = await layersOf(model, readExternal, sample);
  return placesOf(model, layers, shapes);
}

/** The input that tells padding from sequence: [N, T], called a mask. */
export function maskInput({ inputs }: Side, sample: Batch): string | undefined {
  return inputs.find(({ name }) => /mask/i.test(name) && sample.get(name)?.shape.length === 2)?.name;
}

/** Runs something with a model that is open only meanwhile. */
export async function withModel<T>(
  { model, readExternal }: Pick<NamedModel, "model" | "readExternal">,
  threads: number,
  use: (run: (feeds: Batch) => ReturnType<Awaited<ReturnType<typeof openSession>>["run"]>) => Promise<T>,
): Promise<T> {
  const session = await openSession(encodeModel(model, readExternal), { threads });
  try {
    return await use((feeds) => session.run(feeds));
  } finally {
    await session.close();
  }
}
