import { resolve } from "node:path";
import { Argument, InvalidArgumentError, Option } from "commander";
import { type CommandSpec, exitCode, type Host, type Options } from "../cli.js";
import type { Plan, StageNumber } from "../compat/plan/plan.js";
import type { CostOptions } from "../compat/proof/cost.js";
import { UserError } from "../errors.js";
import { statsOf } from "./files.js";
import { heads } from "./heads.js";
import { share, whole } from "./option-values.js";
import { checkReports, outputOptions, writeResult } from "./output.js";
import { startProgress } from "./progress.js";
import { configOptions } from "./scan-options.js";

/** `deepseek-compat plan`. */
export const planCommand: CommandSpec = {
  ...heads.plan,
  details:
    "Components are found from what the repository declares and imports: packages, Dockerfiles, compose and Kubernetes files, workflows, servers, workers, training scripts. Every finding stands in one stage, with the files in the order of their imports, their owners from CODEOWNERS, the questions a person has to answer, the risk and the cost. Nothing is written but the report.",
  arguments: [new Argument("[path]", "the repository").default(".", ".")],
  options: [
    new Option(
      "--target <target>",
      "what the code moves to: the V3.1 weights with another host, or today's official API (default: current)",
    ).choices(["v3.1", "current"]),
    new Option("--from <version>", "what the code was written for (default: v3.0)").choices(["v3.0", "v3.1"]),
    new Option("--stage <number>", "only this stage, 1 to 4").argParser(whole(1, 4)),
    new Option(
      "--tokens-per-month <in,out>",
      "tokens of input and output in a month, for costs in US dollars",
    ).argParser(tokens),
    new Option("--cached-share <share>", "share of the input that the cache holds, such as 40%").argParser(share),
    new Option(
      "--reasoning-factor <low-high>",
      "by how much thinking multiplies output tokens, such as 1.5-3",
    ).argParser(factor),
    new Option("--probe <file>", "a recording of `deepseek-compat probe`: what its endpoint answers is certain"),
    ...configOptions(),
    new Option("--min-score <n>", "exit with 1 where readiness is below this").argParser(whole(0, 100)),
    ...outputOptions(),
  ],
  examples: [
    { command: "plan", note: "the repository in this folder" },
    { command: "plan --format markdown --report plan.md", note: "for the ticket" },
    { command: "plan --stage 1", note: "what blocks" },
    { command: "plan --tokens-per-month 200e6,20e6 --cached-share 40%", note: "with a month's bill" },
  ],
  exitCodes: {
    0: "the plan was made",
    1: "readiness is below --min-score",
    2: "the folder is missing, an option is not understood, or no file could be read",
  },
  async run(host, [path], options) {
    checkReports(host, options);
    const plan = await planOf(host, path as string, options);
    const { planForms } = await import("../render/plan.js");
    await writeResult(host, options, planForms(plan));
    const least = options["minScore"] as number | undefined;
    return least !== undefined && plan.readiness.score < least ? exitCode.found : exitCode.ok;
  },
};

async function planOf(host: Host, path: string, options: Options): Promise<Plan> {
  const stats = statsOf(host, path);
  if (!stats) throw new UserError(`${path}: no such folder`);
  if (!stats.isDirectory())
    throw new UserError(`${path}: is a file; a plan is made of a repository, so name its folder`);
  // a repository's own paths are those of its manifests and CODEOWNERS
  const inside: Host = { ...host, cwd: resolve(host.cwd, path) };
  const { scanSettings } = await import("./scan-settings.js");
  const { scanSources } = await import("./scan-sources.js");
  const { scan } = await import("../compat/scan.js");
  const { planOfScan } = await import("./scan-plan.js");
  const settings = await scanSettings(host, options, inside);
  const reports = ((options["report"] as string[] | undefined) ?? []).map((file) => resolve(host.cwd, file));
  const written = [...reports, settings.priceFile].filter((file) => file !== undefined);
  const progress = startProgress(host, "planning", "files");
  try {
    const sources = scanSources(inside, ["."], settings.files, settings.folder, written, (done, total) =>
      progress.update(done, total),
    );
    const found = await scan(sources, settings.scan);
    const unreadable = sources.paths.find((file) => sources.unreadable.has(file));
    if (unreadable !== undefined && sources.paths.every((file) => sources.unreadable.has(file))) {
      throw new UserError(
        `${unreadable}: cannot be read as UTF-8 text, nor can any other file; there is nothing to plan by`,
      );
    }
    const plan = await planOfScan(inside, found, sources, { ...settings.cost, ...costOptions(options) });
    const only = options["stage"] as StageNumber | undefined;
    return only === undefined ? plan : { ...plan, stages: plan.stages.filter(({ number }) => number === only) };
  } finally {
    progress.stop();
  }
}

function costOptions(options: Options): CostOptions {
  const tokensPerMonth = options["tokensPerMonth"] as CostOptions["tokensPerMonth"];
  const cachedShare = options["cachedShare"] as number | undefined;
  const reasoningFactor = options["reasoningFactor"] as CostOptions["reasoningFactor"];
  return {
    ...(tokensPerMonth ? { tokensPerMonth } : {}),
    ...(cachedShare === undefined ? {} : { cachedShare }),
    ...(reasoningFactor ? { reasoningFactor } : {}),
  };
}

function tokens(text: string): NonNullable<CostOptions["tokensPerMonth"]> {
  const [input, output, more] = text.split(",").map((one) => (one.trim() === "" ? Number.NaN : Number(one)));
  if (more === undefined && [input, output].every((one) => Number.isFinite(one) && one! >= 0 && one! <= 1e15)) {
    return { input: input!, output: output! };
  }
  throw new InvalidArgumentError("It must be two numbers of tokens, input and output, such as 200e6,20e6.");
}

function factor(text: string): readonly [number, number] {
  const [low, high, more] = text.split("-").map((one) => (one.trim() === "" ? Number.NaN : Number(one)));
  const most = high ?? low;
  if (more === undefined && low! >= 1 && most! >= low! && most! <= 1000) return [low!, most!];
  throw new InvalidArgumentError("It must be a number of at least 1, or two with a - between, such as 1.5-3.");
}
