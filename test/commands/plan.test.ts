import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { planCommand } from "../../src/commands/plan.js";
import type { Plan } from "../../src/compat/plan/plan.js";
import { runCommand } from "../host.js";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");
const platform = join(root, "fixtures", "apps", "platform");

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "plan-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const write = (name: string, text: string) => {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), text);
};
const plan = (argv: readonly string[], cwd = folder) => runCommand(planCommand, argv, cwd);
const planOf = async (argv: readonly string[], cwd = folder) =>
  JSON.parse((await plan([...argv, "--json"], cwd)).stdout) as Plan;
const client = 'const client = new OpenAI({ baseURL: "https://api.deepseek.com" });\n';
const chat = `${client}client.chat.completions.create({ model: "deepseek-chat", messages });\n`;

/** Scripts only, so that readers of further languages may join without a change here. */
const isScript = (file: string) => /\.tsx?$/.test(file);

describe("the example platform", () => {
  test("blocks first, then the service, then training, each file in the order of imports and with its owners", async () => {
    const { stages, schema } = await planOf([platform]);
    expect(schema).toBe("deepseek-compat/plan@1");
    const files = stages.map(({ files: own }) =>
      own.filter(({ file }) => isScript(file)).map(({ file, owners }) => `${file} ${owners.join(" ")}`),
    );
    expect(files).toEqual([
      [
        "services/api/src/llm/client.ts @example/api-team",
        "services/api/src/answer.ts @example/api-team",
        "training/label.ts @example/research @ada",
      ],
      [
        "packages/prompts/src/limits.ts @example/platform",
        "services/api/src/answer.test.ts @example/api-team",
        "services/api/src/answer.ts @example/api-team",
      ],
      ["training/label.ts @example/research @ada"],
      [],
    ]);
    expect(stages.map(({ title }) => title.split(":")[0])).toEqual([
      "compatibility",
      "inference services",
      "training, fine-tuning, self-hosted serving and data pipelines",
      "benchmark of old against new",
    ]);
  });

  test("every finding of a scan stands in one stage, and the fixable shares add up", async () => {
    const { stages } = await planOf([platform]);
    for (const { findings, fixable, files } of stages) {
      expect(fixable.safe + fixable.suggested + fixable.manual).toBe(findings.length);
      expect(files.reduce((sum, { findings: own }) => sum + own, 0)).toBe(findings.length);
    }
    const all = stages.flatMap(({ findings }) => findings.map(({ file, line, code }) => `${file}:${line} ${code}`));
    expect(all).toContain("services/api/src/answer.ts:6 R05");
    expect(stages[0]!.findings.every(({ severity }) => severity === "error")).toBe(true);
  });

  test("components name their kind and what says so", async () => {
    const { components } = await planOf([platform]);
    expect(components.map(({ root: where, kind }) => `${where}: ${kind}`)).toEqual([
      ".github/workflows/evaluate.yaml: evaluation",
      "deploy/k8s/relabel.yaml: data pipeline",
      "docker-compose.yaml: serving",
      "packages/prompts: library",
      "pipelines: data pipeline",
      "services/api: inference service",
      "services/worker: inference service",
      "training: training",
    ]);
    expect(components.every(({ evidence }) => evidence.length > 0)).toBe(true);
  });

  test("asks a person what no program knows", async () => {
    const questions = (await planOf([platform])).stages
      .flatMap(({ decisions }) => decisions.map(({ question }) => question))
      .join("\n");
    expect(questions).toContain("What is CHAT_MODEL set to where this runs? The code's own value is deepseek-chat.");
    expect(questions).toContain("deepseek-flash with thinking, or deepseek-v4-pro");
    expect(questions).toContain("remove max_tokens, or raise it");
  });

  test("a month's bill names its dates and its assumptions", async () => {
    const { stages, assumptions } = await planOf([
      platform,
      "--tokens-per-month",
      "100e6,10e6",
      "--cached-share",
      "50%",
    ]);
    const cost = stages[0]!.cost.find(({ place }) => place.file === "services/api/src/answer.ts")!;
    expect(cost.at.map(({ day, month }) => [day, month?.high.toFixed(2)])).toEqual([
      ["2025-02-10", "28.00"],
      ["2025-09-06", "48.30"],
      ["2026-09-10", "27.30"],
    ]);
    expect(assumptions.join()).toContain("50 % of input from the cache");
  });

  test("text and Markdown hold every stage; --stage shows one; the report is written", async () => {
    for (const form of ["text", "markdown"]) {
      const { stdout, code } = await plan([platform, "--format", form]);
      expect(code).toBe(0);
      for (const number of [1, 2, 3, 4]) expect(stdout).toContain(`Stage ${number}: `);
      expect(stdout).toMatch(/readiness \d+ of 100/);
    }
    const { stdout } = await plan([platform, "--stage", "4", "--report", "plan.md"]);
    expect(stdout).not.toContain("Stage 1");
    expect(stdout).toContain("--endpoint flash=https://api.deepseek.com,model=deepseek-flash");
    expect(readdirSync(folder)).toEqual(["plan.md"]);
  });

  test("--min-score is a gate", async () => {
    const { score } = (await planOf([platform])).readiness;
    expect((await plan([platform, "--min-score", String(score)])).code).toBe(0);
    expect((await plan([platform, "--min-score", String(score + 1)])).code).toBe(1);
  });

  test("nothing in the repository is written", async () => {
    const stamps = () =>
      readdirSync(platform, { recursive: true, encoding: "utf8" }).map(
        (name) => `${name} ${statSync(join(platform, name)).mtimeMs}`,
      );
    const before = stamps();
    await plan([platform]);
    expect(stamps()).toEqual(before);
  });

  test("for V3.1 the names are no errors, so nothing blocks and the host is asked about", async () => {
    const { stages } = await planOf([platform, "--target", "v3.1"]);
    expect(stages[0]!.findings.filter(({ file }) => isScript(file))).toEqual([]);
    const questions = stages.flatMap(({ decisions }) => decisions.map(({ question }) => question)).join("\n");
    expect(questions).toContain("Where shall V3.1 be asked?");
  });
});

