import { type TensorInfo, type TensorProto, tensorInfo } from "../formats/onnx.js";
import { movedConstants } from "../graph/moved.js";
import { isStandard } from "../graph/node.js";
import type { ModelView, Scope, Use } from "../graph/scope.js";
import { type ShapeLookup, shapeLookup } from "../graph/shapes.js";
import { type WeightSlot, weightSlot } from "./operators.js";

/** A use of a tensor as a weight. */
export interface WeightUse extends Use {
  readonly slot: WeightSlot;
}

/** A stored float tensor and every node that reads it. */
export interface Site {
  /** The graph that holds the tensor; uses may stand in graphs nested in it. */
  readonly scope: Scope;
  readonly tensor: TensorProto;
  readonly info: TensorInfo;
  readonly uses: readonly Use[];
  /** Those of the uses that take it as a weight. */
  readonly weightUses: readonly WeightUse[];
  /** Operators that take it as a weight after its elements were moved (Slice, Concat, ...), where none takes it itself. */
  readonly reaches: readonly string[];
  /** The model it stands in. */
  readonly view: ModelView;
  readonly shapeOf: ShapeLookup;
}

/** Every float tensor of a model. Constants must have been lifted. */
export function sitesOf(view: ModelView): readonly Site[] {
  const shapeOf = shapeLookup(view);
  const moved = movedConstants(view);
  const weightUsesOf = (uses: readonly Use[]) =>
    uses.flatMap((use) => {
      const slot = isStandard(use.node) ? weightSlot(use.node, use.input) : undefined;
      return slot ? [{ ...use, slot }] : [];
    });
  return view.scopes.flatMap((scope) =>
    [...scope.initializers.values()].flatMap((tensor) => {
      const info = tensorInfo(tensor);
      if (!/^b?float/.test(info.type)) return [];
      const uses = view.usesOf(scope, info.name);
      const weightUses = weightUsesOf(uses);
      const behind = weightUses.length > 0 ? [] : weightUsesOf(moved.usesOf(scope, info.name));
      const reaches = [...new Set(behind.map(({ node }) => node.opType))];
      return [{ scope, tensor, info, uses, weightUses, reaches, view, shapeOf }];
    }),
  );
}

/** Names a site in plans and rankings: tensor names are unique within a graph only. */
export function siteKey(graph: string, name: string): string {
  return `${graph}:${name}`;
}

/** The one channel axis that all uses as a weight agree on; a reason where there is none. */
export function channelAxis({ info, weightUses }: Site): number | string {
  const axes = new Set(weightUses.map(({ slot, node }) => slot.axis(node, info.shape.length)));
  if (axes.size > 1) return "its uses need scales along different axes";
  const [axis] = axes;
  if (axis === undefined || axis >= info.shape.length) {
    return `has ${info.shape.length} axes, too few for a channel axis`;
  }
  return axis;
}

/** The axis that all uses as a weight sum products over; undefined where they disagree or have no single one. */
export function sumAxis({ info, weightUses }: Site): number | undefined {
  const axes = new Set(weightUses.map(({ slot, node }) => slot.sumAxis?.(node, info.shape.length)));
  const [axis] = axes;
  return axes.size === 1 ? axis : undefined;
}
