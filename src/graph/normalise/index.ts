import { graphsOf, type ModelProto, type ReadExternal } from "../../formats/onnx.js";
import { affinePass } from "./affine.js";
import { bypassPass } from "./bypass.js";
import { constantsPass } from "./constants.js";
import { foldPass } from "./fold.js";
import { functionsPass } from "./functions.js";
import { hardSwishPass } from "./hard-swish.js";
import { inputsPass } from "./inputs.js";
import { orderPass } from "./order.js";
import { paddingPass } from "./padding.js";
import type { NormaliseSettings, Pass } from "./pass.js";
import { tiedPass } from "./tied.js";
import { unusedPass } from "./unused.js";
import { upsamplingPass } from "./upsampling.js";

/** What the passes did, those that changed nothing left out. */
export interface Normalised {
  readonly passes: readonly { readonly name: string; readonly changes: number; readonly words: string }[];
}

/** In this order: each finds what the ones before it uncover. */
const passes: readonly Pass[] = [
  functionsPass,
  orderPass,
  constantsPass,
  inputsPass,
  foldPass,
  bypassPass,
  affinePass,
  hardSwishPass,
  paddingPass,
  upsamplingPass,
  tiedPass,
  unusedPass,
];

/**
 * Brings the many ways in which exporters write one thing into the form that compression works on: weights are plain
 * initializers next to the operators that use them. What the model computes stays the same. The graphs must be sound
 * (`checkGraphs`); the opset may be any. Changes `model`, but no TensorProto in it.
 */
export function normalise(
  model: ModelProto,
  readExternal: ReadExternal,
  settings: NormaliseSettings = { constantInputs: "keep" },
): Normalised {
  const wanted = passes.filter(({ name }) => !settings.leave?.includes(name));
  const done = wanted.map((pass) => {
    const changes = pass.run(model, { readExternal, settings });
    return { name: pass.name, changes, words: pass.words(changes) };
  });
  dropStaleFacts(model);
  return { passes: done.filter(({ changes }) => changes > 0) };
}

/** What the file states of values that are no more. */
function dropStaleFacts(model: ModelProto): void {
  for (const graph of graphsOf(model.graph!)) {
    const names = new Set(graph.initializer.map(({ name }) => name));
    for (const { output } of graph.node) for (const name of output) names.add(name);
    graph.valueInfo = graph.valueInfo.filter(({ name }) => names.has(name));
  }
}