describe("small and odd repositories", () => {
  test("an empty one: nothing is to be done, and what was looked at is said", async () => {
    const { stdout, code } = await plan([]);
    expect(code).toBe(0);
    expect(stdout).toContain("nothing is to be done");
    expect(stdout).toContain("readiness 100 of 100");
    expect(stdout).toContain("looked at 0 files");
    expect((await planOf([])).stages.map(({ risk }) => risk.level)).toEqual(["none", "none", "none", "none"]);
  });

  test("what .gitignore leaves out is no component", async () => {
    write(".gitignore", "ignored/\n");
    write("ignored/train.py", "from trl import SFTTrainer\n");
    write("node_modules/x/package.json", "{}");
    write("deep/.gitignore", "*.py\n!kept.py\n");
    write("deep/gone.py", "import vllm\n");
    write("deep/kept.py", "import fastapi\n");
    const { components } = await planOf([]);
    expect(components.map(({ root: where }) => where)).toEqual(["deep"]);
  });

  test("model files become a command that works today, quoted where it must be", async () => {
    for (const name of ["m.onnx", "m.int8.onnx", "other one.onnx"]) write(name, "");
    const { stages } = await planOf([]);
    expect(stages[3]!.commands.map(({ command, works }) => [command, works])).toEqual([
      ["deepseek bench m.onnx m.int8.onnx", true],
      ["deepseek bench 'other one.onnx'", true],
    ]);
  });

  test("a server of one's own is compared with its successor", async () => {
    write(
      "a.ts",
      'const c = new OpenAI({ baseURL: "http://localhost:8000/v1" });\nc.chat.completions.create({ model: "deepseek-ai/DeepSeek-V3", messages });\n',
    );
    const { stages } = await planOf(["--target", "v3.1"]);
    expect(stages[3]!.commands[0]!.command).toBe(
      "deepseek bench --endpoint old=http://localhost:8000/v1,model=deepseek-ai/DeepSeek-V3 --endpoint new=http://NEW-HOST:8000/v1,model=deepseek-ai/DeepSeek-V3.1",
    );
  });

  test("requests that could not be judged are a high risk and a question", async () => {
    write("a.ts", `${client}client.chat.completions.create({ model: pick(), messages });\n`);
    const { stages, looked } = await planOf([]);
    expect(looked.unresolved.length).toBe(1);
    expect(stages[1]!.risk.level).toBe("high");
    expect(stages[1]!.decisions[0]!.question).toContain("What is the model of");
  });

  test.each<[string, readonly string[], RegExp]>([
    ["a folder that is not there", ["nowhere"], /^error: nowhere: no such folder\n$/],
    ["a file", ["a.ts"], /^error: a\.ts: is a file; .* name its folder\n$/],
    ["half of the tokens", ["--tokens-per-month", "5"], /two numbers of tokens/],
    ["a stage there is not", ["--stage", "5"], /whole number from 1 to 4/],
    ["a factor below one", ["--reasoning-factor", "0.5"], /at least 1/],
    ["a probe that is none", ["--probe", "a.ts"], /^error: a\.ts: is no recording of a probe/],
  ])("refuses %s", async (_, argv, words) => {
    write("a.ts", chat);
    const { code, stderr } = await plan(argv);
    expect([code, stderr]).toEqual([2, expect.stringMatching(words)]);
  });
});

