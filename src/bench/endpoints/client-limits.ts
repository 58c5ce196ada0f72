import { judgeClient } from "./client-load.js";
import type { ClientLimit } from "./matches.js";
import type { EndpointRun } from "./record.js";

/** Blocks may be limited up to this share: one disturbed block of many does not spoil a run. */
const spoiledShare = 0.25;

/** Where this program, not a target, decided what was measured: under which load, and why in the words of one block. */
export function clientLimitsOf({ blocks, points, records }: EndpointRun): readonly ClientLimit[] {
  const targets = [...new Set(blocks.map(({ target }) => target))];
  return targets.flatMap((target) =>
    points.flatMap((load, point): readonly ClientLimit[] => {
      const own = blocks.filter((block) => block.target === target && block.point === point);
      const limited = own.flatMap((block) => {
        const asked = records.filter(
          (one) => one.target === target && one.point === point && one.round === block.round,
        );
        return judgeClient(block, load, asked).limited ?? [];
      });
      return limited.length > spoiledShare * own.length ? [{ target, point, why: limited[0]! }] : [];
    }),
  );
}
