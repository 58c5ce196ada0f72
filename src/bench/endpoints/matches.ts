import { decide } from "../compare/decide.js";
import { type Evidence, nameOf } from "../compare/evidence.js";
import { percent } from "../percent.js";
import { type Difference, differencesOf, moreErrors } from "./comparable.js";
import { evidenceOf } from "./compare-targets.js";
import type { TokenRates } from "./cost.js";
import type { GateMatch } from "./gate-data.js";
import { pointName } from "./points.js";
import type { EndpointRun } from "./record.js";
import type { EndpointBenchResult } from "./result.js";
import type { Slice } from "./slices.js";

/** That the client, not the server, decided what was measured of a target under a load. */
export interface ClientLimit {
  readonly target: string;
  /** Index in `EndpointRun.points`. */
  readonly point: number;
  readonly why: string;
}

/** What a result says beside what was measured. */
export interface EndpointContext
  extends Pick<
    EndpointBenchResult,
    "started" | "environment" | "settings" | "targets" | "workload" | "prices" | "saturation"
  > {
  /** By label of the target; what has no rates has no cost. */
  readonly rates: Readonly<Record<string, TokenRates>>;
  readonly clientLimits: readonly ClientLimit[];
  /**
   * Whether TTFT, TPOT, E2E and the error rate against the baseline decide, beside the gates of the settings. Default
   * true.
   */
  readonly defaultGates?: boolean;
}

/** One candidate (or the control) against the baseline under one load. */
export interface Match {
  readonly candidate: Slice;
  readonly baseline: Slice;
  readonly point: string;
  readonly control: boolean;
  readonly rates: GateMatch["rates"];
  /** Why the client makes all of it worth nothing. */
  readonly limits: readonly string[];
  readonly differences: readonly Difference[];
  /** That the candidate failed more often than the baseline, in words. */
  readonly moreErrors: string | null;
  /** Whether it may have failed more often than is tolerated. */
  readonly errorsDiffer: boolean;
  readonly evidence: readonly Evidence[];
}

/** Every target but the baseline against the baseline, under every load. */
export function matchesOf(
  run: EndpointRun,
  context: EndpointContext,
  slice: (target: string, point: number) => Slice,
): readonly Match[] {
  const { settings, targets, rates, defaultGates = true } = context;
  const base = targets.find(({ role }) => role === "baseline");
  if (!base) return [];
  return run.points.flatMap((load, point) =>
    targets
      .filter(({ role }) => role !== "baseline")
      .map(({ label, role, stream }): Match => {
        const candidate = slice(label, point);
        const baseline = slice(base.label, point);
        const differences = differencesOf(candidate, baseline, settings.tolerance);
        const limits = limitsOf(context, point, [label, base.label]);
        const own = { candidate: rates[label], baseline: rates[base.label] };
        const evidence = evidenceOf(candidate, baseline, {
          point: pointName(load),
          open: load.kind === "open",
          tolerance: settings.tolerance,
          slo: settings.slo,
          rates: own,
          gated: role === "candidate" && defaultGates,
          oneStreams: stream !== base.stream,
        });
        const more = moreErrors(candidate, baseline);
        const unreached = run.stopped !== null && [candidate, baseline].some(isUnreached);
        const failing = decide(
          evidence.filter(({ metric }) => metric === "error_rate"),
          settings.confidence,
        );
        return {
          candidate,
          baseline,
          point: pointName(load),
          control: role === "control",
          rates: own,
          limits,
          differences,
          moreErrors: more,
          errorsDiffer: more !== null && failing.some(({ decision }) => decision !== "PASS"),
          evidence: evidence.map((one) => ({
            ...one,
            unreached,
            doubts: [
              ...limits,
              ...differences.filter(({ affects }) => affects(one.metric)).map(({ message }) => message),
            ],
          })),
        };
      }),
  );
}

/** Whether a run ended before a target counted for anything, though it answered whatever it was asked. */
function isUnreached({ counted, records }: Slice): boolean {
  return counted.length === 0 && records.every(({ error }) => error === null || error.kind === "cancelled");
}

/** The evidence of a candidate with what errors and the noise floor keep it from. */
export function withFloors(match: Match, floors: Readonly<Record<string, number>> | null): readonly Evidence[] {
  return match.evidence.map((one): Evidence => {
    if (one.metric === "error_rate") return one;
    const noWin = match.moreErrors === null ? [] : [match.moreErrors];
    const noPass = match.errorsDiffer ? noWin : [];
    if (floors === null || one.better === "neither") return { ...one, noWin, noPass };
    const floor = floors[nameOf(one)];
    if (floor === undefined) {
      return { ...one, noWin, noPass: [...noPass, "the noise floor of this metric could not be measured"] };
    }
    if (floor <= one.tolerance) return { ...one, noWin, noPass };
    const reason =
      `the tolerance of ${percent(one.tolerance)} is tighter than the noise floor of ${percent(floor)}, which takes its ` +
      "place; add rounds, or raise the tolerance";
    return { ...one, tolerance: floor, noWin, noPass: [...noPass, reason] };
  });
}

/** What gates are held against: the candidates, or the only target there is. */
export function gateMatches(
  run: EndpointRun,
  context: EndpointContext,
  slice: (target: string, point: number) => Slice,
  candidates: readonly Match[],
): readonly GateMatch[] {
  if (candidates.length > 0) {
    return candidates.map(({ limits, differences, errorsDiffer, moreErrors: more, ...match }) => ({
      ...match,
      doubts: limits,
      relativeDoubts: (metric) => [
        ...differences.filter(({ affects }) => affects(metric)).map(({ message }) => message),
        ...(errorsDiffer && metric !== "error_rate" ? [more!] : []),
      ],
    }));
  }
  return run.points.flatMap((load, point) =>
    context.targets.slice(0, 1).map(
      ({ label }): GateMatch => ({
        candidate: slice(label, point),
        baseline: null,
        point: pointName(load),
        rates: { candidate: context.rates[label], baseline: undefined },
        doubts: limitsOf(context, point, [label]),
        relativeDoubts: () => [],
      }),
    ),
  );
}

function limitsOf({ clientLimits }: EndpointContext, point: number, labels: readonly string[]): readonly string[] {
  return clientLimits
    .filter((limit) => limit.point === point && labels.includes(limit.target))
    .map(({ target, why }) => `the client, not ${target}, set the pace: ${why}`);
}
