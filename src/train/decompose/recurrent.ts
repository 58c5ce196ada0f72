import type { GraphBuilder, Value } from "../../graph/builder.js";
import { intAttribute, stringAttribute } from "../../graph/node.js";
import { numbersOf } from "../../tensor/numbers.js";
import type { DecomposeContext, Decomposition } from "./decomposition.js";

/** More steps than this make graphs that take minutes to load. */
const maxSteps = 2048;

/** One direction of a recurrent layer, its weights without the direction's axis. */
interface Direction {
  readonly b: GraphBuilder;
  readonly hidden: number;
  /** [steps * batch, inputs], the steps one after the other. */
  readonly x: Value;
  readonly steps: number;
  /** The order in which the steps are taken. */
  readonly order: readonly number[];
  /** [gates * hidden, inputs] and [gates * hidden, hidden]. */
  readonly w: Value;
  readonly r: Value;
  /** [2 * gates * hidden]: what is added to w's products, then to r's. */
  readonly bias: Value | undefined;
  /** [batch, hidden]; zeros where there is none. */
  readonly h: Value | undefined;
  readonly c: Value | undefined;
  readonly activations: readonly string[];
  readonly linearBeforeReset: boolean;
}

interface Ran {
  /** By step, [batch, hidden]. */
  readonly all: readonly Value[];
  readonly h: Value;
  readonly c?: Value;
}

/** i, o, f, c; source of all three: ONNX Operators.md. */
function lstm(direction: Direction): Ran {
  const { b, hidden, r, order, activations } = direction;
  const [gate, cell, out] = activations as [string, string, string];
  const steps = projected(direction, 4, summedBias(direction));
  const all: Value[] = [];
  let { h, c } = direction;
  for (const at of order) {
    const z = h ? gemm(b, h, r, steps[at]!) : steps[at]!;
    const [gates, fresh] = b.split(z, [3 * hidden, hidden], 1) as [Value, Value];
    const [i, o, f] = b.split(b.map(gate, gates), [hidden, hidden, hidden], 1) as [Value, Value, Value];
    const added = b.mul(i, b.map(cell, fresh));
    c = c ? b.add(b.mul(f, c), added) : added;
    h = b.mul(o, b.map(out, c));
    all[at] = h;
  }
  return { all, h: h!, c: c! };
}

/** z, r, h. */
function gru(direction: Direction): Ran {
  const { b, hidden, order, activations, linearBeforeReset } = direction;
  const [gate, cell] = activations as [string, string];
  const [r, rh] = b.split(direction.r, [2 * hidden, hidden], 0) as [Value, Value];
  let bias: Value | undefined;
  let late: Value | undefined;
  if (direction.bias) {
    const [wb, wbh, rb, rbh] = b.split(direction.bias, [2 * hidden, hidden, 2 * hidden, hidden], 0) as Value[];
    bias = b.concat([b.add(wb!, rb!), linearBeforeReset ? wbh! : b.add(wbh!, rbh!)], 0);
    late = rbh;
  }
  const steps = projected(direction, 3, bias);
  const all: Value[] = [];
  let { h } = direction;
  for (const at of order) {
    const [xGates, xNew] = b.split(steps[at]!, [2 * hidden, hidden], 1) as [Value, Value];
    const gates = b.map(gate, h ? gemm(b, h, r, xGates) : xGates);
    const [z, reset] = b.split(gates, [hidden, hidden], 1) as [Value, Value];
    let sum = xNew;
    if (linearBeforeReset) {
      const inner = h ? gemm(b, h, rh, late) : late;
      if (inner) sum = b.add(xNew, b.mul(reset, inner));
    } else if (h) sum = gemm(b, b.mul(reset, h), rh, xNew);
    const fresh = b.map(cell, sum);
    // (1 - z) * fresh + z * h
    h = h ? b.add(fresh, b.mul(z, b.sub(h, fresh))) : b.sub(fresh, b.mul(z, fresh));
    all[at] = h;
  }
  return { all, h: h! };
}

function rnn(direction: Direction): Ran {
  const { b, r, order, activations } = direction;
  const steps = projected(direction, 1, summedBias(direction));
  const all: Value[] = [];
  let { h } = direction;
  for (const at of order) {
    h = b.map(activations[0]!, h ? gemm(b, h, r, steps[at]!) : steps[at]!);
    all[at] = h;
  }
  return { all, h: h! };
}

/** x·wᵀ + bias for all steps in one product, then by step. */
function projected({ b, x, w, steps, hidden }: Direction, gates: number, bias: Value | undefined): readonly Value[] {
  const rows = x.shape[0]!;
  const form = { dtype: x.dtype, shape: [rows, gates * hidden] };
  const z = b.op("Gemm", bias ? [x, w, bias] : [x, w], form, { transB: 1 });
  return b.split(z, Array<number>(steps).fill(rows / steps), 0);
}

