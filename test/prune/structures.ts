import type { ModelProto, ReadExternal } from "../../src/formats/onnx.js";
import { analyseModel } from "../../src/prune/analyse.js";
import type { ChannelGroup, Groups } from "../../src/prune/groups.js";
import { groupChannels } from "../../src/prune/groups.js";
import type { Structure } from "../../src/prune/structure.js";
import { elementCount, type Tensor } from "../../src/tensor/tensor.js";

export const nothingOutside: ReadExternal = () => {
  throw new Error("nothing lies outside the model");
};

/** What can go of a model whose inputs are all float32 of these shapes. */
export async function structureOf(
  model: ModelProto,
  shapes: Readonly<Record<string, readonly number[]>>,
): Promise<{ readonly structure: Structure } & Groups> {
  const feeds = new Map<string, Tensor>(
    Object.entries(shapes).map(([name, shape]) => [
      name,
      { dtype: "float32", shape, data: new Float32Array(elementCount(shape)) },
    ]),
  );
  const structure = await analyseModel(model, feeds, nothingOutside);
  return { structure, ...groupChannels(structure) };
}

/** The group that lies on a tensor. */
export function groupOn(groups: readonly ChannelGroup[], tensor: string): ChannelGroup {
  const found = groups.find(({ axes }) => axes.some((axis) => axis.tensor.name === tensor));
  if (!found) throw new Error(`no group lies on ${tensor}`);
  return found;
}
