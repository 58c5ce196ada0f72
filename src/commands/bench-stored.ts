import type { EndpointBenchResult } from "../bench/endpoints/result.js";
import type { BenchResult } from "../bench/models/result.js";
import type { Host, Options } from "../cli.js";
import { UserError } from "../errors.js";
import { readInput } from "./files.js";

const schemas = { models: "deepseek/bench@1", endpoints: "deepseek/bench-endpoints@1" } as const;

/** A kept result, as far as its head tells. */
export interface StoredRun {
  readonly path: string;
  readonly kind: keyof typeof schemas;
  readonly content: unknown;
}

/** Reads a file that --save, --report or --json has written. */
export function readStoredRun(host: Host, path: string): StoredRun {
  const bytes = readInput(host, path, "result");
  let content: unknown;
  try {
    content = JSON.parse(new TextDecoder().decode(bytes));
  } catch {
    throw new UserError(`${path}: is not valid JSON; give a result that deepseek bench --save has written`);
  }
  const schema = (content as { readonly schema?: unknown } | null)?.schema;
  const kind = (["models", "endpoints"] as const).find((one) => schemas[one] === schema);
  if (kind) return { path, kind, content };
  const found = typeof schema === "string" ? `its schema is ${schema.slice(0, 60)}` : "it names no schema";
  throw new UserError(`${path}: is no result of deepseek bench: ${found}`);
}

/** A kept result of model files, as far as it is compared. Throws a UserError for one that lies. */
export async function storedModels({ path, kind, content }: StoredRun): Promise<BenchResult> {
  if (kind !== "models") throw new UserError(`${path}: holds endpoints, which cannot be compared with model files`);
  const { z } = await import("zod");
  const times = z.looseObject({ median: z.number() });
  const point = z.looseObject({ label: z.string() });
  const model = z.looseObject({
    label: z.string(),
    role: z.enum(["baseline", "candidate", "control"]),
    bytes: z.number(),
    sha256: z.string(),
    rounds: z.array(z.looseObject({ cpu: times, wall: times })),
  });
  const models = z.array(model).min(1);
  const schema = z.looseObject({
    environment: z.looseObject({ cpu: z.string(), cores: z.number(), node: z.string(), onnxruntime: z.string() }),
    settings: z.looseObject({ threads: z.number(), session: z.record(z.string(), z.string()) }),
    samples: z.looseObject({ source: z.string(), shapes: z.record(z.string(), z.array(z.string())) }),
    point,
    sweep: z.array(point.extend({ models })),
    models,
  });
  const parsed = schema.safeParse(content);
  if (parsed.success) return content as BenchResult;
  const [issue] = parsed.error.issues;
  throw new UserError(
    `${path}: is no whole result: ${issue?.path.join(".") || "top"}: ${issue?.message ?? "not valid"}`,
  );
}

/** This run with its comparison against a stored one; refuses what the options do not allow to differ. */
export async function withStoredModels(now: BenchResult, run: StoredRun, options: Options): Promise<BenchResult> {
  const { compareWithStored, differencesOf } = await import("../bench/models/stored.js");
  const { withDecision } = await import("../bench/models/decide.js");
  const old = await storedModels(run);
  const { environment, workload } = differencesOf(old, now);
  refuse(run.path, "another environment", environment, options["anyEnvironment"], "--any-environment");
  refuse(run.path, "another workload", workload, options["anyWorkload"], "--any-workload");
  const comparisons = compareWithStored(old, now, run.path);
  const stored = { source: run.path, comparisons, differences: [...environment, ...workload] };
  return withDecision({ ...now, settings: { ...now.settings, gates: now.settings.gates ?? [] }, stored });
}

/** A kept result of endpoints. Throws a UserError for one that lies. */
export async function storedEndpoints({ path, kind, content }: StoredRun): Promise<EndpointBenchResult> {
  if (kind !== "endpoints") throw new UserError(`${path}: holds model files, which cannot be compared with endpoints`);
  const { readStored } = await import("../bench/endpoints/read-stored.js");
  return readStored(content, path);
}

/** A run of endpoints against a stored one. */
export async function withStoredEndpoints(
  now: EndpointBenchResult,
  oldName: string,
  old: EndpointBenchResult,
  name: string,
  options: Options,
): Promise<EndpointBenchResult> {
  const { compareStored } = await import("../bench/endpoints/stored.js");
  return compareStored(old, now, {
    names: { old: oldName, new: name },
    otherMachine: options["anyEnvironment"] === true,
    otherWorkload: options["anyWorkload"] === true,
    tolerance: options["tolerance"] as number,
    confidence: options["confidence"] as number,
    seed: options["seed"] as number,
    inconclusiveFails: options["inconclusive"] === "fail",
    gates: (options["gate"] as readonly string[] | undefined) ?? [],
  });
}

function refuse(path: string, what: string, found: readonly string[], allowed: unknown, option: string): void {
  if (found.length === 0 || allowed) return;
  throw new UserError(`${path}: was measured with ${what}: ${found.join("; ")}; to compare all the same: ${option}`);
}
