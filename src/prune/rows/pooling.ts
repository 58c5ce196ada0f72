import { floatsAttribute, intsAttribute, stringAttribute } from "../../graph/node.js";
import type { Axis } from "../labels.js";
import { type NodeAt, NotFollowed, type Row, type Rows } from "../row.js";
import { axisOf, fixed } from "./blocks.js";
import { named } from "./elementwise.js";

/** Each channel by itself, over its places. */
const pool: Row = {
  axes(at) {
    if (at.node.output[1]) throw new NotFollowed("its indices count every channel");
    const { axes } = at.required(0);
    return [[axes[0]!, axes[1]!, ...fixed(axes.length - 2)]];
  },
};

/** Places of each channel that another input names. */
const sampled: Row = {
  axes: (at) => [[null, at.required(0).axes[1]!, ...fixed(at.required(0).axes.length - 2)]],
};

/** Where the sizes or scales of an axis stand in their list; undefined for an axis that is not in it. */
function placeOf(node: NodeAt["node"], axis: number, rank: number): number | undefined {
  const listed = intsAttribute(node, "axes");
  if (!listed) return axis;
  const found = listed.findIndex((each) => axisOf(Number(each), rank) === axis);
  return found < 0 ? undefined : found;
}

/** Axes that keep their size pass. */
const resize: Row = {
  axes(at) {
    const x = at.required(0);
    const shape = at.outputShape(0);
    if (stringAttribute(at.node, "coordinate_transformation_mode", "") === "tf_crop_and_resize") {
      throw new NotFollowed("it crops");
    }
    const scales = floatsAttribute(at.node, "scales") ?? at.constant(scalesInput(at.node, at.opset))?.data;
    return [
      x.axes.map((axis, position) => {
        const place = placeOf(at.node, position, x.shape.length);
        if (place === undefined) return axis;
        const scale = scales && scales.length > 0 ? scales[place] : 1;
        if (!axis || shape[position] !== x.shape[position] || Number(scale) !== 1) return null;
        const size = at.input(3) ? at.sizes(3)?.[place] : undefined;
        const follows = size?.from === "constant" || (size?.from === "axis" && size.axis === axis);
        return !at.input(3) || follows ? axis : null;
      }),
    ];
  },
  mend(at) {
    const { axes, shape } = at.input(0)!;
    const sizes = at.node.opType === "Resize" && at.input(3) ? at.sizes(3) : undefined;
    for (const [position, axis] of axes.entries()) {
      const place = placeOf(at.node, position, axes.length);
      if (place === undefined || sizes?.[place]?.from !== "constant" || !at.kept(axis)) continue;
      at.setComputedSize(3, place, at.sizeOf(axis, shape[position]!));
    }
  },
};

const scalesInput = (node: NodeAt["node"], opset: number): number => (node.opType === "Resize" && opset >= 11 ? 2 : 1);

/** Axes that nothing is added to pass; constants that are added stay. */
const pad: Row = {
  axes(at) {
    const { axes } = at.required(0);
    const rank = axes.length;
    const pads = Array.from(at.constant(1)?.data ?? intsAttribute(at.node, "pads") ?? [], Number);
    const padded = at.input(3) ? at.constant(3) : { data: [...axes.keys()] };
    if (!padded || pads.length !== 2 * padded.data.length) throw new NotFollowed("its pads are computed");
    const places = Array.from(padded.data as readonly number[], (axis) => axisOf(Number(axis), rank));
    const isConstant = stringAttribute(at.node, "mode", "constant") === "constant";
    return [
      axes.map((axis, position): Axis => {
        const place = places.indexOf(position);
        const [before, after] = place < 0 ? [0, 0] : [pads[place]!, pads[place + places.length]!];
        if (before === 0 && after === 0) return axis;
        if (!axis || !isConstant || before < 0 || after < 0) return null;
        at.claim(axis);
        const stays = at.fresh(1);
        at.freeze(stays, "puts it beside what stays");
        const added = (count: number) => new Array<number>(count).fill(stays[0]!);
        return Int32Array.from([...added(before), ...axis, ...added(after)]);
      }),
    ];
  },
};

export const pooling: Rows = {
  ...named(pool, "MaxPool AveragePool LpPool GlobalMaxPool GlobalAveragePool GlobalLpPool"),
  ...named(sampled, "GridSample RoiAlign MaxRoiPool"),
  ...named(resize, "Resize Upsample"),
  Pad: pad,
};
