import { as } from "./random-blocks.js";
import { type Block, channelAxis, channelsOf, type Flow, type GraphBuilder, isImage } from "./random-graphs.js";

const withChannels = (flow: Flow, name: string, count: number): Flow => ({
  name,
  shape: flow.shape.map((size, axis) => (axis === channelAxis(flow) ? count : size)),
});

function split(b: GraphBuilder, flow: Flow): Flow {
  const count = channelsOf(flow);
  const axis = channelAxis(flow);
  if (count % 2 === 0 && b.pick(2) === 0) {
    const [value, gate] = b.nodes("Split", [flow.name, b.ints(count / 2, count / 2)], 2, { axis });
    return withChannels(flow, b.node("Mul", [value!, b.node("Sigmoid", [gate!])]), count / 2);
  }
  const [first, second] = b.nodes("Split", [flow.name, b.ints(3, count - 3)], 2, { axis });
  return as(flow, b.node("Concat", [second!, b.node("Relu", [first!])], { axis }));
}

function slice(b: GraphBuilder, flow: Flow): Flow {
  const axis = channelAxis(flow);
  const count = channelsOf(flow);
  if (b.pick(2) === 0) {
    const inputs = [flow.name, b.ints(1), b.ints(count - 1), b.ints(axis)];
    return withChannels(flow, b.node("Slice", inputs), count - 2);
  }
  if (b.pick(2) === 0) {
    const inputs = [flow.name, b.ints(0), b.ints(2 ** 31), b.ints(axis), b.ints(2)];
    return withChannels(flow, b.node("Slice", inputs), Math.ceil(count / 2));
  }
  return as(flow, b.node("Slice", [flow.name, b.ints(-1), b.ints(-99), b.ints(axis), b.ints(-1)]));
}

/** Channels of all places in another order, of which some may be left out. */
function gather(b: GraphBuilder, flow: Flow): Flow {
  const count = channelsOf(flow);
  const order = Array.from({ length: count - b.pick(3) }, (_, at) => (at * (count % 5 === 0 ? 3 : 5)) % count);
  return withChannels(flow, b.node("Gather", [flow.name, b.ints(...order)], { axis: channelAxis(flow) }), order.length);
}

/** Heads of 4, as PyTorch writes them. */
function attention(b: GraphBuilder, given: Flow): Flow {
  const flow = b.sequence(given);
  const [batch, length, count] = flow.shape as [number, number, number];
  const [heads, size] = [3, 4];
  const part = (order: readonly number[]) => {
    const made = b.project(flow, heads * size);
    const cut = b.node("Reshape", [made.name, b.ints(...(b.pick(2) === 0 ? [batch, length] : [0, 0]), heads, size)]);
    return b.node("Transpose", [cut], { perm: order });
  };
  const scores = b.node("MatMul", [part([0, 2, 1, 3]), part([0, 2, 3, 1])]);
  const shares = b.node("Softmax", [b.node("Mul", [scores, b.number(0.5)])], { axis: -1 });
  const mixed = b.node("Transpose", [b.node("MatMul", [shares, part([0, 2, 1, 3])])], { perm: [0, 2, 1, 3] });
  const flat = b.node("Reshape", [mixed, b.ints(batch, length, heads * size)]);
  const out = b.project({ name: flat, shape: [batch, length, heads * size] }, count);
  return as(flow, b.node("Add", [flow.name, out.name]));
}

/** A cell over the places, forwards or both ways. */
const recurrent =
  (operator: "LSTM" | "GRU" | "RNN", gates: number): Block =>
  (b, given) => {
    const flow = b.sequence(given);
    const [batch, length, count] = flow.shape as [number, number, number];
    const directions = 1 + b.pick(2);
    const hidden = 6;
    const turned = b.node("Transpose", [flow.name], { perm: [1, 0, 2] });
    const states = b.node(
      operator,
      [
        turned,
        b.weight([directions, gates * hidden, count], 0.3),
        b.weight([directions, gates * hidden, hidden], 0.3),
        ...(b.pick(2) === 0 ? [b.weight([directions, 2 * gates * hidden], 0.2)] : []),
      ],
      { hidden_size: hidden, ...(directions === 2 ? { direction: "bidirectional" } : {}) },
    );
    const ordered = b.node("Transpose", [states], { perm: [2, 0, 1, 3] });
    if (directions === 1) return { name: b.node("Squeeze", [ordered, b.ints(2)]), shape: [batch, length, hidden] };
    return {
      name: b.node("Reshape", [ordered, b.ints(batch, length, 2 * hidden)]),
      shape: [batch, length, 2 * hidden],
    };
  };

