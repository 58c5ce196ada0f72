import { afterAll, describe, expect, test } from "@jest/globals";
import { normal as normalNumbers, uniform } from "../../src/data/random.js";
import { openSession } from "../../src/engine/session.js";
import { encodeModel, type ModelProto } from "../../src/formats/onnx.js";
import { assembleModel } from "../../src/graph/assemble.js";
import { createBuilder, type Form, type GraphBuilder, type Value } from "../../src/graph/builder.js";
import { exposeValues } from "../../src/graph/expose.js";
import type { AttributeValue } from "../../src/graph/node.js";
import { numbersOf } from "../../src/tensor/numbers.js";
import { type DType, elementCount, type Tensor, typedArrays } from "../../src/tensor/tensor.js";
import { gradient } from "../../src/train/gradient.js";
import type { TrainingGraph } from "../../src/train/graph.js";

/** An input of a case: what it holds, and whether it is differentiated, only fed, or a constant of the graph. */
export interface CaseInput {
  readonly shape: readonly number[];
  /** "float" is float32, and float64 in the second opinion. */
  readonly dtype: "float" | DType;
  readonly role: "differentiated" | "fed" | "constant";
  /** The elements, seeded. */
  readonly draw: (seed: number) => ArrayLike<number>;
}

/** One row of the tests of gradient rules: a node, or with `forward` a small graph. */
export interface GradientCase {
  /** The operator (`Conv`, `com.microsoft:FusedMatMul`), or with `forward` what the graph is called. */
  readonly op: string;
  /** What sets this row apart from others of the operator. */
  readonly note?: string;
  readonly inputs: readonly (CaseInput | undefined)[];
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
  /** How many outputs the node has (1), and which of them the loss looks at (all that are floats). */
  readonly outputs?: number;
  readonly lossOf?: readonly number[];
  /** Writes a graph of several nodes instead of one node. */
  readonly forward?: (b: GraphBuilder, inputs: readonly Value[]) => readonly Value[];
  /** Half the distance of the two points of a difference; default 1e-2. */
  readonly delta?: number;
  /** Default 2e-3. */
  readonly bar?: number;
  /** Whether onnxruntime computes the node and its gradient in float64; default true. */
  readonly float64?: boolean;
  /** Where the operator is younger than 21. */
  readonly opset?: number;
}

const input = (shape: readonly number[], draw: CaseInput["draw"], dtype: CaseInput["dtype"] = "float"): CaseInput => ({
  shape,
  dtype,
  role: "differentiated",
  draw,
});
const each = (shape: readonly number[], next: (at: number) => number) =>
  Array.from({ length: elementCount(shape) }, (_, at) => next(at));

/** Normally distributed elements. */
export const normal = (shape: readonly number[], scale = 1, mean = 0): CaseInput =>
  input(shape, (seed) => {
    const next = normalNumbers(seed);
    return each(shape, () => mean + scale * next());
  });

/** Evenly distributed elements. */
export const between = (shape: readonly number[], low: number, high: number): CaseInput =>
  input(shape, (seed) => {
    const next = uniform(seed);
    return each(shape, () => low + (high - low) * next());
  });

/** Elements around 0 of which no two are nearer than `pitch`: the largest of any of them is far from a tie. */
export const distinct = (shape: readonly number[], pitch = 0.05): CaseInput =>
  input(shape, (seed) => {
    const next = uniform(seed);
    const ranks = each(shape, (at) => at);
    for (let at = ranks.length - 1; at > 0; at--) {
      const other = Math.floor(next() * (at + 1));
      [ranks[at], ranks[other]] = [ranks[other]!, ranks[at]!];
    }
    return ranks.map((rank) => (rank - (ranks.length - 1) / 2 + 0.25) * pitch);
  });

/** Elements of a grid between -1 and 1 that is moved by `offset`: operands of different offsets are never alike. */
export const grid = (shape: readonly number[], offset: number, pitch = 0.05): CaseInput =>
  input(shape, (seed) => {
    const next = uniform(seed);
    return each(shape, () => Math.round((2 * next() - 1) / pitch) * pitch + offset);
  });

/** Just these elements; differentiated where they are floats. */
export const given = (values: readonly number[], shape: readonly number[] = [values.length]): CaseInput =>
  input(shape, () => values);

/** The same input, fed but not differentiated. */
export const fed = (from: CaseInput): CaseInput => ({ ...from, role: "fed" });

