// `npm run bench:gradients -- [name...] [--only float32|float64] [--tensors 12] [--keep file.jsonl]`: gradients of every weight tensor of real model files, held against differences
// along them: in float32 as training computes, and in float64, where neither rounding nor kinks blur them.
import { appendFileSync, existsSync, readFileSync } from "node:fs";
import { checkGradients, type GradientCheck } from "../../train/gradient-check.js";
import type { GradientError, Kept } from "../../train/precise-check.js";
import { fetchedModels, ocrModels } from "./real-models.js";

const options = new Map<string, string>();
const wanted: string[] = [];
for (let at = 2; at < process.argv.length; at++) {
  const word = process.argv[at]!;
  if (word.startsWith("--")) options.set(word.slice(2), process.argv[++at] ?? "");
  else wanted.push(word);
}
const precision = (options.get("only") ?? "both") as "float32" | "float64" | "both";
const tensors = Number(options.get("tensors") ?? Number.POSITIVE_INFINITY);
const keptFile = options.get("keep");

const models = [...ocrModels, ...fetchedModels].filter(({ id, slow }) =>
  wanted.length > 0 ? wanted.some((part) => id.includes(part)) : !slow,
);

const columns = [
  ...["model", "tensors reached", "of them moving", "weights", "forward, backward nodes", "outputs off by"],
  ...["float32: median", "worst", "at", "float64: median", "worst", "at", "float32 off float64: median", "worst", "s"],
];
console.log(`| ${columns.join(" | ")} |\n|${columns.map(() => "---").join("|")}|`);
for (const { id, load, runs, tolerance } of models) {
  const model = load();
  if (!model) continue;
  const start = performance.now();
  try {
    const found: GradientCheck[] = [];
    for (const [at, feeds] of runs.entries()) {
      const kept = keptFile === undefined ? {} : { kept: keptIn(keptFile, `${id} ${at}`) };
      found.push(await checkGradients(id, model, feeds, { precision, tensors, ...kept }));
    }
    console.log(row(id, found, performance.now() - start));
    const off = Math.max(...found.map(({ forwardError }) => forwardError));
    if (off > tolerance) console.log(`${id}: outputs differ by more than ${tolerance}`);
  } catch (error) {
    console.log(`| ${id} | ${(error as Error).message} |`);
  }
}

/** What runs found together. */
function row(id: string, found: readonly GradientCheck[], milliseconds: number): string {
  const names = (of: (one: GradientCheck) => readonly string[]) => new Set(found.flatMap(of)).size;
  const precise = found.flatMap((one) => one.precise);
  const cells = [
    id,
    `${names(({ reached }) => reached)} of ${found[0]!.parameters}`,
    new Set(precise.flatMap(({ name, length }) => (length > 0 ? [name] : []))).size,
    found[0]!.elements,
    found.map(({ forward, backward }) => `${forward}, ${backward}`).join("; "),
    Math.max(...found.map(({ forwardError }) => forwardError)).toExponential(1),
    ...spread(found.flatMap(({ errors }) => errors)),
    ...spread(precise),
    ...spread(precise.map(({ name, single }) => ({ name, error: single! }))).slice(0, 2),
    (milliseconds / 1000).toFixed(0),
  ];
  return `| ${cells.join(" | ")} |`;
}

function spread(errors: readonly { readonly name: string; readonly error: number }[]): readonly string[] {
  const sorted = [...errors].sort((one, other) => one.error - other.error);
  const worst = sorted.at(-1);
  const middle = sorted[sorted.length >> 1];
  return worst && middle ? [middle.error.toExponential(1), worst.error.toExponential(1), worst.name] : ["", "", ""];
}

/** A line of JSON for every tensor, so that a run that was stopped goes on. */
function keptIn(file: string, run: string): Kept {
  type Line = GradientError & { readonly run: string; readonly precision: string };
  const lines = existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : [];
  const found = new Map(
    lines.map((line) => {
      const { run: of, precision: how, ...error } = JSON.parse(line) as Line;
      return [`${of} ${how} ${error.name}`, error] as const;
    }),
  );
  return {
    find: (how, name) => found.get(`${run} ${how} ${name}`),
    add: (how, error) => appendFileSync(file, `${JSON.stringify({ run, precision: how, ...error })}\n`),
  };
}
