import { create } from "@bufbuild/protobuf";
import { OperatorSetIdProtoSchema } from "onnx-buf";
import { UserError } from "../errors.js";
import {
  type GraphProto,
  graphsOf,
  type ModelProto,
  makeTensor,
  type NodeProto,
  type ReadExternal,
  readTensor,
  type TensorProto,
  tensorsOf,
} from "../formats/onnx.js";
import { onnxType } from "../formats/onnx-types.js";
import type { DType } from "../tensor/tensor.js";
import { freshNames } from "./names.js";
import { intAttribute, isStandard, makeNode } from "./node.js";
import { opsetRules, type RaiseContext } from "./opset-rules.js";

/** What raising the opset changed. */
export interface OpsetChange {
  readonly from: number;
  readonly to: number;
  /** How many nodes of each operator were rewritten. */
  readonly rewritten: Readonly<Record<string, number>>;
  readonly irFrom: number;
  readonly irTo: number;
}

/** The version of the default operator set a model imports; 0 where it imports none. */
export function defaultOpset(model: ModelProto): number {
  return Number(model.opsetImport.find(isDefault)?.version ?? 0n);
}

function isDefault({ domain }: { readonly domain: string }): boolean {
  return domain === "" || domain === "ai.onnx";
}

/** IR versions that came with these opsets. */
const irVersionOf: Readonly<Record<RaisedOpset, number>> = { 13: 7, 17: 8, 21: 10 };

/** The opsets a model can be raised to: 13 brought scales per channel, 17 LayerNormalization, 21 scales per block and 4-bit integers. */
export type RaisedOpset = 13 | 17 | 21;

/**
 * Raises the default operator set (to 13 unless told otherwise), rewriting the operators whose definition changed, and
 * the IR version to the one that goes with it. Does nothing where the model is there already. Works on a model whose
 * constants are lifted. Changes `model`, but none of its tensors.
 *
 * `readExternal` gives scales that lie in another file.
 *
 * Throws UserError (naming the node) where a node cannot keep its meaning, for models below opset 7, and for models
 * with local functions below the opset wanted.
 */
export function raiseOpset(
  model: ModelProto,
  name: string,
  to: RaisedOpset = 13,
  readExternal: ReadExternal = () => {
    throw new UserError(`${name}: scales in an external file are not supported`);
  },
): OpsetChange {
  const from = defaultOpset(model);
  if (model.opsetImport.filter(isDefault).length > 1) {
    throw new UserError(`${name}: imports the default operator set twice; which version holds is not defined`);
  }
  const irFrom = Number(model.irVersion);
  if (irFrom < 4) dropInitializerInputs(model.graph!);
  const irTo = Math.max(irFrom, irVersionOf[to]);
  model.irVersion = BigInt(irTo);
  if (from === 0) {
    model.opsetImport.push(create(OperatorSetIdProtoSchema, { domain: "", version: BigInt(to) }));
    return { from, to, rewritten: {}, irFrom, irTo };
  }
  if (from >= to) return { from, to: from, rewritten: {}, irFrom, irTo };
  const remedy = `export it again with opset ${to} or later`;
  if (from < 7) throw new UserError(`${name}: uses opset ${from}, which is too old to raise to ${to}; ${remedy}`);
  if (model.functions.length > 0) {
    throw new UserError(`${name}: has local functions and opset ${from}, which cannot be raised to ${to}; ${remedy}`);
  }
  const rewritten: Record<string, number> = {};
  const fresh = freshNames(model);
  const used = usedNames(model);
  const onlyFloat = onlyFloatType(model);
  for (const graph of graphsOf(model.graph!)) {
    const facts = factsOf(graph, readExternal);
    graph.node = graph.node.flatMap((node) => {
      const rules = opsetRules.filter(
        ({ opType, since }) => opType === node.opType && from < since && since <= to && isStandard(node),
      );
      if (rules.length === 0) return [node];
      rewritten[node.opType] = (rewritten[node.opType] ?? 0) + 1;
      const label = node.name || node.output[0] || node.opType;
      const add = (tensor: TensorProto): string => {
        graph.initializer.push(tensor);
        return tensor.name;
      };
      const context: RaiseContext = {
        isUsed: (value) => used.has(value),
        ...facts,
        fresh,
        make: (opType, input, output, attributes) =>
          makeNode(opType, fresh(`${label}_${opType}`), input, output, attributes),
        ints: (hint, values) =>
          add(
            makeTensor(fresh(`${label}_${hint}`), {
              dtype: "int64",
              shape: [values.length],
              data: BigInt64Array.from(values),
            }),
          ),
        floats: (hint, values) =>
          add(
            makeTensor(fresh(`${label}_${hint}`), {
              dtype: "float32",
              shape: [values.length],
              data: Float32Array.from(values),
            }),
          ),
        scalarLike(like, hint, value) {
          const dtype = facts.dtypeOf(like) ?? onlyFloat;
          if (!dtype) return context.refuse("the file does not say which element type its bounds must have");
          if (dtype !== "float32" && dtype !== "float64") return context.refuse(`its bounds would have to be ${dtype}`);
          const data = dtype === "float32" ? Float32Array.of(value) : Float64Array.of(value);
          return add(makeTensor(fresh(`${label}_${hint}`), { dtype, shape: [], data }));
        },
        refuse(why) {
          throw new UserError(
            `${name}: node ${label} (${node.opType}) cannot move from opset ${from} to ${to}: ${why}; ${remedy}`,
          );
        },
      };
      let nodes: readonly NodeProto[] = [node];
      for (const rule of rules) nodes = rule.raise(node, context) ?? nodes;
      return nodes;
    });
  }
  for (const entry of model.opsetImport) if (isDefault(entry)) entry.version = BigInt(to);
  return { from, to, rewritten, irFrom, irTo };
}

