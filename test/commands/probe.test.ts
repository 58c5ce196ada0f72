import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { probeCommand } from "../../src/commands/probe.js";
import { mostRequests } from "../../src/compat/probe/probe.js";
import type { ProbeReport } from "../../src/render/probe.js";
import { runCommand } from "../host.js";
import { type Era, type FakeEndpoint, startEndpoint } from "./fake-endpoint.js";

const key = "sk-0123456789abcdef-not-a-real-key";
let folder: string;
let endpoint: FakeEndpoint | undefined;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "probe-"));
});
afterEach(async () => {
  rmSync(folder, { recursive: true, force: true });
  await endpoint?.close();
  endpoint = undefined;
});

const probe = (argv: readonly string[], env = { DEEPSEEK_API_KEY: key }) =>
  runCommand(probeCommand, argv, folder, { env });
const probed = async (era: Parameters<typeof startEndpoint>[0], ...more: readonly string[]) => {
  endpoint = await startEndpoint(era);
  return probe(["--base-url", endpoint.url, ...more]);
};
const matrixOf = ({ capabilities }: ProbeReport) =>
  Object.fromEntries(capabilities.map(({ id, answer }) => [id, answer]));

const matrices: readonly (readonly [era: Era, expected: Readonly<Record<string, string>>])[] = [
  [
    "v3.0",
    {
      models: "yes",
      "alias-chat": "yes",
      "alias-reasoner": "yes",
      "thinks-by-default": "no",
      thinking: "no",
      "enable-thinking": "no",
      "template-kwargs": "no",
      "reasoning-field": "yes",
      tools: "yes",
      "tools-thinking": "no",
      "tool-choice": "no",
      "reasoning-required": "unknown",
      "reasoning-refused": "yes",
      "json-object": "yes",
      "json-schema": "no",
      prefix: "yes",
      fim: "yes",
      "max-completion-tokens": "no",
      "cache-fields": "yes",
      "stream-usage": "yes",
      developer: "no",
    },
  ],
  [
    "v3.1",
    {
      models: "yes",
      "alias-chat": "yes",
      "alias-reasoner": "yes",
      "thinks-by-default": "no",
      thinking: "no",
      "enable-thinking": "no",
      "template-kwargs": "no",
      "reasoning-field": "yes",
      tools: "yes",
      "tools-thinking": "no",
      "tool-choice": "yes",
      "reasoning-required": "no",
      "reasoning-refused": "yes",
      "json-object": "yes",
      "json-schema": "no",
      prefix: "yes",
      fim: "yes",
      "max-completion-tokens": "no",
      "cache-fields": "yes",
      "stream-usage": "yes",
      developer: "no",
    },
  ],
  [
    "current",
    {
      models: "yes",
      "alias-chat": "no",
      "alias-reasoner": "no",
      "thinks-by-default": "yes",
      thinking: "yes",
      "enable-thinking": "no",
      "template-kwargs": "no",
      "reasoning-field": "yes",
      tools: "yes",
      "tools-thinking": "yes",
      "tool-choice": "no",
      "reasoning-required": "yes",
      "reasoning-refused": "no",
      "json-object": "yes",
      "json-schema": "no",
      prefix: "yes",
      fim: "no",
      "max-completion-tokens": "no",
      "cache-fields": "yes",
      "stream-usage": "no",
      developer: "no",
    },
  ],
];

describe("what an endpoint does", () => {
  test.each(matrices)("%s", async (era, expected) => {
    const { code, stdout, stderr } = await probed(era, "--json");
    const report = JSON.parse(stdout) as ProbeReport;
    expect(matrixOf(report)).toEqual(expected);
    expect(code).toBe(0);
    expect(stderr).toContain(`at most ${mostRequests} requests, `);
    // small and capped
    expect(endpoint!.requests.length).toBeLessThanOrEqual(mostRequests);
    for (const { path, body } of endpoint!.requests)
      if (path !== "/models") expect(body.max_tokens).toBeLessThanOrEqual(48);
  });

  test("a refusal is shown in the server's own words", async () => {
    const { stdout } = await probed("current");
    expect(stdout).toContain("but you passed deepseek-chat.");
    expect(stdout).toContain("deepseek-flash, deepseek-v4-pro");
  });
});

describe("the key", () => {
  test("comes from the environment and gets nowhere, not even where the server repeats it", async () => {
    const echo = (path: string) =>
      [path === "/models" ? 200 : 400, { error: { message: `bad ${key}, also Bearer ${key}` } }] as const;
    const { stdout, stderr } = await probed(echo, "--record", "probe.json");
    expect(endpoint!.requests[0]!.key).toBe(`Bearer ${key}`);
    const everything = stdout + stderr + readFileSync(join(folder, "probe.json"), "utf8");
    expect(everything).not.toContain(key);
    expect(everything).toContain("[redacted]");
    expect(everything.toLowerCase()).not.toContain("authorization");
  });

  test("another variable holds it, or none", async () => {
    endpoint = await startEndpoint("current");
    await probe(["--base-url", endpoint.url, "--api-key-env", "OTHER"], { OTHER: "abc" } as never);
    expect(endpoint.requests[0]!.key).toBe("Bearer abc");
    const { stderr } = await probe(["--base-url", endpoint.url, "--max-requests", "1"], {} as never);
    expect(stderr).toContain("DEEPSEEK_API_KEY is not set; asking without a key");
    expect(endpoint.requests.at(-1)!.key).toBeUndefined();
  });

  test("does not follow a redirect to another host", async () => {
    const { code, stdout } = await probed(() => [307, ""]);
    expect(code).toBe(1);
    expect(stdout).toContain("HTTP 307");
  });
});

