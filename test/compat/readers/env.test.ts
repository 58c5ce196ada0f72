// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the holes of other languages
import { describe, expect, test } from "@jest/globals";
import { at, errorsIn, readText } from "./read.js";

const settingsOf = async (text: string, file = ".env") => {
  const facts = await readText(file, text);
  return facts.settings.map((one) => [one.name, one.value, at(facts, one.place)]);
};

describe("assignments", () => {
  test.each([
    ["A=b", [["A", "b", "b"]]],
    ["export A = b # why", [["A", "b", "b"]]],
    ['A="b # c" # d', [["A", "b # c", "b # c"]]],
    [
      "A='b'\r\nB=c\r\n",
      [
        ["A", "b", "b"],
        ["B", "c", "c"],
      ],
    ],
    ["A=b#c", [["A", "b#c", "b#c"]]],
    ["# A=b\n\nB=", [["B", "", ""]]],
    [
      'A="b\nc"\nB=d',
      [
        ["A", "b\nc", "b\nc"],
        ["B", "d", "d"],
      ],
    ],
    [
      "A=b\nB=${A}/c\nC=$A",
      [
        ["A", "b", "b"],
        ["B", "b/c", "${A}/c"],
        ["C", "b", "$A"],
      ],
    ],
    ["A=${B:-c}", [["A", "c", "${B:-c}"]]],
    ["\uFEFFA=b", [["A", "b", "b"]]],
  ])("%j", async (text, expected) => expect(await settingsOf(text)).toEqual(expected));

  test.each([".env", ".env.local", "app/.env.example", "prod.env", ".envrc", "env.example"])(
    "%s is read",
    async (file) => expect(await settingsOf("A=b", file)).toEqual([["A", "b", "b"]]),
  );

  test("an open quote is an error", async () => {
    expect(await errorsIn(".env", 'A="b\nC=d')).toBe(1);
    expect(await errorsIn(".env", 'A="b"\nC=d')).toBe(0);
  });
});

describe("secrets", () => {
  const secret = "sk-0123456789abcdef0123456789";

  test.each([
    [`DEEPSEEK_API_KEY=${secret}`],
    [`ANYTHING=${secret}`],
    ["DB_PASSWORD=hunter2hunter2"],
    ["URL=https://me:hunter2hunter2@example.com/x"],
    [`A=b\nAUTH_TOKEN='${secret}'\nCOPY=\${AUTH_TOKEN}`],
  ])("%s stays out of the facts", async (text) => {
    const { text: _, ...facts } = await readText(".env", text);
    expect(facts.settings.some(({ isSecret, value }) => isSecret && value === "")).toBe(true);
    expect(JSON.stringify(facts)).not.toMatch(/0123456789abcdef|hunter2/);
  });

  test.each([
    "API_KEY=",
    "API_KEY=your-key-here",
    "API_KEY=sk-xxxxxxxx",
    "API_KEY=${OTHER}",
    "MAX_TOKENS=4096",
    "EOS_TOKEN=<|end|>",
  ])("%s is none", async (text) => expect((await readText(".env", text)).settings[0]?.isSecret).toBe(false));
});

describe("model ids and the host they are for", () => {
  const verdicts = async (text: string) =>
    (await readText(".env", text)).mentions.map(
      ({ id, kind, name, host }) => `${id} ${kind} ${name}: ${host.host} ${host.certainty}`,
    );

  test.each([
    [
      "DEEPSEEK_BASE_URL=https://api.deepseek.com\nDEEPSEEK_MODEL=deepseek-chat",
      "deepseek-chat setting DEEPSEEK_MODEL: official possible",
    ],
    ["DEEPSEEK_API_KEY=\nMODEL=deepseek-chat", "deepseek-chat setting MODEL: official possible"],
    ["MODEL=deepseek-chat", "deepseek-chat setting MODEL: unknown unknown"],
    ["DEEPSEEK_API_KEY=\nOPENROUTER_API_KEY=\nMODEL=deepseek-chat", "deepseek-chat setting MODEL: unknown unknown"],
    [
      "OPENAI_BASE_URL=https://openrouter.ai/api/v1\nMODEL=deepseek/deepseek-chat",
      "deepseek/deepseek-chat setting MODEL: openrouter possible",
    ],
    ["MODEL=deepseek:deepseek-reasoner", "deepseek:deepseek-reasoner setting MODEL: official certain"],
    ["MODEL=${X:-deepseek-reasoner}", "deepseek-reasoner default MODEL: unknown unknown"],
  ])("%j", async (text, expected) => expect(await verdicts(text)).toEqual([expected]));

  test("of two providers each variable belongs to its own", async () => {
    expect(
      await verdicts(
        "DEEPSEEK_BASE_URL=https://api.deepseek.com\nDEEPSEEK_MODEL=deepseek-chat\nOPENAI_BASE_URL=https://llm.example.com",
      ),
    ).toEqual(["deepseek-chat setting DEEPSEEK_MODEL: official possible"]);
  });
});
