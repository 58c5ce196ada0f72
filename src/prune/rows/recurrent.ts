import { intAttribute, setAttribute } from "../../graph/node.js";
import type { Axis } from "../labels.js";
import { type NodeAt, NotFollowed, type Row, type Rows } from "../row.js";

/** Joins an axis of one block of units after another (a gate each) to the units. */
function joinUnits(at: NodeAt, axis: Axis | undefined, units: Axis): void {
  if (axis === undefined) return;
  if (!axis || !units) {
    at.freeze(axis, "one of its axes stays");
    at.freeze(units, "one of its axes stays");
    return;
  }
  at.claim(axis);
  for (let index = 0; index < axis.length; index++) at.join(axis[index]!, units[index % units.length]!);
}

/**
 * Hidden unit u owns rows u + gate * hidden of W, R and B, column u of R, and place u of every state. A unit reads others
 * through R alone: without that column it is as if its state were 0. Both directions have the same units.
 */
function recurrent(gates: number): Row {
  return {
    axes(at) {
      const [x, w, r] = [at.required(0), at.required(1), at.required(2)];
      const hidden = r.shape[2];
      if (x.shape.length !== 3) throw new NotFollowed("for these inputs of the model its own does not have three axes");
      if (!hidden || w.shape[1] !== gates * hidden) {
        throw new NotFollowed("its weights do not have the shapes of its definition");
      }
      const batchFirst = intAttribute(at.node, "layout", 0) !== 0;
      const batch = x.axes[batchFirst ? 0 : 1]!;
      at.contracts({ input: 0, axis: 2 }, { input: 1, axis: 2 });
      at.contracts(null, { input: 2, axis: 2 });
      const units = r.axes[2]!;
      at.recurs(units);
      for (const axis of [w.axes[1], r.axes[1], at.input(3)?.axes[1]]) joinUnits(at, axis, units);
      const lengths = at.input(4);
      if (lengths) at.unify(batch, lengths.axes[0]!);
      for (const state of [at.input(5), gates === 4 ? at.input(6) : undefined]) {
        if (!state) continue;
        at.unify(units, state.axes[2]!, "starts from a state that keeps its length");
        at.unify(batch, state.axes[batchFirst ? 0 : 1]!);
      }
      if (gates === 4) joinUnits(at, at.input(7)?.axes[1], units);
      const last: readonly Axis[] = batchFirst ? [batch, null, units] : [null, batch, units];
      return [batchFirst ? [batch, null, null, units] : [null, null, batch, units], last, last];
    },
    mend({ node, input, kept }) {
      const left = kept(input(2)!.axes[2]!);
      if (left) setAttribute(node, "hidden_size", left.length);
    },
  };
}

export const recurrence: Rows = { LSTM: recurrent(4), GRU: recurrent(3), RNN: recurrent(1) };
