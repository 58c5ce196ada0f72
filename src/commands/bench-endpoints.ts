import { randomBytes } from "node:crypto";
import type { Decision } from "../bench/compare/result.js";
import type { LoadPoint } from "../bench/endpoints/record.js";
import type { EndpointBenchResult, EndpointSettings, ShownTarget } from "../bench/endpoints/result.js";
import type { LoadPlan, LoadTarget, LoadTools, SweptRun } from "../bench/endpoints/run-load.js";
import type { Sender } from "../bench/endpoints/sender.js";
import { type SweepSettings, usualSweep } from "../bench/endpoints/sweep.js";
import type { RequestLimits, Target } from "../bench/endpoints/target.js";
import type { Workload } from "../bench/workload/workload.js";
import type { Host, Options } from "../cli.js";
import { UserError } from "../errors.js";
import { shownBody, shownUrl, targetsOf } from "./bench-targets.js";
import { cpuSeconds } from "./process-clocks.js";
import { startProgress } from "./progress.js";

/** Bytes of one answer at most. */
const mostBytes = 64 * 2 ** 20;
/** Requests of each endpoint under each load, where nothing is said: so many, or so many for each user. */
const usualRequests = 120;
const usualRequestsPerUser = 24;
/** So many that each of several gated comparisons can be shown to be worse (Holm). */
const usualRounds = 10;
/** Of a sweep, which has many loads: rounds, and seconds of each endpoint under each load. */
const usualSweepRounds = 6;
const usualSweepSeconds = 18;

/** What a run of endpoints came to. */
export interface EndpointRunResult {
  readonly result: EndpointBenchResult;
  readonly interrupted: boolean;
  /** Whether any request of any endpoint succeeded. */
  readonly answered: boolean;
}

/**
 * Measures endpoints under load. Everything that can be wrong is found before the first request; `stop` ends the run,
 * which keeps what was measured.
 */
export async function benchEndpoints(host: Host, options: Options, stop: AbortSignal): Promise<EndpointRunResult> {
  const { parseGate } = await import("../bench/compare/gates.js");
  const { parseSlo } = await import("../bench/endpoints/slo.js");
  const { systemClock } = await import("../bench/endpoints/clock.js");
  const { startMeter } = await import("../bench/endpoints/client-load.js");
  const { clientLimits } = await import("../bench/endpoints/client-verdict.js");
  const { createSender } = await import("../bench/endpoints/sender-create.js");
  const { summariseEndpoints } = await import("../bench/endpoints/summarise.js");
  const { environmentOf } = await import("./bench-environment.js");
  const { ratesOf } = await import("./bench-prices.js");
  const { tokenCounter, workloadOf } = await import("./bench-workload.js");

  const targets = targetsOf(host, options);
  const gates = (options["gate"] as readonly string[] | undefined) ?? [];
  for (const gate of gates) parseGate(gate, "endpoints");
  const slo = options["slo"] === undefined ? {} : parseSlo(options["slo"] as string);
  const countTokens = await tokenCounter(host, options["tokenizer"] as string | undefined);
  const workload = await workloadOf(host, options, countTokens);
  const points = pointsOf(options, workload);
  const settings = settingsOf(options, points, gates, slo);
  const plan = planOf(options, settings, points);
  const { rates, prices } = await ratesOf(host, options, targets);

  const environment = await environmentOf();
  const started = new Date().toISOString();
  const clock = systemClock();
  const all = settings.control ? [...targets, { ...targets[0]!, label: `${targets[0]!.label} (control)` }] : targets;
  const limits = limitsOf(options);
  const senders = all.map((target) =>
    createSender(target, limits, clock, countTokens === undefined ? {} : { countTokens }),
  );
  try {
    for (const [at, target] of targets.entries()) await checkAnswers(target, senders[at]!, workload, stop);
    const { run, saturation } = await measure(host, all, senders, workload, plan, slo, {
      clock,
      startMeter: () => startMeter(cpuSeconds),
      stop,
    });
    const result = summariseEndpoints(run, {
      started,
      environment,
      settings,
      targets: all.map((target, at) => shownTarget(target, at, targets.length)),
      workload: workload.summary,
      prices,
      saturation,
      rates,
      clientLimits: clientLimits(run),
    });
    return {
      result,
      interrupted: stop.aborted,
      answered: run.records.some(({ error }) => error === null),
    };
  } finally {
    for (const sender of senders) sender.close();
  }
}

