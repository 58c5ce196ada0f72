import type { ModelProto } from "../../src/formats/onnx.js";
import { ints } from "../onnx-model.js";
import { type Sketch, sketch } from "./sketch.js";

/** Small networks with the ways of joining channels that well-known ones have. All end in 5 classes or maps. */
export const networks: Readonly<Record<string, () => ModelProto>> = {
  "gated feed-forward": () => {
    const s = sketch();
    const first = s.linear("in", "x", 12, 16);
    const gate = swish(s, s.linear("gate", first, 16, 32));
    const product = s.op("Mul", [gate, s.linear("up", first, 16, 32)]);
    const out = s.linear("last", s.op("Add", [first, s.linear("down", product, 32, 16)]), 16, 5);
    return s.model([["x", "float32", [2, 4, 12]]], [[out, "float32", [2, 4, 5]]]);
  },
  "gated feed-forward in one product": () => {
    const s = sketch();
    const first = s.linear("in", "x", 12, 16);
    const [gate, up] = s.ops("Split", [s.linear("both", first, 16, 64)], 2, { axis: -1 }) as [string, string];
    const product = s.op("Mul", [swish(s, gate), up]);
    const out = s.linear("last", s.op("Add", [first, s.linear("down", product, 32, 16)]), 16, 5);
    return s.model([["x", "float32", [2, 4, 12]]], [[out, "float32", [2, 4, 5]]]);
  },
  "squeeze and excite": () =>
    images((s, x) => {
      const wide = s.op("Relu", [s.conv("wide", x, 3, 16)]);
      return classes(s, squeezed(s, "se", wide, 16, 8), 16);
    }),
  "channels shuffled": () =>
    images((s, x) => {
      const first = s.op("Relu", [s.conv("first", x, 3, 32)]);
      const one = s.op("Relu", [s.conv("one", first, 32, 32, { kernel: 1, group: 2 })]);
      const deep = s.conv("deep", shuffled(s, one, 2, 32), 32, 32, { group: 32 });
      const two = s.conv("two", deep, 32, 32, { kernel: 1, group: 2 });
      return classes(s, s.op("Relu", [s.op("Add", [first, two])]), 32);
    }),
  "channels shuffled after a split": () =>
    images((s, x) => {
      const first = s.op("Relu", [s.conv("first", x, 3, 16)]);
      const [left, right] = s.ops("Split", [first], 2, { axis: 1 }) as [string, string];
      const one = s.op("Relu", [s.conv("one", right, 8, 8, { kernel: 1 })]);
      const deep = s.conv("deep", one, 8, 8, { group: 8 });
      const two = s.op("Relu", [s.conv("two", deep, 8, 8, { kernel: 1 })]);
      const joined = shuffled(s, s.op("Concat", [left, two], { axis: 1 }), 2, 16);
      return classes(s, s.op("Relu", [s.conv("last", joined, 16, 16)]), 16);
    }),
  "all earlier maps joined": () =>
    images((s, x) => {
      let all = s.conv("first", x, 3, 8);
      for (const [at, channels] of [8, 16, 24].entries()) {
        const normed = s.op("Relu", [s.batchNorm(`bn${at}`, all, channels)]);
        all = s.op("Concat", [all, s.conv(`grow${at}`, normed, channels, 8)], { axis: 1 });
      }
      return classes(s, s.op("Relu", [s.batchNorm("bn", all, 32)]), 32);
    }),
  "branches of several kernels": () =>
    images((s, x) => {
      const first = s.op("Relu", [s.conv("first", x, 3, 16)]);
      const pooled = s.op("MaxPool", [first], { kernel_shape: [3, 3], pads: [1, 1, 1, 1] });
      const three = s.op("Relu", [s.conv("reduce", first, 16, 8, { kernel: 1 })]);
      const branches = [
        s.conv("one", first, 16, 8, { kernel: 1 }),
        s.conv("three", three, 8, 12),
        s.conv("pool", pooled, 16, 6, { kernel: 1 }),
      ];
      return classes(s, s.op("Relu", [s.op("Concat", branches, { axis: 1 })]), 26);
    }),
  "down and up with skips": () => {
    const s = sketch();
    const one = s.op("Relu", [s.conv("one", "x", 3, 8)]);
    const two = s.op("Relu", [s.conv("two", s.op("MaxPool", [one], { kernel_shape: [2, 2], strides: [2, 2] }), 8, 16)]);
    const deep = s.op("Relu", [
      s.conv("deep", s.op("MaxPool", [two], { kernel_shape: [2, 2], strides: [2, 2] }), 16, 32),
    ]);
    const up = (name: string, x: string, from: number, to: number) =>
      s.op("ConvTranspose", [x, s.weight(`${name}.w`, [from, to, 2, 2]), s.weight(`${name}.b`, [to])], {
        strides: [2, 2],
      });
    const middle = s.op("Relu", [
      s.conv("middle", s.op("Concat", [up("up2", deep, 32, 16), two], { axis: 1 }), 32, 16),
    ]);
    const top = s.op("Relu", [s.conv("top", s.op("Concat", [up("up1", middle, 16, 8), one], { axis: 1 }), 16, 8)]);
    const out = s.conv("last", top, 8, 5, { kernel: 1 });
    return s.model([["x", "float32", [2, 3, 8, 8]]], [[out, "float32", [2, 5, 8, 8]]]);
  },
  "split and joined again": () =>
    images((s, x) => {
      const first = swish(s, s.conv("first", x, 3, 16));
      const wide = swish(s, s.conv("wide", first, 16, 32, { kernel: 1 }));
      const [left, right] = s.ops("Split", [wide, s.ints([16, 16])], 2, { axis: 1 }) as [string, string];
      const inner = swish(s, s.conv("inner1", right, 16, 16));
      const residual = s.op("Add", [right, swish(s, s.conv("inner2", inner, 16, 16))]);
      const joined = s.op("Concat", [left, right, residual], { axis: 1 });
      return classes(s, swish(s, s.conv("last", joined, 48, 24, { kernel: 1 })), 24);
    }),
  "channels last for a normalisation": () =>
    images((s, x) => {
      const first = s.conv("first", x, 3, 16);
      const deep = s.conv("deep", first, 16, 16, { kernel: 7, group: 16 });
      const last = s.op("Transpose", [deep], { perm: [0, 2, 3, 1] });
      const normed = s.op("LayerNormalization", [last, s.weight("ln.scale", [16]), s.weight("ln.shift", [16])], {
        axis: -1,
      });
      const hidden = s.op("Relu", [s.linear("up", normed, 16, 64)]);
      const scaled = s.op("Mul", [s.linear("down", hidden, 64, 16), s.weight("gamma", [16])]);
      const back = s.op("Transpose", [scaled], { perm: [0, 3, 1, 2] });
      return classes(s, s.op("Add", [first, back]), 16);
    }),
  "inverted residuals with excitation": () =>
    images((s, x) => {
      const first = s.op("HardSwish", [s.batchNorm("bn", s.conv("first", x, 3, 8), 8)]);
      const wide = s.op("HardSwish", [s.batchNorm("bn1", s.conv("expand", first, 8, 24, { kernel: 1 }), 24)]);
      const deep = s.batchNorm("bn2", s.conv("deep", wide, 24, 24, { kernel: 5, group: 24 }), 24);
      const excited = s.op("HardSwish", [squeezed(s, "se", deep, 24, 8)]);
      const narrow = s.batchNorm("bn3", s.conv("project", excited, 24, 8, { kernel: 1 }), 8);
      return classes(s, s.op("Add", [first, narrow]), 8);
    }),
  "channels into space and back": () =>
    images((s, x) => {
      const first = s.op("Relu", [s.conv("first", s.op("SpaceToDepth", [x], { blocksize: 2 }), 12, 16)]);
      const small = s.op("SpaceToDepth", [first], { blocksize: 2 });
      const next = s.op("Relu", [s.conv("next", small, 64, 32)]);
      const large = s.op("DepthToSpace", [next], { blocksize: 2, mode: "CRD" });
      const other = s.op("DepthToSpace", [s.conv("other", next, 32, 32)], { blocksize: 2, mode: "DCR" });
      return classes(s, s.op("Relu", [s.conv("last", s.op("Add", [large, other]), 8, 16)]), 16);
    }),
  "maps flattened for a linear layer": () =>
    images((s, x) => {
      const maps = s.op("Relu", [s.conv("maps", x, 3, 8, { stride: 2 })]);
      return s.linear("last", s.op("Flatten", [maps]), 8 * 16, 5);
    }),
  "channels chosen and reversed": () =>
    images((s, x) => {
      const first = s.op("Relu", [s.conv("first", x, 3, 16)]);
      const even = s.op("Slice", [first, s.ints([0]), s.ints([16]), s.ints([1]), s.ints([2])]);
      const tail = s.op("Slice", [first, s.ints([-8]), s.ints([2 ** 40]), s.ints([1])]);
      const reversed = s.op("Gather", [tail, s.ints([7, 6, 5, 4, 3, 2, 1, 0])], { axis: 1 });
      return classes(s, s.op("Relu", [s.conv("last", s.op("Concat", [even, reversed], { axis: 1 }), 16, 16)]), 16);
    }),
  "halves cut where half of the length is computed": () => {
    const s = sketch();
    const both = s.linear("both", "x", 12, 64);
    const half = s.op("Div", [s.op("Add", [s.size(both, -1), s.ints([1])]), s.ints([2])]);
    const [from, to] = [s.op("Mul", [half, s.ints([1])]), s.op("Mul", [half, s.ints([2])])];
    const gate = s.op("Slice", [both, s.ints([0]), from, s.ints([-1])]);
    const product = s.op("Mul", [swish(s, gate), s.op("Slice", [both, from, to, s.ints([-1])])]);
    return s.model([["x", "float32", ["b", 4, 12]]], [[s.linear("last", product, 32, 5), "float32", ["b", 4, 5]]]);
  },
  "channels repeated as far as a shape says": () => {
    const s = sketch();
    // what torch writes for expand(-1, 3, n, -1) of [b, 1, n, c]
    const maps = s.op("Unsqueeze", [s.linear("in", "x", 12, 16), s.ints([1])]);
    const wanted = s.op(
      "Concat",
      [s.ints([-1]), s.ints([3]), s.op("Unsqueeze", [s.size(maps, 2), s.ints([0])]), s.ints([-1])],
      { axis: 0 },
    );
    const ones = s.op("ConstantOfShape", [s.ints([4])], { value: { tensor: ints("one", [1]) } });
    const open = s.op("Equal", [wanted, s.op("Mul", [ones, s.ints([-1])])]);
    const wide = s.op("Expand", [maps, s.op("Where", [open, ones, wanted])]);
    const rows = s.op("Reshape", [wide, s.sizes([s.size("x", 0), -1, s.size(maps, 3)])]);
    return s.model([["x", "float32", ["b", 4, 12]]], [[s.linear("last", rows, 16, 5), "float32", ["b", 12, 5]]]);
  },
  "letters for products": () => {
    const s = sketch();
    const first = s.linear("in", "x", 12, 16);
    const wide = s.op("Relu", [s.op("Einsum", [first, s.weight("up", [16, 32])], { equation: "bnc,cd->bnd" })]);
    const narrow = s.op("Einsum", [wide, s.weight("down", [32, 16])], { equation: "...d,dc->...c" });
    const out = s.linear("last", s.op("Add", [first, narrow]), 16, 5);
    return s.model([["x", "float32", [2, 4, 12]]], [[out, "float32", [2, 4, 5]]]);
  },
};