/** The one floating-point type a model speaks of anywhere: what its unstated values have, too. */
function onlyFloatType(model: ModelProto): DType | undefined {
  const codes = new Set<number>();
  for (const graph of graphsOf(model.graph!)) {
    for (const tensor of tensorsOf(graph)) codes.add(tensor.dataType);
    for (const { type } of [...graph.input, ...graph.valueInfo, ...graph.output]) {
      if (type?.value.case === "tensorType") codes.add(type.value.value.elemType);
    }
    for (const node of graph.node) if (node.opType === "Cast") codes.add(intAttribute(node, "to", 1));
  }
  const floats = [...codes].flatMap((code) => onnxType(code)?.dtype ?? []).filter((dtype) => /float/.test(dtype));
  return floats.length > 1 ? undefined : (floats[0] ?? "float32");
}

function usedNames(model: ModelProto): ReadonlySet<string> {
  const names = new Set<string>();
  for (const graph of graphsOf(model.graph!)) {
    for (const { name } of graph.output) names.add(name);
    for (const node of graph.node) for (const name of node.input) names.add(name);
  }
  return names;
}

/** Before IR version 4 every initializer had to be a graph input too, and was constant all the same. */
function dropInitializerInputs(graph: GraphProto): void {
  const initialized = new Set(graph.initializer.map(({ name }) => name));
  graph.input = graph.input.filter(({ name }) => !initialized.has(name));
}

/** What the file itself states of a graph's values. */
function factsOf(graph: GraphProto, readExternal: ReadExternal): Pick<RaiseContext, "rankOf" | "dtypeOf" | "floatsOf"> {
  const stated = new Map(
    [...graph.input, ...graph.valueInfo, ...graph.output].flatMap(({ name, type }) =>
      type?.value.case === "tensorType" ? [[name, type.value.value] as const] : [],
    ),
  );
  const initializers = new Map(graph.initializer.map((tensor) => [tensor.name, tensor]));
  return {
    rankOf: (name) => initializers.get(name)?.dims.length ?? stated.get(name)?.shape?.dim.length,
    dtypeOf: (name): DType | undefined =>
      onnxType(initializers.get(name)?.dataType ?? stated.get(name)?.elemType ?? 0)?.dtype,
    floatsOf(name) {
      const tensor = initializers.get(name);
      if (!tensor || onnxType(tensor.dataType)?.dtype !== "float32") return undefined;
      return [...(readTensor(tensor, readExternal).data as Float32Array)];
    },
  };
}
