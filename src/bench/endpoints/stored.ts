import { UserError } from "../../errors.js";
import type { Environment } from "../environment.js";
import type { EndpointContext } from "./matches.js";
import { pointName } from "./points.js";
import type { Block, EndpointRun, RequestRecord } from "./record.js";
import type { EndpointBenchResult, EndpointSettings, EndpointWarning, ShownTarget } from "./result.js";
import { matchedPoints } from "./stored-points.js";
import { summariseEndpoints } from "./summarise.js";

/** How stored runs are compared. */
export interface StoredOptions
  extends Pick<EndpointSettings, "tolerance" | "confidence" | "seed" | "inconclusiveFails" | "gates"> {
  /** What messages call the two, usually their files. */
  readonly names: { readonly old: string; readonly new: string };
  /** Whether runs on other machines may be compared. */
  readonly otherMachine: boolean;
  /** Whether runs of other prompts may be compared. */
  readonly otherWorkload: boolean;
  /** Labels of the targets to compare; where left out, see `pickTargets`. */
  readonly targets?: { readonly old?: string; readonly new?: string };
  readonly rates?: EndpointContext["rates"];
}

/**
 * Compares a target of a stored run with one of another that was measured before it: the old one is the baseline. Rounds
 * are compared in order and requests by prompt, but nothing takes out what changed between the two times, which the
 * result says. Throws a UserError where machines or workloads differ and that was not allowed, and where no load is the same.
 */
export function compareStored(
  old: EndpointBenchResult,
  current: EndpointBenchResult,
  options: StoredOptions,
): EndpointBenchResult {
  const { names } = options;
  const machine = differencesOfMachines(old.environment, current.environment);
  if (machine.length > 0 && !options.otherMachine) {
    throw new UserError(
      `${names.new} was measured on another machine than ${names.old} (${machine.join("; ")}); ` +
        "measure both on one, or allow it with --any-environment",
    );
  }
  const sameWorkload = old.workload.sha256 === current.workload.sha256;
  if (!sameWorkload && !options.otherWorkload) {
    throw new UserError(
      `${names.new} sent other prompts than ${names.old} (${current.workload.source}; ${old.workload.source}); ` +
        "measure both with the same ones, or allow it with --any-workload",
    );
  }
  const { baseline, candidate } = pickTargets(old, current, options);
  const points = matchedPoints(old.points, current.points);
  if (points.length === 0) {
    throw new UserError(
      `${names.old} and ${names.new} have no load in common; give both the same --concurrency or --rate`,
    );
  }
  const [first, second] = labelsOf(baseline.label, candidate.label);
  const sides = [
    relabelled(old, baseline.label, first, new Map(points.map(([from], at) => [from, at]))),
    relabelled(current, candidate.label, second, new Map(points.map(([, from], at) => [from, at]))),
  ];
  const run: EndpointRun = {
    points: points.map(([, at]) => current.points[at]!),
    blocks: sides.flatMap(({ blocks }) => blocks),
    records: sides.flatMap(({ records }) => records),
    stopped: null,
  };
  const { tolerance, confidence, seed, inconclusiveFails, gates } = options;
  const result = summariseEndpoints(run, {
    started: current.started,
    environment: current.environment,
    settings: {
      ...current.settings,
      rounds: Math.min(old.settings.rounds, current.settings.rounds),
      tolerance,
      confidence,
      seed,
      inconclusiveFails,
      gates,
      control: false,
    },
    targets: [
      { ...baseline, label: first, role: "baseline" },
      { ...candidate, label: second, role: "candidate" },
    ],
    workload: current.workload,
    prices: null,
    saturation: null,
    rates: options.rates ?? {},
    clientLimits: [
      ...limitsOf(
        old,
        baseline.label,
        first,
        points.map(([from]) => from),
      ),
      ...limitsOf(
        current,
        candidate.label,
        second,
        points.map(([, from]) => from),
      ),
    ],
  });
  const warnings: EndpointWarning[] = [
    {
      code: "not-interleaved",
      message:
        `${first} was measured at ${old.started} and ${second} at ${current.started}, not in turns: a difference may be ` +
        "that of the time; measure both in one run to be sure",
    },
  ];
  if (machine.length > 0) {
    warnings.push({ code: "different-environment", message: `the machines differ: ${machine.join("; ")}` });
  }
  if (!sameWorkload) {
    warnings.push({
      code: "different-workload",
      message: "the prompts differ, so times are compared round by round only",
    });
  }
  for (const [label, { warnings: own }] of [
    [first, old],
    [second, current],
  ] as const) {
    const cut = own.filter(({ code }) => code === "stopped");
    warnings.push(...cut.map(({ code, message }) => ({ code, message: `${label}: ${message}` })));
  }
  return { ...result, warnings: [...warnings, ...result.warnings] };
}