/** The same input as a constant of the graph. */
export const constant = (from: CaseInput): CaseInput => ({ ...from, role: "constant" });

/** Constant integers (axes, shapes, indices). */
export const ints = (
  values: readonly number[],
  shape: readonly number[] = [values.length],
  dtype: DType = "int64",
): CaseInput => ({ shape, dtype, role: "constant", draw: () => values });

type Float = "float32" | "float64";

/** How far the gradients of a case are from differences, by input: relative to max(1, largest element). */
async function gradientErrors(row: GradientCase, dtype: Float): Promise<readonly number[]> {
  const fresh = freshNames();
  const b = createBuilder(fresh);
  const tensors = row.inputs.map((one, at) => one && tensorOf(one, dtype, at));
  const values = tensors.map((tensor, at): Value | undefined => {
    if (!tensor) return undefined;
    if (row.inputs[at]?.role === "constant") return b.constant(tensor, `input${at}`);
    return { name: fresh(`input${at}`), dtype: tensor.dtype, shape: tensor.shape };
  });
  const ports = values.filter((value): value is Value => value !== undefined && !b.values.has(value.name));
  const feeds = new Map(
    ports.map((port) => [port.name, tensors[values.findIndex((value) => value?.name === port.name)]!] as const),
  );
  const outputs = row.forward
    ? row.forward(b, values as readonly Value[])
    : await outputsOf(row, b, values, ports, feeds);
  const seen = (row.lossOf?.map((at) => outputs[at]!) ?? outputs).filter((one) => one.dtype === dtype);
  const weights = seen.map(({ shape }, at) => tensorOf(normal(shape), dtype, 1000 + at));
  const terms = seen.map((y, at) => b.reduce("ReduceSum", b.mul(y, b.constant(weights[at]!)), undefined, false));
  const loss = terms.slice(1).reduce((sum, term) => b.add(sum, term), terms[0]!);
  const graph: TrainingGraph = {
    nodes: [],
    values: new Map(ports.map((port) => [port.name, port])),
    constants: new Map(),
    inputs: ports,
    outputs: [],
  };
  const wrt = values.filter((value, at) => value && row.inputs[at]?.role === "differentiated") as Value[];
  const forwardNodes = [...b.nodes];
  const found = gradient(
    graph,
    loss,
    wrt.map(({ name }) => name),
    b,
  );
  const modelOf = (nodes: typeof b.nodes, of: readonly Value[]) =>
    withOpset(assembleModel({ nodes, initializers: b.initializers, inputs: ports, outputs: of }), row.opset);

  // every value has the form that the builder says
  const all = [...b.values.keys()].filter((name) => name && !b.constants.has(name));
  const open = exposeValues(modelOf(b.nodes, []), all);
  for (const [name, { dtype, shape }] of await runOnce(open, feeds)) {
    const { dtype: saidDtype, shape: saidShape } = b.values.get(name)!;
    expect({ name, dtype, shape }).toEqual({ name, dtype: saidDtype, shape: [...saidShape] });
  }

  const named = wrt.map(({ name }) => found.get(name));
  const flowing = [...new Set(named.filter((one) => one !== undefined))];
  const gradients =
    flowing.length === 0 ? new Map<string, Tensor>() : await runOnce(modelOf(b.nodes, flowing), feeds, "all");
  const session = await openSession(encodeModel(modelOf(forwardNodes, seen)), { graphOptimization: "disabled" });
  const lossNow = async () => {
    const results = await session.run(feeds);
    return seen.reduce((sum, { name }, at) => sum + dot(results.get(name)!, weights[at]!), 0);
  };
  const delta = dtype === "float64" ? 1e-5 : (row.delta ?? 1e-2);
  const errors: number[] = [];
  for (const [at, { name, shape }] of wrt.entries()) {
    const value = named[at];
    const tensor = value && gradients.get(value.name)!;
    // no gradient at all is one of zeros
    const elements = tensor ? numbersOf(tensor) : new Float64Array(elementCount(shape));
    if (tensor) expect(tensor.shape).toEqual([...shape]);
    const data = feeds.get(name)!.data as Float32Array;
    let largest = 1;
    for (let i = 0; i < elements.length; i++) largest = Math.max(largest, Math.abs(elements[i]!));
    let worst = 0;
    const stride = Math.max(1, data.length / 60);
    for (let i = 0; i < data.length; i = Math.floor(i + stride)) {
      const kept = data[i]!;
      data[i] = kept + delta;
      const [above, high] = [data[i]!, await lossNow()];
      data[i] = kept - delta;
      const [below, low] = [data[i]!, await lossNow()];
      data[i] = kept;
      const error = Math.abs((high - low) / (above - below) - elements[i]!) / largest;
      worst = Number.isNaN(error) ? Number.POSITIVE_INFINITY : Math.max(worst, error);
    }
    errors.push(worst);
  }
  await session.close();
  return errors;
}

