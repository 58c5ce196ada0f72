import { roundsForFamily } from "../compare/decide.js";
import { certifiedCounts } from "../compare/distribution.js";
import { requestValue } from "../metrics-table.js";
import { percent } from "../percent.js";
import { costOf, type TokenRates } from "./cost.js";
import type { ClientLimit, Match } from "./matches.js";
import { pointName } from "./points.js";
import type { RequestRecord } from "./record.js";
import type { EndpointBenchResult, EndpointWarning } from "./result.js";
import type { Slice } from "./slices.js";

interface Measured {
  readonly stopped: string | null;
  readonly clientLimits: readonly ClientLimit[];
  readonly matches: readonly Match[];
  readonly slice: (target: string, point: number) => Slice;
  readonly rates: Readonly<Record<string, TokenRates>>;
}

type Result = Omit<EndpointBenchResult, "warnings" | "raw">;
type Add = (code: EndpointWarning["code"], message: string) => void;

/** What limits a result, each with its remedy; the same thing of several loads is said once, of the first. */
export function warningsOf(result: Result, measured: Measured): readonly EndpointWarning[] {
  const warnings = new Map<string, EndpointWarning>();
  const add: Add = (code, message) => {
    if (!warnings.has(message)) warnings.set(message, { code, message });
  };
  if (measured.stopped !== null) {
    add("stopped", `the run ended early: ${measured.stopped}; what was measured until then is kept`);
  }
  for (const { target, point, why } of measured.clientLimits) {
    const where = `${target} at ${pointName(result.points[point]!)}`;
    add(
      "client-limited",
      `${where}: this machine set the pace, not the server (${why}); lower the load or free the machine`,
    );
  }
  ofRounds(result, measured.matches, add);
  for (const match of measured.matches) {
    if (match.errorsDiffer) add("errors-differ", `${match.moreErrors}; see to the errors before you trust its speed`);
    for (const { code, message } of match.differences) add(code, message);
  }
  for (const { label } of result.targets) {
    const slices = result.points.map((_, point) => measured.slice(label, point));
    ofAnswers(
      label,
      slices.flatMap(({ succeeded }) => succeeded),
      add,
    );
    ofRequests(label, result, slices, add);
    const rates = measured.rates[label];
    const cost =
      rates &&
      costOf(
        slices.flatMap(({ counted }) => counted),
        rates,
      );
    if (cost?.cachedUnknown) {
      add(
        "no-usage",
        `${label} does not say how much of its input was cached: its cost counts all of it as not cached`,
      );
    }
  }
  for (const { target, point, why } of result.saturation ?? []) {
    add(
      "saturated",
      `${target} is saturated from ${pointName(result.points[point]!)} on: ${why}; times beyond it are those of its queue`,
    );
  }
  return [...warnings.values()];
}

function ofRounds({ comparisons, settings, noiseFloor }: Result, matches: readonly Match[], add: Add): void {
  if (matches.length === 0) return;
  const gated = comparisons.filter((comparison) => comparison.gated);
  const rounds = Math.min(
    settings.rounds,
    ...gated.filter((one) => one.verdict !== "missing").map((one) => one.rounds),
  );
  const needed = roundsForFamily(gated.filter(({ pValue }) => pValue !== null).length, settings.confidence);
  if (rounds < roundsForFamily(1, settings.confidence)) {
    add(
      "few-rounds",
      `${rounds} rounds are too few for an interval, so there is no verdict; use --rounds ${needed} or more`,
    );
  } else if (rounds < needed) {
    add(
      "few-rounds",
      `${rounds} rounds cannot show that one of ${gated.length} gated comparisons is worse (Holm); use --rounds ${needed} or more`,
    );
  }
  if (noiseFloor === null) return;
  const wide = Object.entries(noiseFloor).filter(([name, floor]) => floor > settings.tolerance && isGated(name, gated));
  if (wide.length > 0) {
    const list = wide.map(([name, floor]) => `${name} ${percent(floor)}`).join(", ");
    add(
      "noise-floor",
      `the baseline differs from itself by more than the tolerance of ${percent(settings.tolerance)} (${list}), so no gate ` +
        "can be that tight; add rounds, free the machine, or raise the tolerance",
    );
  }
}

