import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { EndpointBenchResult } from "../../src/bench/endpoints/result.js";
import { type GoldenServer, startServer } from "../../src/bench/server/serve.js";
import type { Host } from "../../src/cli.js";
import { benchCommand } from "../../src/commands/bench.js";
import { runCommand } from "../host.js";

const folder = mkdtempSync(join(tmpdir(), "bench-endpoints-"));
const usual = { ttft: 0.004, gap: 0.001, tokens: 5 } as const;
let golden: GoldenServer;
let guarded: GoldenServer;
let site: Server;
beforeAll(async () => {
  golden = await startServer({
    fast: usual,
    same: usual,
    // far beyond any tolerance, so that a busy machine does not matter
    slow: { ...usual, ttft: 0.04, gap: 0.01 },
    broken: { ...usual, fault: { every: 2, fault: { kind: "reset", after: 2 } } },
    silent: { ...usual, fault: { every: 1, fault: { kind: "empty" } } },
    torn: { ...usual, fault: { every: 1, fault: { kind: "reset", after: 1 } } },
    endless: { fault: { every: 1, fault: { kind: "endless" } } },
  });
  guarded = await startServer({ fast: usual }, { key: "sesame-123456" });
  site = createServer((_, response) => response.writeHead(200, { "content-type": "text/html" }).end("<h1>Hello</h1>"));
  await new Promise<void>((ready) => site.listen(0, "127.0.0.1", ready));
  writeFileSync(
    join(folder, "prompts.jsonl"),
    '{"prompt": "One?"}\n{"messages": [{"role": "user", "content": "Two?"}]}\n',
  );
  writeFileSync(join(folder, "times.jsonl"), '{"timestamp": 0, "prompt": "One?"}');
  writeFileSync(join(folder, "torn.jsonl"), '{"prompt": "One?"}\n{"prompt": \n');
  writeFileSync(join(folder, "torn.json"), "{");
  writeFileSync(join(folder, "other.json"), '{"schema": "something@1"}');
});
afterAll(async () => {
  await golden.close();
  await guarded.close();
  site.close();
  rmSync(folder, { recursive: true });
});

const bench = (argv: readonly string[], env: Host["env"] = {}) => runCommand(benchCommand, argv, folder, { env });
const at = (label: string, model: string, more = "") => ["--endpoint", `${label}=${golden.url},model=${model}${more}`];
const brief = ["--rounds", "6", "--requests", "12", "--no-warm-up"];