/** A test for each row, in float32 and where onnxruntime can in float64. With SHOW_ERRORS=1 the errors are printed. */
export function testGradients(family: string, rows: readonly GradientCase[]): void {
  const table: string[] = [];
  describe(`gradients by finite differences: ${family}`, () => {
    test.each(rows.map((row) => [[row.op, row.note].filter(Boolean).join(", "), row] as const))(
      "%s",
      async (title, row) => {
        const errors = await gradientErrors(row, "float32");
        const second = row.float64 === false ? [] : await gradientErrors(row, "float64");
        table.push(
          `${family} | ${title} | ${Math.max(...errors).toExponential(1)} | ${second.length ? Math.max(...second).toExponential(1) : "-"}`,
        );
        expect(Math.max(...errors)).toBeLessThanOrEqual(row.bar ?? 2e-3);
        expect(Math.max(0, ...second)).toBeLessThanOrEqual(1e-6);
      },
    );
    afterAll(() => {
      if (process.env["SHOW_ERRORS"]) process.stdout.write(`${table.join("\n")}\n`);
    });
  });
}

function tensorOf({ shape, dtype, draw }: CaseInput, float: Float, at: number): Tensor {
  const actual = dtype === "float" ? float : dtype;
  const data = new typedArrays[actual as Float](elementCount(shape));
  const wide = actual === "int64" || actual === "uint64";
  // in float64 too the elements are those of float32
  const elements = draw(at + 1);
  for (let i = 0; i < data.length; i++) {
    const one = elements[i]!;
    data[i] = wide ? (BigInt(one) as unknown as number) : dtype === "float" ? Math.fround(one) : one;
  }
  return { dtype: actual, shape, data };
}

/** Writes the node of a row; what its outputs are is seen by running it. */
async function outputsOf(
  { op, attributes, outputs = 1, opset }: GradientCase,
  b: GraphBuilder,
  inputs: readonly (Value | undefined)[],
  ports: readonly Value[],
  feeds: ReadonlyMap<string, Tensor>,
): Promise<readonly Value[]> {
  const [opType, domain] = op.split(":").reverse() as [string, string | undefined];
  const names = Array.from({ length: outputs }, (_, at) => `y${at}`);
  const how = { names, ...(domain === undefined ? {} : { domain }) };
  const write = (builder: GraphBuilder, forms: readonly Form[]) => builder.node(opType, inputs, forms, attributes, how);
  const trial = createBuilder(freshNames());
  write(
    trial,
    names.map(() => ({ dtype: "float32", shape: [] })),
  );
  const parts = { nodes: trial.nodes, initializers: b.initializers, inputs: ports, outputs: [] };
  const results = await runOnce(exposeValues(withOpset(assembleModel(parts), opset), names), feeds);
  return write(
    b,
    names.map((name) => results.get(name)!),
  );
}

async function runOnce(model: ModelProto, feeds: ReadonlyMap<string, Tensor>, level: "disabled" | "all" = "disabled") {
  const session = await openSession(encodeModel(model), { graphOptimization: level });
  try {
    return await session.run(feeds);
  } finally {
    await session.close();
  }
}

function withOpset(model: ModelProto, opset: number | undefined): ModelProto {
  if (opset !== undefined) model.opsetImport[0]!.version = BigInt(opset);
  return model;
}

function freshNames() {
  const taken = new Set<string>();
  return (base: string) => {
    let name = base;
    for (let at = 1; taken.has(name); at++) name = `${base}_${at}`;
    taken.add(name);
    return name;
  };
}

function dot(x: Tensor, y: Tensor): number {
  const [a, b] = [numbersOf(x), numbersOf(y)];
  let sum = 0;
  for (let at = 0; at < a.length; at++) sum += a[at]! * b[at]!;
  return sum;
}
