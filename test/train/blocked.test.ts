import { expect, test } from "@jest/globals";
import { normal } from "../../src/data/random.js";
import { openSession } from "../../src/engine/session.js";
import { encodeModel } from "../../src/formats/onnx.js";
import { assembleModel } from "../../src/graph/assemble.js";
import { createBuilder, type Form, type GraphBuilder, type Value } from "../../src/graph/builder.js";
import { elementCount, type Tensor } from "../../src/tensor/tensor.js";
import { blockSize } from "../../src/train/block-size.js";
import { blockConvolutions } from "../../src/train/blocked.js";

type Write = (b: GraphBuilder, input: (name: string, shape: readonly number[]) => Value) => readonly Value[];

/** Runs a graph as it is and in blocks; gives both results and the operators of the latter. */
async function bothWays(write: Write, block: number) {
  const taken = new Set<string>();
  const fresh = (base: string) => {
    let name = base;
    for (let at = 1; taken.has(name); at++) name = `${base}_${at}`;
    taken.add(name);
    return name;
  };
  const b = createBuilder(fresh);
  const inputs: Value[] = [];
  const outputs = write(b, (name, shape) => {
    const value: Value = { name: fresh(name), dtype: "float32", shape };
    inputs.push(value);
    return value;
  });
  const formOf = (name: string) => b.values.get(name) ?? inputs.find((one) => one.name === name);
  const wanted = new Set(outputs.map(({ name }) => name));
  const laidOut = blockConvolutions(b.nodes, formOf, wanted, fresh, block);
  const next = normal(3);
  const feeds = inputs.map(({ name, shape }): [string, Tensor] => [
    name,
    { dtype: "float32", shape, data: Float32Array.from({ length: elementCount(shape) }, next) },
  ]);
  const run = async (nodes: typeof b.nodes, more: typeof b.initializers) => {
    const session = await openSession(
      encodeModel(assembleModel({ nodes, initializers: [...b.initializers, ...more], inputs, outputs })),
    );
    const results = await session.run(new Map(feeds));
    await session.close();
    return outputs.map(({ name }) => results.get(name)!.data as Float32Array);
  };
  const [plain, blocked] = [await run(b.nodes, []), await run(laidOut.nodes, laidOut.initializers)];
  // sums of many products, in another order
  const apart = (x: number, y: number) => Math.abs(x - y) / Math.max(10, Math.abs(x));
  const difference = Math.max(
    ...plain.flatMap((one, at) => Array.from(one, (value, i) => apart(value, blocked[at]![i]!))),
  );
  return { difference, operators: laidOut.nodes.map(({ domain, opType }) => `${domain.split(".").at(-1)}:${opType}`) };
}

const picture = (channels: number, side = 12): Form => ({ dtype: "float32", shape: [3, channels, side, side] });
const pads = [1, 1, 1, 1];

const graphs: readonly (readonly [name: string, nodes: readonly string[], Write])[] = [
  [
    "a residual block stays in blocks between its convolutions",
    ["ReorderInput", "Conv", "Conv", "ReorderOutput"],
    (b, input) => {
      const x = input("x", [3, 16, 12, 12]);
      const first = b.op("Conv", [x, input("w", [16, 16, 3, 3]), input("bias", [16])], picture(16), { pads });
      const second = b.op("Conv", [b.map("Relu", first), input("v", [16, 16, 3, 3])], picture(16), { pads });
      return [b.map("Relu", b.add(second, x))];
    },
  ],
  [
    "what is read outside is brought back, also a condition",
    ["ReorderInput", "Conv", "ReorderOutput", "ReorderOutput"],
    (b, input) => {
      const y = b.op("Conv", [input("x", [3, 16, 12, 12]), input("w", [32, 16, 3, 3])], picture(32), { pads });
      const positive = b.compare("Greater", y, 0);
      return [b.where(positive, y, 0.5), b.reduce("ReduceSum", y, [2, 3]), b.cast(positive, "float32")];
    },
  ],
  [
    "few channels are read as they lie",
    ["Conv", "ReorderOutput"],
    (b, input) => [b.op("Conv", [input("x", [3, 3, 14, 14]), input("w", [16, 3, 3, 3])], picture(16))],
  ],
  [
    "depthwise, automatic pads, strides",
    ["ReorderInput", "Conv", "ReorderOutput"],
    (b, input) => [
      b.op(
        "Conv",
        [input("x", [30, 16, 12, 12]), input("w", [16, 1, 3, 3])],
        { dtype: "float32", shape: [30, 16, 6, 6] },
        {
          group: 16,
          strides: [2, 2],
          auto_pad: "SAME_UPPER",
        },
      ),
    ],
  ],
  [
    "channels are brought last without a way through the plain layout",
    ["ReorderInput", "Conv", "ReorderOutput"],
    (b, input) => {
      const one = b.op("Conv", [input("x", [3, 16, 12, 12]), input("w", [32, 16, 3, 3])], picture(32), { pads });
      return [b.transpose(one, [0, 2, 3, 1])];
    },
  ],
  [
    "odd channels stay as they are",
    [],
    (b, input) => [b.op("Conv", [input("x", [3, 5, 12, 12]), input("w", [7, 5, 1, 1])], picture(7))],
  ],
];

test.each(graphs)("%s", async (_, nodes, write) => {
  const block = await blockSize();
  // a machine without that layout has nothing to compare
  if (block === 0) return;
  const { difference, operators } = await bothWays(write, block);
  expect(difference).toBeLessThan(1e-5);
  expect(operators.filter((one) => one.startsWith("nchwc:")).map((one) => one.slice(6))).toEqual(nodes);
});

test("channels that fill one block lie last in it already", async () => {
  const block = await blockSize();
  if (block === 0) return;
  const write: Write = (b, input) => {
    const one = b.op("Conv", [input("x", [3, block, 12, 12]), input("w", [block, block, 3, 3])], picture(block), {
      pads,
    });
    return [b.transpose(one, [0, 2, 3, 1])];
  };
  const { difference, operators } = await bothWays(write, block);
  expect(difference).toBeLessThan(1e-5);
  expect(operators).not.toContain("nchwc:ReorderOutput");
});