/** What bears on speed and differs between two machines, in words. */
function differencesOfMachines(old: Environment, current: Environment): readonly string[] {
  // "linux 6.1.0 x64": the kernel's version may change without the machine being another
  const system = ({ platform }: Environment) =>
    platform.split(" ").filter((_, at, all) => at === 0 || at === all.length - 1);
  const rows: readonly (readonly [string, string, string])[] = [
    ["CPU", old.cpu, current.cpu],
    ["cores", String(old.cores), String(current.cores)],
    ["system", system(old).join(" "), system(current).join(" ")],
  ];
  return rows.filter(([, a, b]) => a !== b).map(([what, a, b]) => `${what} ${a}, then ${b}`);
}

/** The targets asked for, else those of one label, else the old baseline and the new candidate (or only target). */
function pickTargets(old: EndpointBenchResult, current: EndpointBenchResult, { targets, names }: StoredOptions) {
  const find = (result: EndpointBenchResult, label: string, name: string): ShownTarget => {
    const found = result.targets.find((target) => target.label === label);
    if (found) return found;
    const known = result.targets.map((target) => target.label).join(", ");
    throw new UserError(`${name} has no target "${label}"; it has ${known}`);
  };
  const usable = ({ targets: all }: EndpointBenchResult) => all.filter(({ role }) => role !== "control");
  const candidate = targets?.new
    ? find(current, targets.new, names.new)
    : (usable(current).find(({ role }) => role === "candidate") ?? usable(current)[0]);
  const baseline = targets?.old
    ? find(old, targets.old, names.old)
    : (usable(old).find(({ label }) => label === candidate?.label) ?? usable(old)[0]);
  if (!candidate || !baseline) throw new UserError(`${candidate ? names.old : names.new} has no target to compare`);
  return { baseline, candidate };
}

function labelsOf(old: string, current: string): readonly [string, string] {
  return old === current ? [`${old} (old)`, `${current} (new)`] : [old, current];
}

/** What was measured of one target under the loads that count, under another label and the loads' new numbers. */
function relabelled(
  { raw }: EndpointBenchResult,
  label: string,
  as: string,
  points: ReadonlyMap<number, number>,
): { readonly blocks: readonly Block[]; readonly records: readonly RequestRecord[] } {
  const own = <Item extends Block | RequestRecord>(items: readonly Item[]): readonly Item[] =>
    items
      .filter(({ target, point }) => target === label && points.has(point))
      .map((item) => ({ ...item, target: as, point: points.get(item.point)! }));
  return { blocks: own(raw.blocks), records: own(raw.records) };
}

/** That a run was limited by its client stands in its warnings, which name target and load. */
function limitsOf({ warnings, points }: EndpointBenchResult, label: string, as: string, shown: readonly number[]) {
  const limited = warnings.filter(({ code }) => code === "client-limited");
  return shown.flatMap((from, point) =>
    limited
      .filter(({ message }) => message.startsWith(`${label} at ${pointName(points[from]!)}: `))
      .map(({ message }) => ({ target: as, point, why: message })),
  );
}