async function measure(
  host: Host,
  targets: readonly Target[],
  senders: readonly Sender[],
  workload: Workload,
  { plan, sweep }: Plan,
  slo: EndpointSettings["slo"],
  tools: Omit<LoadTools, "progress">,
): Promise<Pick<SweptRun, "run"> & { readonly saturation: EndpointBenchResult["saturation"] }> {
  const { runLoad, runSweep } = await import("../bench/endpoints/run-load.js");
  const progress = startProgress(host, "measuring", "blocks");
  let shownAt = 0;
  try {
    const loaded = targets.map(({ label, protocol }, at): LoadTarget => ({ label, protocol, sender: senders[at]! }));
    const shown: LoadTools = {
      ...tools,
      progress({ done, total }) {
        // showing it must not load what is measured
        const now = performance.now();
        if (now - shownAt < 250) return;
        shownAt = now;
        progress.update(Number(done.toFixed(1)), total);
      },
    };
    if (sweep === null) return { run: await runLoad(loaded, workload, plan, shown), saturation: null };
    const { run, saturation } = await runSweep(loaded, workload, plan, sweep, slo, shown);
    return { run, saturation: [...saturation] };
  } finally {
    progress.stop();
  }
}

/** Small requests to an endpoint that may fail by chance, before it is given up. */
const mostChecks = 3;

/** One small request to each endpoint: whoever cannot answer it cannot be measured. */
async function checkAnswers(target: Target, sender: Sender, workload: Workload, stop: AbortSignal): Promise<void> {
  const { promptOf } = await import("../bench/workload/workload.js");
  const prompt = promptOf(workload.conversation(0, -1), 0, [], "");
  const longest = prompt.parameters["max_tokens"];
  const few = typeof longest === "number" ? Math.min(longest, 16) : 16;
  const small = { ...prompt, parameters: { ...prompt.parameters, max_tokens: few } };
  // what may pass is left to the run, which counts it
  const passing = ["rate-limited", "http-5xx", "cancelled", "empty", "timeout", "stalled"];
  const torn = ["reset", "in-stream", "malformed-sse", "malformed-http", "invalid-json", "truncated"];
  for (let left = mostChecks; ; left--) {
    const { error } = await sender.send(small, stop);
    if (error === null || passing.includes(error.kind)) return;
    if (left > 1 && torn.includes(error.kind)) continue;
    throw new UserError(`--endpoint ${target.label} (${shownUrl(target.url)}): ${error.kind}: ${error.message}`);
  }
}

function pointsOf(options: Options, workload: Workload): readonly LoadPoint[] {
  const users = options["concurrency"] as readonly number[] | undefined;
  const rates = options["rate"] as readonly number[] | undefined;
  const maxConcurrency = (options["maxConcurrency"] as number | undefined) ?? null;
  if (users && rates) throw new UserError("--concurrency and --rate: give one of them; a load is closed or open");
  const arrival = options["arrival"] as "constant" | "poisson" | "gamma";
  const shape = options["burstiness"] as number | undefined;
  if (!rates && arrival !== "poisson") throw new UserError(`--arrival ${arrival}: is for --rate`);
  if (shape !== undefined && arrival !== "gamma") throw new UserError("--burstiness: is for --arrival gamma");
  if (workload.arrivals !== null) {
    if (users || rates)
      throw new UserError("--trace: leave --concurrency and --rate out; the trace says when requests come");
    const span = Math.max(1e-3, workload.arrivals.at(-1)! - workload.arrivals[0]!);
    const rate = workload.arrivals.length / span;
    return [{ kind: "open", rate, arrival: "trace", burstiness: null, maxConcurrency }];
  }
  if (!rates && maxConcurrency !== null)
    throw new UserError("--max-concurrency: is for --rate; users are --concurrency");
  if (rates) {
    const burstiness = arrival === "gamma" ? (shape ?? 0.5) : null;
    return rates.map((rate) => ({ kind: "open", rate, arrival, burstiness, maxConcurrency }));
  }
  return (users ?? [1]).map((concurrency) => ({ kind: "closed", concurrency }));
}

