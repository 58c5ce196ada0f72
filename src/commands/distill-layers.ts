import type { Options } from "../cli.js";
import type { Batch } from "../data/batch.js";
import { matchPlaces, type Place, parsePairs, placesOf } from "../distill/match.js";
import { isLayerTerm, type LossMix } from "../distill/mix.js";
import type { LayerPair } from "../distill/objective.js";
import { layersOf } from "../distill/student.js";
import { UserError } from "../errors.js";
import type { ModelProto, ReadExternal } from "../formats/onnx.js";

/** A model whose layers are looked at. */
interface Whole {
  readonly model: ModelProto;
  readonly readExternal: ReadExternal;
}

/** The layer pairs of losses that look inside: those of --pairs, else those that are found. */
export async function pairLayers(
  options: Options,
  mix: LossMix,
  teacher: Whole,
  student: Whole,
  sample: Batch,
): Promise<readonly LayerPair[]> {
  const text = options["pairs"] as string | undefined;
  if (![...mix.keys()].some(isLayerTerm)) {
    if (text === undefined) return [];
    throw new UserError("--pairs: is for losses of layers, such as --loss soft=1,hidden=1");
  }
  const places = async ({ model, readExternal }: Whole): Promise<readonly Place[]> => {
    const { layers, shapes } = await layersOf(model, readExternal, sample);
    return placesOf(model, layers, shapes);
  };
  const [theirs, ours] = [await places(teacher), await places(student)];
  return text === undefined ? matchPlaces(ours, theirs) : parsePairs(text, ours, theirs, "--pairs");
}