function isGated(name: string, gated: Result["comparisons"]): boolean {
  return gated.some(({ metric, statistic }) => name === `${metric} ${statistic}`);
}

/** What the answers of a target are like. */
function ofAnswers(label: string, succeeded: readonly RequestRecord[], add: Add): void {
  const share = (is: (record: RequestRecord) => boolean) =>
    succeeded.length === 0 ? 0 : succeeded.filter(is).length / succeeded.length;
  const buffered = share(isBuffered);
  if (buffered > 0.5) {
    add(
      "not-streaming",
      `${label} sends most of each answer at its end (${percent(buffered)} of requests): TTFT and TPOT are those of a ` +
        "buffer; look for a proxy that collects answers",
    );
  }
  const several = share((record) => (requestValue("tokens_per_chunk", record) ?? 1) > 1.05);
  if (several > 0.5) {
    add("several-tokens-a-chunk", `${label} sends several tokens a chunk: ITL is between chunks; compare TPOT`);
  }
  const uncounted = share(({ tokenSource }) => tokenSource === "events");
  if (uncounted > 0) {
    add(
      "no-usage",
      `${label} gives no usage for ${percent(uncounted)} of its answers: their tokens are counted as chunks; use --tokenizer`,
    );
  }
  const disagreeing = succeeded.filter(({ tokenSource, usage, outputTokens }) => {
    const server = tokenSource === "tokenizer" ? usage?.output : undefined;
    return server != null && outputTokens !== null && Math.abs(outputTokens - server) > 0.02 * server;
  }).length;
  if (disagreeing > succeeded.length * 0.1) {
    add(
      "tokens-disagree",
      `${label}: the tokenizer and the server's usage differ by over 2 % in ${disagreeing} of ${succeeded.length} answers; ` +
        "it may be another model's",
    );
  }
}

/** Server buffers and flushes: nearly all time before the first token, or half of the events in the last 5 % of the time. */
function isBuffered(record: RequestRecord): boolean {
  const { sent, firstToken, lastToken, events, outputTokens } = record;
  if (firstToken === null || lastToken === null || (outputTokens ?? 0) <= 20 || lastToken <= sent) return false;
  if ((firstToken - sent) / (lastToken - sent) > 0.9) return true;
  if (events === null || events.length < 3) return false;
  const late = lastToken - 0.05 * (lastToken - sent);
  return events.filter((time) => time > late).length > events.length / 2;
}

/** What happened to the requests to a target. */
function ofRequests(label: string, result: Result, slices: readonly Slice[], add: Add): void {
  const own = result.summaries.filter(({ target }) => target === label);
  const retries = own.reduce((sum, summary) => sum + summary.retries, 0);
  if (retries > 0) {
    add("retries", `${label}: ${retries} retries; times count from the last attempt, errors from the outcome`);
  }
  for (const { point, achievedRate, warmUpRequests, requests, metrics } of own) {
    const where = `${label} at ${pointName(result.points[point]!)}`;
    if (achievedRate !== null && achievedRate < 0.98) {
      add(
        "rate-not-reached",
        `${where}: only ${percent(achievedRate)} of the rate was reached; lower --rate or raise the limit on concurrency`,
      );
    }
    if (warmUpRequests > requests) {
      add(
        "warm-up",
        `${where}: more requests went into the warm-up (${warmUpRequests}) than count (${requests}); measure longer`,
      );
    }
    const count = metrics.e2e?.count ?? 0;
    if (count > 0 && count < certifiedCounts.p95) {
      add(
        "few-samples",
        `${where}: p95 needs ${certifiedCounts.p95} requests and there are ${count}, so it is not shown; measure longer`,
      );
    }
  }
  if (slices.some(({ records, counted }) => records.length > 0 && counted.length === 0)) {
    add("warm-up", `${label}: under some load no request counts, all were warm-up or cut off; measure longer`);
  }
}