function settingsOf(
  options: Options,
  points: readonly LoadPoint[],
  gates: readonly string[],
  slo: EndpointSettings["slo"],
): EndpointSettings {
  const given = options["requests"] as number | undefined;
  // so many requests would be too few for the highest loads of a sweep
  const usual = options["sweep"] && given === undefined ? usualSweepSeconds : null;
  const seconds = (options["duration"] as number | undefined) ?? usual;
  if (seconds !== null && given !== undefined) throw new UserError("--duration and --requests: give one of them");
  const users = Math.max(...points.map((point) => (point.kind === "closed" ? point.concurrency : 1)));
  const rounds = (options["rounds"] as number | undefined) ?? (options["sweep"] ? usualSweepRounds : usualRounds);
  const requests = seconds === null ? (given ?? Math.max(usualRequests, usualRequestsPerUser * users)) : null;
  if (requests !== null && requests < rounds) {
    throw new UserError(`--requests ${requests}: are fewer than the ${rounds} rounds they are spread over (--rounds)`);
  }
  return {
    rounds,
    seconds,
    // each round has the same number
    requests: requests && rounds * Math.ceil(requests / rounds),
    tolerance: options["tolerance"] as number,
    confidence: options["confidence"] as number,
    seed: options["seed"] as number,
    control: options["control"] === true,
    inconclusiveFails: options["inconclusive"] === "fail",
    slo,
    gates,
  };
}

/** What is measured, and how the loads of a sweep follow from each other; null where they are given. */
interface Plan {
  readonly plan: LoadPlan;
  readonly sweep: SweepSettings | null;
}

function planOf(options: Options, settings: EndpointSettings, points: readonly LoadPoint[]): Plan {
  const { rounds, seconds, requests, seed } = settings;
  const [start, ...more] = points;
  const sweeps = options["sweep"] === true;
  if (sweeps && (more.length > 0 || (start!.kind === "open" && start!.arrival === "trace"))) {
    throw new UserError("--sweep: finds the loads itself; give one --concurrency or --rate at most, to start with");
  }
  const plan = {
    points,
    rounds,
    block: seconds === null ? { requests: Math.ceil(requests! / rounds) } : { seconds: seconds / rounds },
    seed,
    warmUp: options["warmUp"] !== false,
    rampSeconds: (options["ramp"] as number | undefined) ?? 0,
    drainSeconds: options["timeout"] as number,
    totalSeconds: (options["maxTime"] as number | undefined) ?? null,
    salt: options["allowCache"] ? null : randomBytes(8).toString("hex"),
  };
  return { plan, sweep: sweeps ? { ...usualSweep, start: start! } : null };
}

function limitsOf(options: Options): RequestLimits {
  return {
    connectSeconds: options["connectTimeout"] as number,
    totalSeconds: options["timeout"] as number,
    idleSeconds: options["idleTimeout"] as number,
    bytes: mostBytes,
    retries: options["retries"] as number,
  };
}

function shownTarget({ key, headers, url, body, ...target }: Target, at: number, own: number): ShownTarget {
  const role = at === 0 ? "baseline" : at < own ? "candidate" : "control";
  const shown = { url: shownUrl(url), body: shownBody(body) };
  return { ...target, ...shown, role, authorized: key !== undefined, headers: Object.keys(headers) };
}

/** Whether CI is told that it failed. */
export function failsVerdict(verdict: Decision, inconclusiveFails: boolean): boolean {
  return verdict === "FAIL" || (verdict === "INCONCLUSIVE" && inconclusiveFails);
}
