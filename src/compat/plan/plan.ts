import type { Request } from "../facts.js";
import { type Readiness, readiness, readinessInput } from "../gates/score.js";
import { assumptionsOf, type Cost, type CostOptions, costOf } from "../proof/cost.js";
import { concernsDeepSeek } from "../proof/request-body.js";
import type { Effect, Severity } from "../rule.js";
import type { BrokenFile, Finding, Scan, Unresolved } from "../scan.js";
import type { Origin, Target } from "../targets.js";
import { type BenchCommand, benchCommands } from "./bench-commands.js";
import type { Component, Components, Role } from "./components.js";
import { type Decision, decisionsOf } from "./decisions.js";
import type { ComponentKind } from "./signals.js";

export type StageNumber = 1 | 2 | 3 | 4;

/** A file of a stage. */
interface StagedFile {
  readonly file: string;
  readonly kind: ComponentKind;
  /** What says that it is of that kind. */
  readonly evidence: string;
  readonly component?: string;
  readonly owners: readonly string[];
  readonly findings: number;
}

interface StagedFinding {
  readonly code: string;
  readonly rule: string;
  readonly severity: Severity;
  readonly effect: Effect;
  readonly file: string;
  readonly line: number;
  readonly message: string;
  readonly fix: "safe" | "suggested" | "manual";
}

interface Risk {
  readonly level: "none" | "low" | "medium" | "high";
  readonly reason: string;
}

export interface Stage {
  readonly number: StageNumber;
  readonly title: string;
  /** Files after those they import. */
  readonly files: readonly StagedFile[];
  readonly findings: readonly StagedFinding[];
  readonly fixable: { readonly safe: number; readonly suggested: number; readonly manual: number };
  readonly decisions: readonly Decision[];
  readonly risk: Risk;
  /** Call sites whose model changes here. */
  readonly cost: readonly (Cost & { readonly line: number })[];
  readonly commands: readonly BenchCommand[];
}

/** The result of `deepseek-compat plan`, schema deepseek-compat/plan@1. */
export interface Plan {
  readonly schema: "deepseek-compat/plan@1";
  readonly target: Target;
  readonly from: Origin;
  readonly readiness: Readiness;
  readonly components: readonly Component[];
  readonly stages: readonly Stage[];
  /** What costs are reckoned with. */
  readonly assumptions: readonly string[];
  readonly looked: {
    /** All files of the repository that are not ignored. */
    readonly files: number;
    /** Of them, those a reader takes, and those read in full. */
    readonly scanned: number;
    readonly parsed: number;
    readonly manifests: number;
    readonly skipped: readonly { readonly file: string; readonly reason: string }[];
    readonly broken: readonly BrokenFile[];
    readonly unresolved: readonly Unresolved[];
  };
}

/** What a plan is made from. */
export interface PlanInput {
  readonly scan: Scan;
  readonly components: Components;
  ownersOf(file: string): readonly string[];
  /** Files passed over, and those among them that could not be read. */
  readonly skipped: readonly { readonly file: string; readonly reason: string }[];
  readonly unreadable: number;
  readonly cost: CostOptions;
  /** Model files that today's `deepseek bench` compares. */
  readonly modelFiles: readonly string[];
  readonly benchHasEndpoints: boolean;
}

const stageTitles: Readonly<Record<StageNumber, string>> = {
  1: "compatibility: what the target refuses",
  2: "inference services",
  3: "training, fine-tuning, self-hosted serving and data pipelines",
  4: "benchmark of old against new",
};

/** Rules about weights one serves or trains oneself: prompts, parsers, tokens, scales, flags. */
const selfHosting = /^R3\d$/;
const laterKinds: ReadonlySet<ComponentKind> = new Set(["training", "serving", "data pipeline", "evaluation"]);

/** Orders the findings of a scan into a migration. Every finding stands in exactly one stage. */
export function makePlan(input: PlanInput): Plan {
  const { scan, components } = input;
  const roles = new Map<string, Role>();
  const roleOf: Components["roleOf"] = (file, line) => {
    const key = `${file}:${line ?? ""}`;
    const role = roles.get(key) ?? components.roleOf(file, line);
    roles.set(key, role);
    return role;
  };
  const byStage = new Map<StageNumber, Finding[]>([1, 2, 3].map((number) => [number as StageNumber, []]));
  for (const finding of scan.findings)
    byStage.get(stageOf(finding, roleOf(finding.place.file, finding.line)))!.push(finding);
  const requests = requestsOf(scan);
  const stages = [1, 2, 3].map((number) => stage(number as StageNumber, byStage, requests, input, roleOf));
  const commands =
    scan.findings.length + requests.length > 0 || input.modelFiles.length > 0
      ? benchCommands(scan.facts, input.modelFiles, scan.target, input.benchHasEndpoints)
      : [];
  return {
    schema: "deepseek-compat/plan@1",
    target: scan.target,
    from: scan.from,
    readiness: readiness(
      readinessInput(scan, { skipped: input.skipped.length - input.unreadable, unreadable: input.unreadable }),
    ),
    components: components.components,
    stages: [...stages, benchStage(commands)],
    assumptions: assumptionsOf(input.cost),
    looked: {
      files: components.looked.files,
      scanned: scan.files,
      parsed: scan.parsed.length,
      manifests: components.looked.manifests,
      skipped: input.skipped,
      broken: scan.broken,
      unresolved: scan.unresolved,
    },
  };
}

