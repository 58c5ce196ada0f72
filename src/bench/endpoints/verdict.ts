import { overall } from "../compare/decide.js";
import type { GateResult, MetricComparison } from "../compare/result.js";
import { metrics } from "../metrics-table.js";
import type { EndpointBenchResult } from "./result.js";

/** The decision on everything that is gated, and why it is no PASS. `answered`: whether any request succeeded; `limited`: whether the client was the limit. */
export function verdictOf(
  comparisons: readonly MetricComparison[],
  gates: readonly GateResult[],
  answered: boolean,
  limited: boolean,
): Pick<EndpointBenchResult, "verdict" | "reasons"> {
  const gated = comparisons.filter((comparison) => comparison.gated);
  const verdict = overall([...gated, ...gates].map(({ decision }) => decision));
  if (gated.length + gates.length === 0 && !answered) {
    return { verdict: "INCONCLUSIVE", reasons: ["no request succeeded, so nothing was measured"] };
  }
  if (gated.length + gates.length === 0 && limited) {
    return { verdict: "INCONCLUSIVE", reasons: ["this machine set the pace, not the server: see the warnings"] };
  }
  if (gated.length + gates.length === 0) return { verdict, reasons: ["nothing is compared and no gate is set"] };
  const reasons = [
    ...gated
      .filter(({ decision }) => decision !== "PASS")
      .map((one) => `${one.candidate}, ${one.point}: ${reasonOf(one)}`),
    ...gates
      .filter(({ decision }) => decision !== "PASS")
      .map(({ text, target, point, why }) => `${target}, ${point}: gate ${text}: ${why}`),
  ];
  return { verdict, reasons };
}

/** Why a comparison does not pass, in one line. */
function reasonOf({ metric, statistic, estimate, scale, verdict, reasons, more }: MetricComparison): string {
  const name = `${metrics[metric].title}${statistic === "value" ? "" : ` ${statistic}`}`;
  const words: Readonly<Partial<Record<typeof verdict, string>>> = { slower: "worse", missing: "no data" };
  const size = estimate === null ? "" : scale === "ratio" ? ` ${estimate.toFixed(3)}x` : ` ${inPoints(estimate)}`;
  const why = [...reasons];
  if (more) {
    const pairs = more.pairs > 0 ? ` (${count(more.pairs, "pair")})` : "";
    why.push(`about ${count(more.rounds, "more round")}${pairs} would decide`);
  } else if (verdict === "inconclusive" && reasons.length === 0) {
    why.push("too close to the tolerance for more rounds to help");
  }
  return `${name} ${words[verdict] ?? verdict}${size}${why.length > 0 ? `: ${why.join("; ")}` : ""}`;
}

const inPoints = (share: number) => `${share < 0 ? "-" : "+"}${(Math.abs(share) * 100).toFixed(2)} points`;
const count = (number: number, word: string) => `${number} ${word}${number === 1 ? "" : "s"}`;