/** A network over x [2, 3, 8, 8] that ends in 5 classes. */
function images(write: (s: Sketch, x: string) => string): ModelProto {
  const s = sketch();
  return s.model([["x", "float32", [2, 3, 8, 8]]], [[write(s, "x"), "float32", [2, 5]]]);
}

const swish = (s: Sketch, x: string): string => s.op("Mul", [x, s.op("Sigmoid", [x])]);

function classes(s: Sketch, maps: string, channels: number): string {
  const pooled = s.op("Squeeze", [s.op("GlobalAveragePool", [maps]), s.ints([2, 3])]);
  return s.linear("classes", pooled, channels, 5);
}

/** Channels scaled by what all of them are. */
function squeezed(s: Sketch, name: string, x: string, channels: number, narrow: number): string {
  const pooled = s.op("GlobalAveragePool", [x]);
  const less = s.op("Relu", [s.conv(`${name}1`, pooled, channels, narrow, { kernel: 1 })]);
  return s.op("Mul", [x, s.op("HardSigmoid", [s.conv(`${name}2`, less, narrow, channels, { kernel: 1 })])]);
}

/** The channels of all groups in turn. */
function shuffled(s: Sketch, x: string, groups: number, channels: number): string {
  const apart = s.op("Reshape", [x, s.ints([2, groups, channels / groups, 8, 8])]);
  return s.op("Reshape", [s.op("Transpose", [apart], { perm: [0, 2, 1, 3, 4] }), s.ints([2, -1, 8, 8])]);
}