describe("deepseek bench with endpoints", () => {
  test("finds the slower of two, says by how much, and writes every kind of report", async () => {
    const reports = ["b.html", "b.md", "b.csv", "b.xml"].flatMap((name) => ["--report", name]);
    const argv = [...at("old", "fast"), ...at("new", "slow"), ...brief, "--rounds", "8", "--requests", "16"];
    const { code, stdout, stderr } = await bench([...argv, ...reports, "--save", "run.json"]);
    expect(stderr).toBe("");
    expect(stdout).toMatch(/^FAIL: .*new/);
    expect(code).toBe(1);
    const result = JSON.parse(readFileSync(join(folder, "run.json"), "utf8")) as EndpointBenchResult;
    expect(result.schema).toBe("deepseek/bench-endpoints@1");
    expect(result.verdict).toBe("FAIL");
    expect(result.raw.records).toHaveLength(32);
    expect(result.raw.records.every(({ error, tokenSource }) => error === null && tokenSource === "usage")).toBe(true);
    const ttft = result.comparisons.find(({ metric, statistic }) => metric === "ttft" && statistic === "p50")!;
    expect(ttft.pairs).toBe(16);
    expect(ttft.estimate).toBeGreaterThan(2);
    expect(readFileSync(join(folder, "b.html"), "utf8")).toMatch(/<svg/);
    expect(readFileSync(join(folder, "b.md"), "utf8")).toMatch(/FAIL/);
    expect(readFileSync(join(folder, "b.csv"), "utf8").trim().split("\n")).toHaveLength(33);
    expect(readFileSync(join(folder, "b.xml"), "utf8")).toMatch(/<failure/);
  });

  test("the same prompts go to all, and their beginnings to no one twice", async () => {
    golden.forget();
    const { code, stdout } = await bench([
      ...at("a", "fast"),
      ...at("b", "same"),
      ...brief,
      "--dataset",
      "prompts.jsonl",
      "--json",
    ]);
    expect([0, 1]).toContain(code);
    const { workload, raw } = JSON.parse(stdout) as EndpointBenchResult;
    expect(workload).toMatchObject({
      source: expect.stringContaining("prompts.jsonl"),
      prompts: 2,
      uniquePrefixes: true,
    });
    const asked = (target: string) =>
      raw.records
        .filter((one) => one.target === target)
        .map(({ prompt, round }) => `${round} ${prompt}`)
        .sort();
    expect(asked("a")).toEqual(asked("b"));
  });

  test("gates on percentiles want enough samples, and failures are counted by their kind", async () => {
    const argv = [
      ...at("only", "broken"),
      ...brief,
      "--json",
      "--gate",
      "p95(ttft) < 10s",
      "--gate",
      "error_rate < 10%",
    ];
    const { code, stdout } = await bench(argv);
    const { gates, summaries, verdict } = JSON.parse(stdout) as EndpointBenchResult;
    expect(summaries[0]).toMatchObject({ requests: 12, succeeded: 6, errors: { reset: 6 } });
    expect(gates.map(({ decision }) => decision)).toEqual(["INCONCLUSIVE", "FAIL"]);
    expect(verdict).toBe("FAIL");
    expect(code).toBe(1);
  });

  test("an open loop counts from the intended time, a trace comes when it came", async () => {
    const open = await bench([...at("a", "fast"), ...brief, "--rate", "50", "--arrival", "constant", "--json"]);
    const { points, raw } = JSON.parse(open.stdout) as EndpointBenchResult;
    expect(points).toEqual([{ kind: "open", rate: 50, arrival: "constant", burstiness: null, maxConcurrency: null }]);
    expect(raw.records.every(({ scheduled }) => scheduled !== null)).toBe(true);
    writeFileSync(
      join(folder, "trace.jsonl"),
      [0, 10, 20].map((timestamp) => JSON.stringify({ timestamp, input_length: 20, output_length: 4 })).join("\n"),
    );
    const trace = await bench([
      ...at("a", "fast"),
      "--trace",
      "trace.jsonl",
      "--rounds",
      "2",
      "--requests",
      "6",
      "--no-warm-up",
      "--json",
    ]);
    expect(trace.stderr).toBe("");
    expect((JSON.parse(trace.stdout) as EndpointBenchResult).points[0]).toMatchObject({
      kind: "open",
      arrival: "trace",
    });
  });

  test("answers that do not stream, and other protocols", async () => {
    for (const more of [",protocol=completions", ",protocol=anthropic", ",stream=off"]) {
      const { code, stdout, stderr } = await bench([...at("a", "fast", more), ...brief, "--json"]);
      expect(stderr).toBe("");
      expect(code).toBe(0);
      const { summaries } = JSON.parse(stdout) as EndpointBenchResult;
      expect(summaries[0]).toMatchObject({ succeeded: 12, tokenSource: "usage" });
      expect(summaries[0]!.metrics.ttft === undefined).toBe(more === ",stream=off");
    }
  });

  test("as many requests are reported as are sent", async () => {
    const { stdout } = await bench([...at("a", "fast"), "--rounds", "4", "--requests", "5", "--no-warm-up", "--json"]);
    const { settings, summaries } = JSON.parse(stdout) as EndpointBenchResult;
    expect([settings.requests, summaries[0]!.requests]).toEqual([8, 8]);
  });

  test("whole answers against a stream are compared by what both have", async () => {
    const argv = [...at("a", "fast"), ...at("b", "same", ",stream=off"), ...brief, "--tolerance", "90%", "--json"];
    const { comparisons } = JSON.parse((await bench(argv)).stdout) as EndpointBenchResult;
    expect(comparisons.map(({ verdict }) => verdict)).not.toContain("missing");
    expect(comparisons.filter(({ gated }) => gated).map(({ metric }) => metric)).toEqual(["e2e", "error_rate"]);
  });

  test("kept runs are compared, by option or by themselves; another workload only on request", async () => {
    const one = (model: string, ...more: string[]) => bench([...at("it", model), ...brief, ...more]);
    await one("fast", "--save", "base.json");
    const slower = await one("slow", "--baseline", "base.json", "--save", "now.json");
    expect(slower.stdout).toMatch(/it \(new\)/);
    const both = await bench(["--report", "base.json", "now.json", "--json"]);
    expect(both.stderr).toBe("");
    expect((JSON.parse(both.stdout) as EndpointBenchResult).comparisons.length).toBeGreaterThan(0);
    const other = await one("fast", "--baseline", "base.json", "--preset", "reasoning");
    expect(other).toMatchObject({ code: 2, stderr: expect.stringMatching(/other prompts/) });
  });

  test("keys come from the environment and appear nowhere", async () => {
    const argv = ["--endpoint", `a=${guarded.url},model=fast,key-env=MY_KEY`, ...brief, "--save", "key.json"];
    const env = { MY_KEY: "sesame-123456", TEAM: "team-secret-9" };
    const { code, stdout, stderr } = await bench([...argv, "--header", "x-team: env:TEAM"], env);
    expect(code).toBe(0);
    const kept = readFileSync(join(folder, "key.json"), "utf8");
    for (const text of [stdout, stderr, kept]) expect(text).not.toMatch(/sesame|team-secret/);
    expect(kept).toContain('"x-team"');
    const wrong = await bench(argv, { MY_KEY: "wrong-key-777" });
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringMatching(/^error: --endpoint a .*unauthorized/) });
    expect(wrong.stderr).not.toContain("wrong-key-777");
    expect(await bench(argv)).toMatchObject({ code: 2, stderr: expect.stringMatching(/MY_KEY is not set/) });
  });

  test("secrets in addresses and bodies are shown nowhere", async () => {
    const argv = ["--endpoint", `a=${golden.url}?api_key=query-secret-1,model=fast`, ...brief];
    const body = ["--body", '{"user": "me", "extra": {"api_key": "body-secret-2"}}'];
    const reports = ["s.html", "s.md", "s.csv", "s.xml"];
    const { code, stdout, stderr } = await bench([
      ...argv,
      ...body,
      ...reports.flatMap((name) => ["--report", name]),
      "--save",
      "s.json",
    ]);
    expect(code).toBe(0);
    const texts = ["s.json", ...reports].map((name) => readFileSync(join(folder, name), "utf8"));
    for (const text of [stdout, stderr, ...texts]) expect(text).not.toMatch(/query-secret|body-secret/);
    expect(texts[0]).toContain('"user":"me"');
    const wrong = await bench(["--endpoint", `a=${golden.url}?api_key=query-secret-1,model=nobody`]);
    expect(wrong).toMatchObject({ code: 2, stderr: expect.stringMatching(/^error: --endpoint a \(http.*\?\.\.\.\)/) });
    expect(wrong.stderr).not.toContain("query-secret");
  });

  test.each([
    [["--endpoint", "a=http://localhost:1,model=m,key=sk-mistake-1"]],
    [["--endpoint", "a=http://localhost:1,model=m,sk-mistake-1"]],
    [["--endpoint", "a=http://localhost:1,model=m,key-env=sk-mistake-1"]],
    [["--endpoint", "a=http://localhost:1,key-env=PATH,model=,http2=sk-mistake-1"]],
    [["--endpoint", "a=http://localhost:1,model=m", "--header", "authorization=Bearer sk-mistake-1"]],
    [["--endpoint", "a=http://localhost:1,model=m", "--body", '{"api_key": "sk-mistake-1"']],
  ])("a key given in the wrong place is not printed: %j", async (argv) => {
    const { code, stdout, stderr } = await bench(argv, { PATH: "x" });
    expect(code).toBe(2);
    expect(stdout + stderr).not.toMatch(/mistake/);
  });

  test("an endpoint that answers nothing passes nothing", async () => {
    const { code, stdout } = await bench([...at("a", "silent"), ...brief]);
    expect(stdout).toMatch(/^INCONCLUSIVE: no request succeeded/);
    expect(code).toBe(2);
    expect(await bench([...at("a", "torn"), ...brief])).toMatchObject({
      code: 2,
      stdout: "",
      stderr: expect.stringMatching(/^error: --endpoint a .*reset/),
    });
  });

  test("one that fails now and then is measured, whichever request comes first", async () => {
    for (let run = 0; run < 2; run++) {
      golden.forget();
      expect((await bench([...at("a", "broken", ",stream=off"), ...brief, "--requests", "13"])).code).toBe(0);
    }
  });

  test("thinking is switched as the host wants it, and each endpoint may have fields of its own", async () => {
    const own = ["--body", '{"top_p": 0.9}', "--body", 'off={"top_p": 0.5}'];
    const argv = [
      ...at("on", "fast", ",thinking=on"),
      ...at("off", "same", ",thinking=off"),
      ...own,
      ...brief,
      "--json",
    ];
    const { targets } = JSON.parse((await bench(argv)).stdout) as EndpointBenchResult;
    const kwargs = (thinking: boolean) => ({ chat_template_kwargs: { thinking, enable_thinking: thinking } });
    expect(targets.map(({ body }) => body)).toEqual([
      { ...kwargs(true), top_p: 0.9 },
      { ...kwargs(false), top_p: 0.5 },
    ]);
  });

  test("Ctrl-C keeps what was measured", async () => {
    let interrupt: (() => void | Promise<void>) | undefined;
    const printed: string[] = [];
    const quiet = { write() {}, isTerminal: false, columns: 80 };
    const host: Host = {
      cwd: folder,
      env: {},
      stdout: { ...quiet, write: (text) => void printed.push(text) },
      stderr: quiet,
      version: "",
      onInterrupt(undo) {
        interrupt = undo;
        return () => {};
      },
    };
    const options = {
      endpoint: [`a=${golden.url},model=fast`],
      requests: 100_000,
      seed: 1,
      save: "cut.json",
      json: true,
    };
    const defaults = Object.fromEntries(
      benchCommand.options.map((option) => [option.attributeName(), option.negate ? true : option.defaultValue]),
    );
    const running = benchCommand.run(host, [undefined, []], { ...defaults, ...options }, new Set());
    setTimeout(() => void interrupt!(), 400);
    expect(await running).toBe(130);
    const kept = JSON.parse(readFileSync(join(folder, "cut.json"), "utf8")) as EndpointBenchResult;
    expect(kept.raw.records.length).toBeGreaterThan(5);
    expect(kept.warnings.map(({ code }) => code)).toContain("stopped");
    expect(JSON.parse(printed.join(""))).toMatchObject({ schema: kept.schema });
  });

  test("a report that cannot be written takes nothing else with it", async () => {
    mkdirSync(join(folder, "gone"));
    const quiet = { write() {}, isTerminal: false, columns: 80 };
    // between the check before the run and the writing
    const host: Host = {
      cwd: folder,
      env: {},
      stdout: { ...quiet, write: () => rmSync(join(folder, "gone"), { recursive: true, force: true }) },
      stderr: quiet,
      version: "",
      onInterrupt: () => () => {},
    };
    const options = {
      endpoint: [`a=${golden.url},model=fast`],
      rounds: 2,
      requests: 4,
      warmUp: false,
      report: ["gone/lost.html", "kept.csv"],
      save: "kept.json",
    };
    const defaults = Object.fromEntries(
      benchCommand.options.map((option) => [option.attributeName(), option.negate ? true : option.defaultValue]),
    );
    await expect(benchCommand.run(host, [undefined, []], { ...defaults, ...options }, new Set())).rejects.toThrow(
      /gone\/lost\.html: cannot write/,
    );
    expect(existsSync(join(folder, "kept.csv"))).toBe(true);
    expect(existsSync(join(folder, "kept.json"))).toBe(true);
  });

  test.each([
    ["no address", ["--endpoint", "new"], /^error: --endpoint new: write it as <label>=<url>,model=<id>/],
    ["no model", ["--endpoint", "http://localhost:1"], /model= is missing/],
    ["an unknown field", ["--endpoint", "http://localhost:1,model=m,size=3"], /"size=" is not known; it takes model/],
    [
      "a label twice",
      ["--endpoint", "a=http://localhost:1,model=m", "--endpoint", "a=http://localhost:1,model=m"],
      /label is given twice/,
    ],
    [
      "an official host without its key",
      ["--endpoint", "https://api.deepseek.com,model=m"],
      /DEEPSEEK_API_KEY is not set/,
    ],
    [
      "a body that is no object",
      ["--endpoint", "http://localhost:1,model=m", "--body", "[1]"],
      /^error: --body: it must be a JSON object/,
    ],
    ["arrivals without a rate", ["--endpoint", "http://localhost:1,model=m", "--arrival", "gamma"], /is for --rate/],
    [
      "arrivals of a trace's own",
      ["--endpoint", "http://localhost:1,model=m", "--trace", "times.jsonl", "--arrival", "gamma"],
      /--arrival gamma: is for --rate/,
    ],
    ["a gate for the self-test", ["--self-test", "--gate", "error_rate < 1%"], /--gate: is for measurements/],
    ["no confidence", ["--endpoint", "http://localhost:1,model=m", "--confidence", "1"], /from 50% to 99\.9%/],
    ["no data set", ["--endpoint", "http://localhost:1,model=m", "--in-order"], /--in-order: is for --dataset/],
    [
      "no kept run",
      ["--endpoint", "http://localhost:1,model=m", "--any-workload"],
      /--any-workload: is for --baseline/,
    ],
    ["an SLO for model files", ["a.onnx", "--slo", "ttft=1s"], /--slo: is for endpoints/],
    ["a load for kept runs", ["a.json", "b.json", "--concurrency", "4"], /--concurrency: is for measuring/],
    ["nobody there", ["--endpoint", "http://127.0.0.1:1,model=m"], /refused/],
    ["a rate of 0", ["--endpoint", "http://localhost:1,model=m", "--rate", "0"], /requests per second above 0/],
    ["a duration of 0", ["--endpoint", "http://localhost:1,model=m", "--duration", "0s"], /a time above 0/],
    [
      "both loads",
      ["--endpoint", "http://localhost:1,model=m", "--rate", "1", "--concurrency", "2"],
      /give one of them/,
    ],
    [
      "an unknown metric in a gate",
      ["--endpoint", "http://localhost:1,model=m", "--gate", "p50(speed) < 1s"],
      /^error: .*speed.*ttft/,
    ],
    [
      "a dataset line that is not JSON",
      ["--endpoint", "http://localhost:1,model=m", "--dataset", "torn.jsonl"],
      /^error: torn\.jsonl: line 2/,
    ],
    [
      "a dataset that is not there",
      ["--endpoint", "http://localhost:1,model=m", "--dataset", "nope.jsonl"],
      /^error: nope\.jsonl: cannot read/,
    ],
    [
      "two kinds of questions",
      ["--endpoint", "http://localhost:1,model=m", "--preset", "chat", "--synthetic", "in=5"],
      /give one of them/,
    ],
    [
      "options of model files",
      ["--endpoint", "http://localhost:1,model=m", "--threads", "2"],
      /^error: --threads: is for model files/,
    ],
    [
      "model files as well",
      ["--endpoint", "http://localhost:1,model=m", "a.onnx"],
      /model files or endpoints, not both/,
    ],
    ["options of endpoints for model files", ["a.onnx", "--rate", "2"], /^error: --rate: is for endpoints/],
    ["nothing", [], /^error: nothing to measure/],
    ["a kept run that is not JSON", ["torn.json", "torn.json"], /^error: torn\.json: is not valid JSON/],
    ["one kept run", ["other.json"], /two at a time/],
    [
      "a file that is no kept run",
      ["other.json", "other.json"],
      /^error: other\.json: is no result of deepseek bench: its schema is something@1/,
    ],
  ])("%s is refused in a line", async (_, argv, message) => {
    const { code, stdout, stderr } = await bench(argv);
    expect(stderr).toMatch(message);
    expect(stderr.trim().split("\n").length).toBeLessThan(3);
    expect(code).toBe(2);
    expect(stdout).toBe("");
  });

  test("a site that is no API says what it answered", async () => {
    const { port } = site.address() as AddressInfo;
    const { code, stderr } = await bench(["--endpoint", `http://127.0.0.1:${port},model=m`]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^error: --endpoint m .*<h1>Hello/);
  });

  test("a model that is not there says what the server answered", async () => {
    const { code, stderr } = await bench([...at("a", "nobody"), ...brief]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^error: --endpoint a .*http-4xx: status 400: Model Not Exist/);
    expect(existsSync(join(folder, "nobody.json"))).toBe(false);
  });
});
