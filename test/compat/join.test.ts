// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the holes of other languages
import { describe, expect, test } from "@jest/globals";
import { applyFixes } from "../../src/compat/fix/fix.js";
import { readFacts, scan } from "../../src/compat/scan.js";
import { memorySources } from "./memory.js";

/** A script that takes model and URL from the environment. */
const script = 'curl "$LLM_URL/chat/completions" -d "{\\"model\\": \\"$LLM_MODEL\\", \\"messages\\": []}"\n';
const requestOf = async (files: Readonly<Record<string, string>>, file = "ask.sh") => {
  const sources = memorySources(files);
  const facts = await readFacts(sources, sources.paths);
  const request = facts.files.find((one) => one.file === file)!.requests[0]!;
  return {
    host: `${request.host.host} ${request.host.certainty}`,
    evidence: request.host.evidence,
    certainty: request.model?.certainty,
    models: request.model?.candidates.map(({ value, path }) => `${value} (${path.join(" -> ")})`),
  };
};

test("a variable's value comes from the file that sets it, with its line", async () => {
  expect(
    await requestOf({ "ask.sh": script, ".env": "# x\nLLM_URL=https://api.deepseek.com\nLLM_MODEL='deepseek-chat'\n" }),
  ).toEqual({
    host: "official possible",
    evidence: expect.stringContaining("LLM_URL, .env:2"),
    certainty: "possible",
    models: ["deepseek-chat (LLM_MODEL, .env:3)"],
  });
});

test("beside a default the setting is another possible value, with the whole way", async () => {
  const text = `MODEL=\${LLM_MODEL:-deepseek-chat}\n${script.replace("$LLM_MODEL", "$MODEL")}`;
  const { models } = await requestOf({
    "ask.sh": text,
    "compose.yaml": "services:\n  a:\n    environment:\n      LLM_MODEL: deepseek-reasoner\n",
  });
  expect(models).toEqual([
    "deepseek-chat (MODEL, ask.sh:1)",
    "deepseek-reasoner (MODEL, ask.sh:1 -> LLM_MODEL, compose.yaml:4)",
  ]);
});

describe("which files count", () => {
  const env = (url: string) => `LLM_URL=${url}\nLLM_MODEL=deepseek-chat\n`;

  test("the nearest one", async () => {
    const files = {
      "app/src/ask.sh": script,
      "app/.env": env("https://api.deepseek.com"),
      ".env": env("https://openrouter.ai/api/v1"),
    };
    expect((await requestOf(files, "app/src/ask.sh")).host).toBe("official possible");
  });

  test("not that of a neighbouring package", async () => {
    const files = { "a/ask.sh": script, "b/.env": env("https://api.deepseek.com"), "b/package.json": "{}" };
    expect(await requestOf(files, "a/ask.sh")).toMatchObject({ host: "unknown unknown", models: [] });
  });

  test("files for deployment beside the code", async () => {
    const files = {
      "src/ask.sh": script,
      "deploy/k.yaml": "env:\n  - name: LLM_URL\n    value: https://api.deepseek.com\n",
    };
    expect((await requestOf(files, "src/ask.sh")).host).toBe("official possible");
  });

  test("files that contradict each other make the host unknown", async () => {
    const files = {
      "ask.sh": script,
      ".env": env("https://api.deepseek.com"),
      ".env.local": env("http://localhost:8000"),
    };
    expect(await requestOf(files)).toMatchObject({
      host: "unknown unknown",
      evidence: expect.stringContaining("may be one of"),
    });
  });

  test("documentation and secrets do not", async () => {
    const files = {
      "ask.sh": script,
      "a.md": "```env\nLLM_URL=https://api.deepseek.com\n```\n",
      ".env": "LLM_MODEL=sk-0123456789abcdef0123\n",
    };
    expect(await requestOf(files)).toMatchObject({ host: "unknown unknown", models: [] });
  });
});

test("a default host that a file replaces is no longer sure", async () => {
  const text = script.replace("$LLM_URL", "${DEEPSEEK_BASE_URL:-https://api.deepseek.com}");
  const same = { "ask.sh": text, ".env": "DEEPSEEK_BASE_URL=https://api.deepseek.com/v1\n" };
  expect((await requestOf(same)).host).toBe("official certain");
  const other = { "ask.sh": text, ".env": "DEEPSEEK_BASE_URL=http://localhost:8000/v1\n" };
  expect((await requestOf(other)).host).toBe("unknown unknown");
});

describe("the finding", () => {
  const code = `import OpenAI from "openai";
const client = new OpenAI({ baseURL: "https://api.deepseek.com" });
client.chat.completions.create({ model: process.env.LLM_MODEL, messages });
`;

  test("stands where the name is written, and its fix reaches the request that reads it", async () => {
    const sources = memorySources({ "src/a.js": code, ".env": "LLM_MODEL=deepseek-reasoner\n" });
    const options = { target: "current" } as const;
    const { findings } = await scan(sources, options);
    expect(findings.map(({ code: id, place, path, fix }) => [id, place.file, path, fix?.applicability])).toEqual([
      ["R01", ".env", ["LLM_MODEL, .env:1"], "suggested"],
    ]);
    expect((await applyFixes(sources, options, "safe")).changed.size).toBe(0);
    const { changed, remaining } = await applyFixes(sources, options, "suggested");
    expect(changed.get(".env")).toBe("LLM_MODEL=deepseek-flash\n");
    expect(changed.get("src/a.js")).toContain('model: process.env.LLM_MODEL, thinking: { type: "enabled" }');
    expect(remaining.findings).toEqual([]);
  });

  test("is a matter for a person where the files choose between models", async () => {
    const sources = memorySources({
      "a.js": code,
      ".env": "LLM_MODEL=deepseek-chat\n",
      ".env.test": "LLM_MODEL=deepseek-reasoner\n",
    });
    const { findings } = await scan(sources, { target: "current" });
    expect(findings.map(({ place, fix }) => [place.file, fix])).toEqual([
      [".env", undefined],
      [".env.test", undefined],
    ]);
  });
});