describe("recordings", () => {
  test("replay draws the same matrix without the endpoint", async () => {
    const { stdout } = await probed("v3.1", "--record", "probe.json");
    await endpoint!.close();
    const replay = await probe(["--replay", "probe.json"]);
    expect([replay.code, replay.stdout]).toEqual([0, stdout]);
  });

  test("what --json prints can be replayed too", async () => {
    const { stdout } = await probed("current", "--json");
    writeFileSync(join(folder, "a.json"), stdout);
    expect((await probe(["--replay", "a.json", "--json"])).stdout).toBe(stdout);
  });

  test("a probe that fails writes none", async () => {
    const { code } = await probed(() => [401, { error: { message: "no" } }], "--record", "probe.json");
    expect([code, existsSync(join(folder, "probe.json"))]).toEqual([2, false]);
  });

  test("answers are cut", async () => {
    await probed(
      () => [200, { choices: [{ message: { content: "x".repeat(3_000_000) } }] }],
      "--record",
      "probe.json",
      "--max-requests",
      "2",
    );
    expect(readFileSync(join(folder, "probe.json"), "utf8").length).toBeLessThan(60_000);
  });
});

describe("what goes wrong", () => {
  test.each<[string, readonly string[], RegExp]>([
    ["no endpoint", [], /asks nobody by itself: name the endpoint with --base-url/],
    ["no URL", ["--base-url", "api.deepseek.com"], /must be a URL that begins with http/],
    ["a key in the URL", ["--base-url", "https://me:secret@api.deepseek.com"], /must hold no user, password or query/],
    ["another kind of URL", ["--base-url", "file:///etc"], /must be a URL that begins with http/],
    ["a recording that is none", ["--replay", "a.json"], /^error: a\.json: is no recording of a probe/],
    ["one that is missing", ["--replay", "b.json"], /^error: b\.json: cannot read the recording: no such/],
    ["both", ["--replay", "a.json", "--base-url", "http://127.0.0.1:9"], /cannot be used with/],
    ["nobody there", ["--base-url", "http://127.0.0.1:9"], /no answer \(.*\); is it running, and is the URL right\?/],
  ])("%s", async (_, argv, words) => {
    writeFileSync(join(folder, "a.json"), '{"schema":"deepseek-compat/probe@1","exchanges":[1]}');
    const { code, stderr } = await probe(argv);
    expect([code, stderr]).toEqual([2, expect.stringMatching(words)]);
    expect(stderr).not.toContain("secret");
  });

  test("a refused key and an empty account say what to do", async () => {
    const { stderr } = await probed(() => [401, {}]);
    expect(stderr).toContain("refused the key (HTTP 401); set DEEPSEEK_API_KEY");
    await endpoint!.close();
    expect((await probed(() => [402, {}])).stderr).toContain("no balance");
  });

  test("load, rubbish and slowness are unknown, never no", async () => {
    let count = 0;
    const replies = [
      [429, "busy"],
      [500, "<html>"],
      [200, "not json"],
      [200, "[1,2"],
      [200, { choices: [null] }],
      [200, { choices: [{ message: { tool_calls: {} } }], usage: 3 }],
    ] as const;
    const { code, stdout } = await probed(() => replies[count++ % replies.length] as never, "--json");
    expect(code).toBe(0);
    const { capabilities } = JSON.parse(stdout) as ProbeReport;
    for (const { answer, evidence } of capabilities)
      if (/HTTP (429|500)/.test(evidence)) expect(answer).toBe("unknown");
  });

  test("one answer that does not come is unknown, and the others are asked", async () => {
    const { code, stdout } = await probed(
      (path, { tools }) =>
        tools ? undefined : [200, path === "/models" ? { data: [] } : { choices: [{ message: { content: "Hi" } }] }],
      "--json",
      "--timeout",
      "0.2",
    );
    const { capabilities } = JSON.parse(stdout) as ProbeReport;
    expect([code, capabilities.find(({ id }) => id === "tools")]).toEqual([
      0,
      { id: "tools", title: "tools", answer: "unknown", evidence: "no answer in time" },
    ]);
    expect(capabilities.find(({ id }) => id === "prefix")!.answer).toBe("yes");
  });

  test("--max-requests ends it early; what was not asked is unknown", async () => {
    const { stdout } = await probed("current", "--max-requests", "3", "--json");
    expect(endpoint!.requests.length).toBe(3);
    expect(matrixOf(JSON.parse(stdout) as ProbeReport)).toMatchObject({
      models: "yes",
      "alias-chat": "no",
      fim: "unknown",
    });
  });
});
