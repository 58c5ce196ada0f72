import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { metrics } from "../../src/bench/metrics-table.js";
import { type GoldenServer, startServer } from "../../src/bench/server/serve.js";
import { benchCommandWith } from "../../src/commands/bench.js";
import { encodeNpz } from "../../src/formats/npz.js";
import { encodeModel } from "../../src/formats/onnx.js";
import { makeNode } from "../../src/graph/node.js";
import { runCommand } from "../host.js";
import { floats, makeModel } from "../onnx-model.js";

/* The commands of docs/bench.md do what the page says, on models and endpoints made here. Needs the built programs. */
const page = readFileSync("docs/bench.md", "utf8");
const commands = [...page.matchAll(/```(?:bash|yaml)\n([\s\S]*?)```/g)]
  .flatMap(([, body]) => body!.replace(/\\\n\s*/g, "").split("\n"))
  .map((line) => line.replace(/^- run: /, "").replace(/\s+#.*$/, ""))
  .filter((line) => line.startsWith("npx deepseek bench "))
  .map((line) => line.slice("npx deepseek bench ".length));

const command = benchCommandWith({ script: join(process.cwd(), "dist/commands/bench-worker.js"), nodeOptions: [] });
const usual = { ttft: 0.003, gap: 0.001, tokens: 4 } as const;
const models = ["deepseek-flash", "deepseek-v4-pro", "deepseek-ai/DeepSeek-V3", "deepseek-ai/DeepSeek-V3.1", "m"];
let golden: GoldenServer;
let folder: string;
beforeAll(async () => {
  golden = await startServer(Object.fromEntries(models.map((model) => [model, usual])));
  folder = mkdtempSync(join(tmpdir(), "bench-docs-"));
  writeFileSync(join(folder, "prompts.jsonl"), '{"prompt": "One?"}\n');
  const model = encodeModel(
    makeModel({
      inputs: [["x", "float32", ["n", "seq", 8]]],
      outputs: [["y", "float32", ["n", "seq", 8]]],
      initializers: [floats("w", [8, 8])],
      nodes: [makeNode("MatMul", "m", ["x", "w"], ["y"])],
    }),
  );
  for (const name of ["model.onnx", "model.int8.onnx"]) writeFileSync(join(folder, name), model);
  mkdirSync(join(folder, "samples"));
  const x = { dtype: "float32" as const, shape: [1, 4, 8], data: new Float32Array(32).fill(0.5) };
  writeFileSync(join(folder, "samples/1.npz"), encodeNpz(new Map([["x", x]])));
});
afterAll(async () => {
  await golden.close();
  rmSync(folder, { recursive: true });
});

/** The words of a line of shell. */
const words = (line: string) =>
  [...line.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map(([, single, double, plain]) => single ?? double ?? plain!);

describe("docs/bench.md", () => {
  test("shows commands", () => expect(commands.length).toBeGreaterThan(9));

  // in the order of the page: a kept run is written before it is compared with
  test.each(commands.filter((line) => !line.includes("--self-test")))("%s", async (line) => {
    const argv = words(line).map((word) =>
      word
        .replace(/https:\/\/api\.deepseek\.com(?=,|$)/, `${golden.url},key-env=DEEPSEEK_API_KEY`)
        .replace(/http:\/\/(old|new|localhost):8000\/v1/, `${golden.url}/v1`)
        .replace(/^60s$/, "0.3s")
        .replace("$GITHUB_STEP_SUMMARY", "summary")
        .replace("old.json", "base.json")
        .replace("new.json", "now.json"),
    );
    const brief = argv.includes("--endpoint")
      ? ["--rounds", "2", "--no-warm-up"]
      : ["--time", "0.02", "--warmup", "0.01", "--rounds", "1"];
    const few = argv.includes("--endpoint") && !argv.includes("--duration") ? ["--requests", "4"] : [];
    const shape = argv[0] === "model.onnx" && !/--data|--axis/.test(line) ? ["--shape", "x=1x4x8"] : [];
    const kept = argv.includes("--baseline") ? ["--save", "now.json"] : [];
    const stored = argv.includes("--report") && argv.includes("now.json");
    const env = { DEEPSEEK_API_KEY: "k", TEAM_TOKEN: "t" };
    const { code, stdout, stderr } = await runCommand(
      command,
      [...argv, ...(stored ? [] : [...brief, ...few, ...kept, ...shape])],
      folder,
      { env },
    );
    expect(stderr).not.toMatch(/error/);
    expect([0, 1]).toContain(code);
    expect(stdout).not.toBe("");
  });

  test("names metrics that there are", () => {
    const named = [...page.matchAll(/^\| (`\w+`(?:, `\w+`)*) \|/gm)].flatMap(([, cell]) => cell!.match(/\w+/g)!);
    const known = named.filter((name) => Object.hasOwn(metrics, name));
    expect(known.length).toBeGreaterThan(8);
    expect(page).toContain("`ttft_sched`");
  });
});