/** In which stage a finding is dealt with. */
function stageOf({ severity, effect, code }: Finding, { kind, component }: Role): 1 | 2 | 3 {
  const isLater =
    laterKinds.has(kind) ||
    (["config", "test", "docs", "library"].includes(kind) && component !== undefined && laterKinds.has(component.kind));
  // what self-hosted weights need hurts nobody before those are moved
  if (selfHosting.test(code) && kind !== "inference service") return 3;
  const isRun = kind !== "test" && kind !== "docs";
  if (severity === "error" && effect !== "opportunity" && isRun) return 1;
  return isLater ? 3 : 2;
}

type PlacedRequest = Request & { readonly line: number };

function requestsOf({ facts, positionOf }: Scan): readonly PlacedRequest[] {
  return facts.files.flatMap((file) =>
    file.requests.filter(concernsDeepSeek).map((request) => ({ ...request, line: positionOf(request.place).line })),
  );
}

function stage(
  number: StageNumber,
  byStage: ReadonlyMap<StageNumber, readonly Finding[]>,
  requests: readonly PlacedRequest[],
  input: PlanInput,
  roleOf: Components["roleOf"],
): Stage {
  const findings = byStage.get(number)!;
  const order = input.components.inOrder([...new Set(findings.map(({ place }) => place.file))]);
  const own = requests.filter((request) => stageOfRequest(request, byStage, roleOf(request.place.file)) === number);
  // what could not be judged is asked about with its service, or where everything is settled first
  const unresolved = input.scan.unresolved.filter(({ file }) => (laterKinds.has(roleOf(file).kind) ? 3 : 2) === number);
  const decisions = decisionsOf(findings, own, unresolved, input.scan.target);
  const sorted = [...findings].sort(
    (a, b) => order.indexOf(a.place.file) - order.indexOf(b.place.file) || a.place.start - b.place.start,
  );
  const staged = sorted.map((finding): StagedFinding => {
    const { code, rule, severity, effect, line, message, place } = finding;
    return {
      code,
      rule,
      severity,
      effect,
      file: place.file,
      line,
      message,
      fix: finding.fix?.applicability ?? "manual",
    };
  });
  const count = (fix: StagedFinding["fix"]) => staged.filter((one) => one.fix === fix).length;
  const fixable = { safe: count("safe"), suggested: count("suggested"), manual: count("manual") };
  return {
    number,
    title: stageTitles[number],
    files: order.map((file): StagedFile => {
      const own = findings.filter(({ place }) => place.file === file);
      const [first, ...others] = [...new Set(own.map(({ line }) => roleOf(file, line)))];
      const { kind, evidence } = first!;
      const component = others.every((other) => other.component === first!.component) ? first!.component : undefined;
      const owners = input.ownersOf(file);
      return {
        file,
        kind,
        evidence,
        ...(component ? { component: component.name } : {}),
        owners,
        findings: own.length,
      };
    }),
    findings: staged,
    fixable,
    decisions,
    risk: riskOf(staged, unresolved.length),
    cost: own.flatMap((request) => {
      const cost = costOf(request, input.cost);
      return cost ? [{ ...cost, line: request.line }] : [];
    }),
    commands: [],
  };
}

/** A request changes where its gravest finding is dealt with. */
function stageOfRequest(
  { place, model }: PlacedRequest,
  byStage: ReadonlyMap<StageNumber, readonly Finding[]>,
  role: Role,
): StageNumber {
  const names = model?.candidates ?? [];
  const concerns = ({ place: one }: Finding): boolean =>
    (one.file === place.file && one.start >= place.start && one.end <= place.end) ||
    names.some((name) => name.place.file === one.file && name.place.start === one.start);
  if (byStage.get(1)!.some(concerns)) return 1;
  return laterKinds.has(role.kind) || (role.component && laterKinds.has(role.component.kind)) ? 3 : 2;
}

function riskOf(findings: readonly StagedFinding[], unresolved: number): Risk {
  const manualErrors = findings.filter(({ severity, fix }) => severity === "error" && fix === "manual").length;
  if (unresolved > 0) return { level: "high", reason: `requests that could not be judged: ${unresolved}` };
  if (manualErrors > 0)
    return { level: "high", reason: `hard errors without a fix a program can make: ${manualErrors}` };
  if (findings.length === 0) return { level: "none", reason: "nothing is to be changed" };
  const silent = findings.filter(({ effect, fix }) => effect === "silent change" && fix !== "safe").length;
  if (silent > 0)
    return { level: "medium", reason: `changes that show in no error: ${silent}; compare answers before and after` };
  const judged = findings.filter(({ fix, severity }) => fix !== "safe" && severity !== "info").length;
  if (judged > 0) return { level: "medium", reason: `findings that need a person's eye: ${judged}` };
  return { level: "low", reason: "safe fixes and hints only" };
}

function benchStage(commands: readonly BenchCommand[]): Stage {
  const none = { files: [], findings: [], decisions: [], cost: [], fixable: { safe: 0, suggested: 0, manual: 0 } };
  const risk: Risk =
    commands.length > 0
      ? { level: "low", reason: "it only measures; requests to an API cost money" }
      : { level: "none", reason: "no endpoint and no model file was found" };
  return { number: 4, title: stageTitles[4], ...none, risk, commands };
}
