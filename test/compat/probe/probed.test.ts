import { describe, expect, test } from "@jest/globals";
import { applyFixes } from "../../../src/compat/fix/fix.js";
import { bareUrl, keepable, parseRecording, type Recording } from "../../../src/compat/probe/recording.js";
import { retiredModelAlias } from "../../../src/compat/rules/retired-model-alias.js";
import { scan } from "../../../src/compat/scan.js";
import { memorySources } from "../memory.js";

const answer = (id: string, status: number, response: unknown) => ({
  id,
  method: "POST" as const,
  path: "/chat/completions",
  status,
  response: JSON.stringify(response),
});
const good = { choices: [{ message: { content: "Hello." } }] };
const recording = (baseUrl: string, accepts: boolean): Recording => ({
  schema: "deepseek-compat/probe@1",
  baseUrl,
  model: "deepseek-flash",
  date: "2026-11-25",
  exchanges: [accepts ? answer("alias-chat", 200, good) : answer("alias-chat", 400, { error: { message: "no" } })],
});
const likely = {
  "a.ts": `const c = new OpenAI({ baseURL: process.env.LLM ?? "https://api.deepseek.com/v1" });
c.chat.completions.create({ model: "deepseek-chat", messages });
`,
};
const rules = [retiredModelAlias];
const findings = async (probe: Recording | undefined) =>
  (await scan(memorySources(likely), { target: "current", rules, ...(probe ? { probe } : {}) })).findings;

describe("a probe as evidence", () => {
  test("what is likely becomes certain where the probed URL is the call site's, and says why", async () => {
    expect((await findings(undefined))[0]?.host?.certainty).toBe("possible");
    const [found] = await findings(recording("https://api.deepseek.com", false));
    expect(found?.host).toMatchObject({
      certainty: "certain",
      evidence: expect.stringContaining("probe of https://api.deepseek.com on 2026-11-25"),
    });
    expect([found?.severity, found?.fix?.applicability]).toEqual(["error", "safe"]);
  });

  test("another URL says nothing of it", async () => {
    const [found] = await findings(recording("https://proxy.example.com", true));
    expect([found?.host?.certainty, found?.severity]).toEqual(["possible", "error"]);
  });

  test("where the old name is still taken it is no error", async () => {
    const [found] = await findings(recording("https://api.deepseek.com/", true));
    expect([found?.severity, found?.message]).toEqual(["info", expect.stringContaining("still accepted: probe of")]);
  });

  test("fixing goes by it too", async () => {
    const options = { target: "current" as const, rules, probe: recording("https://api.deepseek.com", false) };
    const { changed } = await applyFixes(memorySources(likely), options, "safe");
    expect(changed.get("a.ts")).toContain('model: "deepseek-flash"');
  });
});

describe("recordings", () => {
  test.each([
    ["https://api.deepseek.com/v1/", "https://api.deepseek.com"],
    ["https://API.deepseek.com/beta", "https://api.deepseek.com"],
    ["https://api.deepseek.com/chat/completions", "https://api.deepseek.com"],
    ["http://localhost:8000/proxy/v1", "http://localhost:8000/proxy"],
    ["no url", "no url"],
  ])("%s is the endpoint %s", (url, bare) => {
    expect(bareUrl(url)).toBe(bare);
  });

  test.each([
    "",
    "[]",
    "null",
    "{",
    '{"schema":"deepseek-compat/probe@2"}',
    '{"schema":"deepseek-compat/probe@1","baseUrl":"x"}',
  ])("%s is none", (text) => {
    expect(parseRecording(text)).toBeUndefined();
  });

  test("one that was written is read again", () => {
    const one = recording("https://api.deepseek.com", true);
    expect(parseRecording(JSON.stringify(one))).toEqual(one);
  });

  test("keys are not kept, known or not", () => {
    expect(keepable("key abc and sk-aaaabbbbccccdddd", ["abc"])).toBe("key [redacted] and [redacted]");
  });
});
