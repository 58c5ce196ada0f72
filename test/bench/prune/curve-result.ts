// Curves of recovery: what they come to, and whether ours is better by more than noise.
import { shareOf } from "../train/judge.js";
import { type Goal, type Row, table } from "../train/result.js";
import { type Difference, pairedDifference, verdictOf } from "./paired.js";
import type { TaskFound } from "./tasks.js";

/** How channels are chosen. */
export type Way = { readonly id: string; readonly words: string } & (
  | { readonly args: readonly string[]; readonly data?: true }
  | { readonly scope: "global" | "local"; readonly round: number }
);

export type Recovery = "teacher" | "labels" | "own";

/** A way at one share of the FLOPs with one seed; kept as a file. */
export interface CurveSeries {
  readonly way: string;
  /** What was asked for, and what went. */
  readonly removed: number;
  readonly gone: number;
  readonly recovery: Recovery;
  readonly seed: number;
  readonly versions?: Readonly<Record<string, string>>;
  readonly points: readonly {
    readonly steps: number;
    readonly seconds: number;
    /** Which test pictures were right, as bits in base 64. */
    readonly right: string;
  }[];
}

const task = "fashion-curve";
const words: Readonly<Record<Recovery, string>> = {
  teacher: "the same recovery on both sides, the original as teacher",
  labels: "the same recovery on both sides, from labels",
  own: "each tool's own recovery",
};

/** Means over seeds, and each of ours beside the peer that is best there. */
export function curveResult(ways: readonly Way[], all: readonly CurveSeries[], original: number): TaskFound {
  const rows: Row[] = [];
  const goals: Goal[] = [];
  const tables: string[] = [];
  const kinds = new Map(all.map(({ removed, recovery }) => [`${removed} ${recovery}`, { removed, recovery }]));
  for (const { removed, recovery } of kinds.values()) {
    const of = all.filter((one) => one.removed === removed && one.recovery === recovery);
    const budgets = [...new Set(of.flatMap(({ points }) => points.map(({ steps }) => steps)))].sort((a, b) => a - b);
    const found = ways.flatMap((way) => {
      const own = of.filter(({ way: id }) => id === way.id).sort((a, b) => a.seed - b.seed);
      return own.length === 0 ? [] : [{ way, own }];
    });
    const title = `${100 * removed} % of FLOPs, ${words[recovery]}`;
    const body = found.map(({ way, own }) => {
      const values = budgets.map((steps) => meanAt(own, steps));
      values.forEach((value, at) => {
        if (value === undefined) return;
        rows.push({ task, what: `${way.words}; ${title}`, measure: "top-1", value, steps: budgets[at]! });
      });
      return [
        way.words,
        `${(100 * own[0]!.gone).toFixed(1)} %`,
        `${own.length}`,
        ...values.map((value) => value?.toFixed(2) ?? ""),
      ];
    });
    const against = found
      .filter(({ way }) => !("scope" in way))
      .map(({ way, own }) => {
        const cells = budgets.map((steps) => {
          const best = bestPeer(found, steps);
          const found_ = best && differenceAt(own, best.own, steps);
          if (!best || !found_) return "";
          const shown = differenceWords(found_);
          if (steps === budgets.at(-1)) {
            const goal = `better than ${best.way.words} after ${steps} steps`;
            goals.push({ task: `${way.words}, ${title}`, goal, measured: shown, met: verdictOf(found_) === "better" });
          }
          return shown;
        });
        return [`${way.words}: beside the best peer`, "", "", ...cells];
      });
    const head = ["", "FLOPs gone", "seeds", ...budgets.map((steps) => `${steps} steps`)];
    tables.push(`${title} (original: ${original.toFixed(2)} %)\n\n${table(head, [...body, ...against])}`);
  }
  console.log(`\n${tables.join("\n\n")}`);
  return { result: { rows, goals }, versions: Object.assign({}, ...all.map(({ versions }) => versions)) };
}

type Found = readonly { readonly way: Way; readonly own: readonly CurveSeries[] }[];

/** The peer with the highest mean there: the hardest to beat. */
function bestPeer(found: Found, steps: number): Found[number] | undefined {
  return found
    .filter(({ way, own }) => "scope" in way && meanAt(own, steps) !== undefined)
    .sort((a, b) => meanAt(b.own, steps)! - meanAt(a.own, steps)!)[0];
}

/** "+0.31 [0.12, 0.50]", with a mark where noise does not explain it. */
function differenceWords(difference: Difference): string {
  const { mean, low, high } = difference;
  const sign = (value: number) => `${value > 0 ? "+" : ""}${value.toFixed(2)}`;
  return `${sign(mean)} [${sign(low)}, ${sign(high)}]${verdictOf(difference) === "equal" ? "" : " *"}`;
}

function rightAt({ points }: CurveSeries, steps: number): Uint8Array | undefined {
  const point = points.find((one) => one.steps === steps);
  return point && unpacked(point.right);
}

function meanAt(own: readonly CurveSeries[], steps: number): number | undefined {
  const values = own.flatMap((one) => {
    const right = rightAt(one, steps);
    return right ? [shareOf(right)] : [];
  });
  return values.length === 0 ? undefined : values.reduce((sum, value) => sum + value, 0) / values.length;
}

/** Over the seeds that both have; undefined where there are none. */
function differenceAt(a: readonly CurveSeries[], b: readonly CurveSeries[], steps: number): Difference | undefined {
  const pairs = a.flatMap((one) => {
    const other = b.find(({ seed }) => seed === one.seed);
    const [left, right] = [rightAt(one, steps), other && rightAt(other, steps)];
    return left && right ? [[left, right] as const] : [];
  });
  if (pairs.length === 0) return undefined;
  return pairedDifference(
    pairs.map(([left]) => left),
    pairs.map(([, right]) => right),
  );
}

/** The bits of a point as ones and zeros; 10,000 fill their bytes. */
function unpacked(text: string): Uint8Array {
  const bytes = Buffer.from(text, "base64");
  return Uint8Array.from({ length: 8 * bytes.length }, (_, at) => (bytes[at >> 3]! >> (at & 7)) & 1);
}
