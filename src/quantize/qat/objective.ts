import type { Batch } from "../../data/batch.js";
import { UserError } from "../../errors.js";
import type { NodeProto } from "../../formats/onnx.js";
import { axisOf, type GraphBuilder, type Value } from "../../graph/builder.js";
import { intAttribute } from "../../graph/node.js";
import { castTensor } from "../../tensor/cast.js";
import type { Tensor } from "../../tensor/tensor.js";
import type { TrainingGraph } from "../../train/graph.js";
import { labelLoss, relativeSquareLoss, softTargetLoss } from "../../train/losses.js";
import type { Objective } from "../../train/objective.js";
import type { TrainingData } from "../../train/task.js";

/** What quantization-aware training holds a model to: its labels, itself before it was quantized, or both. */
export interface QatLoss {
  /** The share of the labels; 0 where there are none. */
  readonly labels: number;
  /** The share of the original as teacher. */
  readonly teacher: number;
  readonly temperature: number;
  /** The share of what is missed of the original's values inside: it keeps deep models alive in 4 bits. Default 0. */
  readonly features?: number;
  /** Outputs that are logits over their last axis, though no Softmax follows; those of a Softmax are known by it. */
  readonly logits: readonly string[];
  /** The output that labels are for; default the first with classes. */
  readonly labelled?: string;
}

/** The extra that holds the labels: class numbers. */
export const labelExtra = "label";

/** The extra that holds an output of the original. */
function teacherExtra(output: string): string {
  return `teacher:${output}`;
}

/** An output as the loss looks at it. */
interface Compared {
  readonly value: Value;
  /** The axis of classes; undefined for plain numbers. */
  readonly axis: number | undefined;
  /** What the teacher's output is before it is compared. */
  readonly teacherIs: "logits" | "probabilities" | "values";
}

/** The objective; extras are named as above, terms as `--loss` has them: hard, soft, hidden. `inside` are the values that the share of features is for. */
export function qatObjective(
  { labels, teacher, features = 0, temperature, logits, labelled }: QatLoss,
  inside: readonly string[] = [],
): Objective {
  const watches = features > 0 ? inside : [];
  return {
    parameters: [],
    watches,
    build({ b, graph, extras }) {
      const terms = new Map<string, Value>();
      const parts: Value[] = [];
      const outputs = graph.outputs.filter(({ dtype }) => dtype === "float32");
      if (labels > 0) {
        const given = extras.get(labelExtra);
        const classes = outputs
          .filter(({ name }) => labelled === undefined || name === labelled)
          .map((output) => comparedOf(output, graph, logits))
          .find(({ axis }) => axis !== undefined);
        if (!given || !classes) throw new UserError("no labels, or no output with classes, to train by labels");
        const found = labelLoss(b, classes.value, given);
        terms.set("hard", found);
        parts.push(b.mul(found, labels));
      }
      for (const output of teacher > 0 ? outputs : []) {
        const given = extras.get(teacherExtra(output.name));
        if (!given) throw new UserError(`the teacher has no output "${output.name}"`);
        const found = teacherLoss(b, comparedOf(output, graph, logits), given, temperature);
        terms.set(outputs.length > 1 ? `soft ${output.name}` : "soft", found);
        parts.push(b.mul(found, teacher / outputs.length));
      }
      const missed = watches.flatMap((name) => {
        const given = extras.get(teacherExtra(name));
        return given ? [relativeSquareLoss(b, graph.values.get(name)!, given)] : [];
      });
      if (missed.length > 0) {
        const found = b.div(
          missed.reduce((sum, part) => b.add(sum, part)),
          missed.length,
        );
        terms.set("hidden", found);
        parts.push(b.mul(found, features));
      }
      if (parts.length === 0) throw new UserError("neither labels nor a teacher to train by");
      return { loss: parts.reduce((sum, part) => b.add(sum, part)), terms };
    },
  };
}

function teacherLoss(b: GraphBuilder, { value, axis, teacherIs }: Compared, given: Value, temperature: number): Value {
  if (axis === undefined) return relativeSquareLoss(b, value, given);
  const logits = teacherIs === "probabilities" ? b.map("Log", b.binary("Max", given, 1e-30)) : given;
  return softTargetLoss(b, value, logits, axis, temperature);
}

/** The logits behind a Softmax; the output itself where there is none. */
function comparedOf(output: Value, graph: TrainingGraph, logits: readonly string[]): Compared {
  const makers = new Map<string, NodeProto>();
  for (const node of graph.nodes) for (const name of node.output) makers.set(name, node);
  let maker = makers.get(output.name);
  for (let before = sourceOf(maker, makers); before !== undefined; before = sourceOf(maker, makers)) {
    maker = makers.get(before);
  }
  if (maker?.opType === "Softmax" || maker?.opType === "LogSoftmax") {
    const value = graph.values.get(maker.input[0]!);
    if (value) {
      const axis = axisOf(intAttribute(maker, "axis", -1), value.shape.length);
      return { value, axis, teacherIs: maker.opType === "Softmax" ? "probabilities" : "logits" };
    }
  }
  const isLogits = logits.includes(output.name) && output.shape.length > 0;
  return {
    value: output,
    axis: isLogits ? output.shape.length - 1 : undefined,
    teacherIs: isLogits ? "logits" : "values",
  };
}

/** What an Identity, or the rounding of an activation (Div, Clip, Round, Mul), passes on. */
function sourceOf(maker: NodeProto | undefined, makers: ReadonlyMap<string, NodeProto>): string | undefined {
  if (maker?.opType === "Identity") return maker.input[0];
  let found = maker;
  for (const opType of ["Mul", "Round", "Clip", "Div"]) {
    if (found?.opType !== opType) return undefined;
    if (opType === "Div") return found.input[0];
    found = makers.get(found.input[0]!);
  }
  return undefined;
}

/** The same samples with the original's outputs, and its values inside where `run` gives some, beside them. */
export function withTeacher(
  data: TrainingData,
  run: (feeds: Batch) => Promise<Batch>,
  inputs: readonly string[],
): TrainingData {
  return {
    ...data,
    async read(at) {
      const sample = await data.read(at);
      const feeds = new Map(inputs.flatMap((name) => (sample.has(name) ? [[name, sample.get(name)!] as const] : [])));
      const outputs = await run(feeds);
      // the twin computes in float32
      const wide = (tensor: Tensor) => (/^b?float16$/.test(tensor.dtype) ? castTensor(tensor, "float32")! : tensor);
      return new Map([...sample, ...[...outputs].map(([name, one]) => [teacherExtra(name), wide(one)] as const)]);
    },
  };
}
