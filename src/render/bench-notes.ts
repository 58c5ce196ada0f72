import type { EndpointBenchResult, ShownTarget } from "../bench/endpoints/result.js";
import type { MetricId } from "../bench/metrics.js";
import { formatMetric, isNumber, statisticOf, titleOf } from "./metric-words.js";
import { formatCount, formatNumberOf, formatPercent } from "./quantities.js";

/** The measuring process itself, at its busiest. */
export function clientLine({ raw }: EndpointBenchResult): string | undefined {
  const most = (pick: (client: (typeof raw.blocks)[number]["client"]) => number | null | undefined) => {
    const values = raw.blocks.map(({ client }) => pick(client)).filter(isNumber);
    return values.length > 0 ? values.reduce((a, b) => Math.max(a, b)) : undefined;
  };
  const [cpu, loop, lag] = [most(({ cpu }) => cpu), most(({ eventLoop }) => eventLoop), most(({ lag }) => lag.p99)];
  if (cpu === undefined || loop === undefined) return undefined;
  const delay = most(({ sendDelay }) => sendDelay?.p99);
  return [
    `the client itself, in its busiest block: ${formatPercent(cpu)} of a core`,
    `event loop ${formatPercent(loop)} busy`,
    ...(lag === undefined ? [] : [`timers late by ${formatMetric("ttft", lag)} (p99)`]),
    ...(delay === undefined ? [] : [`sent late by ${formatMetric("ttft", delay)} (p99)`]),
  ].join(", ");
}

/** Limits of --slo in one line: what goodput counts. */
function goodputLine({ settings }: EndpointBenchResult): string | undefined {
  const limits = (Object.entries(settings.slo) as [MetricId, number][]).map(
    ([id, value]) => `${titleOf(id)} ${"<="} ${formatMetric(id, value)}`,
  );
  return limits.length > 0 ? `goodput: requests with ${limits.join(" and ")}` : undefined;
}

/** Numbers of `--control`, of what decides: what this place cannot tell apart. */
function noiseLine({ noiseFloor, comparisons }: EndpointBenchResult): string | undefined {
  const parts = new Map<string, string>();
  for (const one of comparisons) {
    const floor = noiseFloor?.[`${one.metric} ${one.statistic}`] ?? noiseFloor?.[one.metric];
    if (!one.gated || floor === undefined) continue;
    const size = one.scale === "ratio" ? formatPercent : (share: number) => `${(share * 100).toFixed(1)} points`;
    parts.set(statisticOf(one), isNumber(floor) ? size(floor) : "unknown");
  }
  if (parts.size === 0) return undefined;
  return `noise floor (baseline against itself): ${[...parts].map(([name, size]) => `${name} ${size}`).join(", ")}`;
}

/** What was measured, how, and where. */
export function headLines(result: EndpointBenchResult): readonly string[] {
  const { targets, workload, settings, environment, started } = result;
  const each = settings.requests !== null ? formatNumberOf(settings.requests, "request") : `${settings.seconds ?? 0} s`;
  const { cpu, cores, loadAverage, platform, node } = environment;
  const load = loadAverage === null ? "" : `, load average ${loadAverage.toFixed(1)}`;
  return [
    ...targets.map(targetLine),
    `workload: ${workload.source}, ${formatNumberOf(workload.prompts, "prompt")}${workload.turns > 1 ? ` of ${workload.turns} turns` : ""}, ` +
      `seed ${workload.seed}, ${workload.uniquePrefixes ? "each with a beginning of its own" : "beginnings shared"}, sha256 ${workload.sha256.slice(0, 12)}`,
    `${each} for each target and load, cut into ${formatNumberOf(settings.rounds, "round")} in which the targets take turns; started ${started}`,
    `from ${cpu}, ${formatNumberOf(cores, "core")}${load}; ${platform}, Node.js ${node}`,
  ];
}

function targetLine({ label, role, url, model, protocol, stream, body }: ShownTarget): string {
  const extra = Object.keys(body).length > 0 ? `, ${JSON.stringify(body)}` : "";
  const named = label.endsWith(`(${role})`) ? label : `${label} (${role})`;
  return `${named}: ${model} at ${url}, ${protocol}, ${stream ? "streaming" : "not streaming"}${extra}`;
}

/** What the numbers are; with the formulas of some metrics or all. */
export function footLines(result: EndpointBenchResult, ids?: readonly MetricId[]): readonly string[] {
  const { formulas, comparisons, prices, settings, summaries } = result;
  const sources = [...new Set(summaries.flatMap(({ tokenSource }) => tokenSource ?? []))];
  const words = {
    usage: "the server's usage",
    tokenizer: "a tokenizer",
    events: "events, each as one",
    mixed: "several sources",
  };
  const coverage = comparisons.find(({ interval }) => interval)?.interval?.coverage ?? settings.confidence;
  const lines = [
    goodputLine(result),
    noiseLine(result),
    sources.length > 0 ? `tokens counted by ${sources.map((source) => words[source]).join(", ")}` : undefined,
    ...(prices ?? []).map(({ target, source, date }) => `prices of ${target}: ${source}, ${date}`),
    ...(Object.entries(formulas) as [MetricId, string][])
      .filter(([id]) => ids?.includes(id) ?? true)
      .map(([id, formula]) => `${titleOf(id)}: ${formula}`),
    `percentiles: type 7, of requests that succeeded; p90, p95, p99 and p99.9 need ${[64, 130, 662, 6636].map(formatCount).join(", ")} values`,
    comparisons.length > 0
      ? `ratio: candidate / baseline of the same prompts, with its ${formatPercent(coverage, false, 0)} interval; ~: no difference to be seen`
      : undefined,
  ];
  return lines.filter((line) => line !== undefined);
}