describe("the configuration", () => {
  const settings = (content: object) => write("deepseek-compat.config.json", JSON.stringify(content));

  test("its target, origin, exclusions, tokens and rules hold, options before it", async () => {
    write("a.ts", chat);
    write("old/b.ts", chat);
    settings({
      target: "v3.1",
      from: "v3.1",
      exclude: ["old"],
      rules: { R01: "off" },
      tokensPerMonth: { input: 1e6, output: 1e6 },
    });
    const found = await planOf([]);
    expect([found.target, found.from, found.looked.scanned]).toEqual(["v3.1", "v3.1", 1]);
    expect(JSON.stringify(found.stages)).not.toContain("R01");
    expect(found.assumptions.join()).toContain("1000000 tokens of input");
    expect((await planOf(["--target", "current"])).target).toBe("current");
    expect((await planOf(["--no-config"])).looked.scanned).toBe(2);
  });

  test("that of the planned folder is taken, not the one beside it", async () => {
    write("app/a.ts", chat);
    write("app/old/b.ts", chat);
    write("app/deepseek-compat.config.yaml", "exclude: [old]\n");
    settings({ exclude: ["app/a.ts"] });
    expect((await planOf(["app"])).stages[0]!.files.map(({ file }) => file)).toEqual(["a.ts"]);
  });

  test("a price table of one's own goes before the official one, and is no code to scan", async () => {
    write("a.ts", chat);
    write("prices.json", JSON.stringify([{ model: "deepseek-flash", hit: 1, miss: 2, output: 3 }]));
    settings({ prices: "prices.json" });
    const { stages, assumptions, looked } = await planOf([]);
    expect(stages[0]!.cost[0]!.at.at(-1)!.price!.low).toEqual({ hit: 1, miss: 2, output: 3 });
    expect(assumptions.join()).toContain("before them, the prices in prices.json");
    expect(looked.parsed).toBe(1);
  });

  test.each([
    ["[{}]", "prices.json: is no price table: row 1, model: "],
    ["[{", "prices.json: is not valid JSON (prices in deepseek-compat.config.json names it)"],
    [undefined, "prices.json: cannot read the price table: "],
  ])("a price table %s is refused in one line", async (text, words) => {
    write("a.ts", chat);
    if (text !== undefined) write("prices.json", text);
    settings({ prices: "prices.json" });
    const { code, stderr } = await plan([]);
    expect(code).toBe(2);
    expect(stderr).toContain(words);
    expect(stderr.trim().split("\n")).toHaveLength(1);
  });
});

test("no secret gets into a plan", async () => {
  const key = "sk-Zq8Lm2Xv9Tr4Wp7Kc1Bn6Hd3";
  write("a.ts", `const client = new OpenAI({ baseURL: "https://api.deepseek.com/${key}" });\n${chat.split("\n")[1]}\n`);
  for (const form of ["text", "json", "markdown"]) {
    expect((await plan(["--format", form])).stdout).not.toContain(key);
  }
});