function gemm(b: GraphBuilder, x: Value, w: Value, added: Value | undefined): Value {
  const form = { dtype: x.dtype, shape: [x.shape[0]!, w.shape[0]!] };
  return b.op("Gemm", added ? [x, w, added] : [x, w], form, { transB: 1 });
}

function summedBias({ b, bias }: Direction): Value | undefined {
  if (!bias) return undefined;
  const half = bias.shape[0]! / 2;
  const [ofW, ofR] = b.split(bias, [half, half], 0) as [Value, Value];
  return b.add(ofW, ofR);
}

/**
 * Unrolled over the steps of a sequence, with axes as onnxruntime takes them (steps first): products with the inputs in one, then a step's
 * few nodes after the other's.
 */
function unrolled(run: (direction: Direction) => Ran, defaults: readonly string[]): Decomposition {
  return (context) => {
    const { node, b, inputs, outputs } = context;
    const [x, w, r, bias, , h, c] = inputs as readonly [Value, Value, Value, ...(Value | undefined)[]];
    const [steps, batch, width] = x.shape as [number, number, number];
    const [directions, , hidden] = r.shape as [number, number, number];
    const activations = activationsOf(context, defaults, directions);
    checkPlain(context, steps, directions);
    const way = stringAttribute(node, "direction", "forward");
    const part = (value: Value | undefined, at: number): Value | undefined => {
      if (!value) return undefined;
      const whole = directions === 1 ? value : b.split(value, [1, 1], 0)[at]!;
      return b.reshape(whole, value.shape.slice(1));
    };
    const rows = b.reshape(x, [steps * batch, width]);
    const ran = Array.from({ length: directions }, (_, at) => {
      const backward = way === "reverse" || at === 1;
      const order = Array.from({ length: steps }, (_step, step) => (backward ? steps - 1 - step : step));
      return run({
        ...{ b, hidden, x: rows, steps, order },
        w: part(w, at)!,
        r: part(r, at)!,
        bias: part(bias, at),
        h: part(h, at),
        c: part(c, at),
        activations: activations[at]!,
        linearBeforeReset: intAttribute(node, "linear_before_reset", 0) !== 0,
      });
    });
    const last = (values: readonly Value[]) =>
      b.concat(
        values.map((value) => b.reshape(value, [1, batch, hidden])),
        0,
      );
    const all = () => {
      const sides = ran.map((one) => b.reshape(b.concat(one.all, 0), [steps, 1, batch, hidden]));
      return b.concat(sides, 1);
    };
    return [
      outputs[0] && all(),
      outputs[1] && last(ran.map((one) => one.h)),
      outputs[2] && last(ran.map((one) => one.c!)),
    ];
  };
}

/** The activations of each direction. */
function activationsOf(
  { node, refuse }: DecomposeContext,
  defaults: readonly string[],
  directions: number,
): readonly (readonly string[])[] {
  const stated = node.attribute.find(({ name }) => name === "activations")?.strings ?? [];
  const names = stated.map((text) => new TextDecoder().decode(text).toLowerCase());
  const known = new Map(["Sigmoid", "Tanh", "Relu"].map((name) => [name.toLowerCase(), name]));
  return Array.from({ length: directions }, (_, at) =>
    defaults.map((name, slot) => {
      if (names.length === 0) return name;
      const own = names[at * defaults.length + slot] ?? "";
      return known.get(own) ?? refuse(`its activation ${own} is not Sigmoid, Tanh or Relu`);
    }),
  );
}

function checkPlain({ node, inputs, constant, refuse }: DecomposeContext, steps: number, directions: number): void {
  const has = (name: string) => node.attribute.some((attribute) => attribute.name === name);
  if (has("clip")) refuse("it clips what goes into its activations");
  if (intAttribute(node, "input_forget", 0) !== 0) refuse("its input and forget gates are coupled");
  if (inputs[7]) refuse("it has peepholes");
  if (steps > maxSteps) {
    refuse(`its sequence has ${steps} steps, at most ${maxSteps} can be unrolled; train on shorter samples`);
  }
  if (steps === 0) refuse("its sequence is empty");
  if (directions > 2) refuse(`it has ${directions} directions`);
  if (!inputs[4]) return;
  const lengths = constant(4) ?? refuse("its sequences differ in length from batch to batch");
  if (Array.from(numbersOf(lengths)).some((length) => length !== steps)) refuse("its sequences differ in length");
}

export const recurrentDecompositions = {
  LSTM: unrolled(lstm, ["Sigmoid", "Tanh", "Tanh"]),
  GRU: unrolled(gru, ["Sigmoid", "Tanh"]),
  RNN: unrolled(rnn, ["Tanh"]),
} as const;