export const placeBlocks: Record<string, Block> = {
  Transpose(b, flow) {
    const order = isImage(flow) ? [2, 3, 1, 0] : [2, 1, 0];
    const back = isImage(flow) ? [3, 2, 0, 1] : [2, 1, 0];
    return as(
      flow,
      b.node("Transpose", [b.node("Relu", [b.node("Transpose", [flow.name], { perm: order })])], { perm: back }),
    );
  },
  Reshape: attention,
  Squeeze(b, flow) {
    const place = b.pick(flow.shape.length + 1);
    return as(flow, b.node("Squeeze", [b.node("Unsqueeze", [flow.name, b.ints(place)]), b.ints(place)]));
  },
  Unsqueeze: (b, flow) => b.image(b.sequence(flow)),
  Flatten(b, given) {
    // all places of a channel beside each other, as the classifiers of old networks read them
    const flow = b.image(given);
    const [batch, count, height, width] = flow.shape as [number, number, number, number];
    const flat = b.node("Flatten", [flow.name]);
    const made = b.node("Gemm", [
      flat,
      b.weight([count * height * width, 6], 1 / Math.sqrt(count * height * width), [1]),
    ]);
    return { name: b.node("Unsqueeze", [b.node("Relu", [made]), b.ints(1)]), shape: [batch, 1, 6] };
  },
  Concat(b, flow) {
    const parts = [flow, b.other(flow), ...(b.pick(2) === 0 ? [b.project(flow, 5)] : [])];
    const count = parts.reduce((sum, part) => sum + channelsOf(part), 0);
    return withChannels(
      flow,
      b.node(
        "Concat",
        parts.map(({ name }) => name),
        { axis: channelAxis(flow) },
      ),
      count,
    );
  },
  Split: split,
  Slice: slice,
  Gather: gather,
  Tile(b, flow) {
    const times = flow.shape.map((_, axis) => (axis === channelAxis(flow) ? 2 : 1));
    return withChannels(flow, b.node("Tile", [flow.name, b.ints(...times)]), 2 * channelsOf(flow));
  },
  Expand(b, given) {
    const flow = b.image(given);
    const [batch, count, height, width] = flow.shape as [number, number, number, number];
    const one = b.node("GlobalMaxPool", [flow.name]);
    const sizes = b.pick(2) === 0 ? b.ints(batch, count, height, width) : b.node("Shape", [flow.name]);
    return as(flow, b.node("Sub", [flow.name, b.node("Expand", [one, sizes])]));
  },
  DepthToSpace(b, given) {
    const flow = b.project(b.image(given), 16);
    const [batch, , height, width] = flow.shape as [number, number, number, number];
    const mode = b.pick(2) === 0 ? "DCR" : "CRD";
    return {
      name: b.node("DepthToSpace", [flow.name], { blocksize: 2, mode }),
      shape: [batch, 4, 2 * height, 2 * width],
    };
  },
  SpaceToDepth(b, given) {
    const flow = b.image(given);
    const [batch, count, height, width] = flow.shape as [number, number, number, number];
    const even = b.node("Pad", [flow.name, b.ints(0, 0, 0, 0, 0, 0, height % 2, width % 2)]);
    const shape = [batch, 4 * count, Math.ceil(height / 2), Math.ceil(width / 2)];
    return { name: b.node("SpaceToDepth", [even], { blocksize: 2 }), shape };
  },
  Shape(b, given) {
    const flow = b.image(given);
    const [batch, count, height, width] = flow.shape as [number, number, number, number];
    const size = b.node("Shape", [flow.name]);
    const front = b.node(
      "Concat",
      [b.node("Gather", [size, b.ints(0)]), b.node("Gather", [size, b.ints(1)]), b.ints(-1)],
      {
        axis: 0,
      },
    );
    const flat = b.node("Reshape", [flow.name, front]);
    return b.sequence({ name: b.node("Unsqueeze", [flat, b.ints(3)]), shape: [batch, count, height * width, 1] });
  },
  LSTM: recurrent("LSTM", 4),
  GRU: recurrent("GRU", 3),
  RNN: recurrent("RNN", 1),
};
