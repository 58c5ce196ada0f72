import { describe, expect, test } from "@jest/globals";
import { judge } from "../../../src/compat/proof/judge.js";
import { type Proof, prove } from "../../../src/compat/proof/proof.js";
import {
  type Body,
  bodyOf,
  type Field,
  holesOf,
  type Node,
  printBody,
} from "../../../src/compat/proof/request-body.js";
import { apiVersions, rows } from "../../../src/compat/proof/schemas.js";
import { exampleFiles } from "../../../src/compat/rule.js";
import { rules } from "../../../src/compat/rules/index.js";
import { readFacts, scan } from "../../../src/compat/scan.js";
import fc from "../../property.js";
import { memorySources, onlyRequest } from "../memory.js";

const openai = 'import OpenAI from "openai";\nconst client = new OpenAI({ baseURL: "https://api.deepseek.com" });\n';
const proofOf = (text: string): Proof => prove(onlyRequest({ "a.ts": text }));
const chat = (fields: string) => proofOf(`${openai}client.chat.completions.create({ messages, ${fields} });`);
const answers = ({ verdicts }: Proof) => apiVersions.map((version) => verdicts?.[version].answer);
const A = "accepted";
const R = "rejected";
const U = "unknown";

describe("what each version answers", () => {
  test.each<[fields: string, expected: readonly string[], words: RegExp]>([
    [
      'model: "deepseek-chat"',
      [A, A, R],
      /accepted before, rejected now: `deepseek-chat` is refused with HTTP 400 since 2026-07-24; taken|400 since 2026-07-24$/,
    ],
    ['model: "deepseek-reasoner", logprobs: true', [R, R, R], /V3\.0 \(`logprobs` is refused with deepseek-reasoner\)/],
    ['model: "deepseek-chat", logprobs: true', [A, A, R], /not known: `logprobs` was refused with thinking/],
    ['model: "deepseek-chat", max_tokens: 9000', [R, R, R], /is outside 1 to 8192/],
    ['model: "deepseek-reasoner", max_tokens: 32768', [R, A, R], /limits reasoning and answer together/],
    ['model: "deepseek-flash", max_tokens: 32768', [R, R, A], /`deepseek-flash` did not exist yet/],
    ['model: "deepseek-flash", max_tokens: 400000', [R, R, R], /outside 1 to 393216/],
    [
      'model: "deepseek-chat", tools: [], tool_choice: "required"',
      [A, A, R],
      /name alone replaced still rejected: `tool_choice`/,
    ],
    [
      'model: "deepseek-flash", thinking: { type: "disabled" }, tools: [], tool_choice: "required"',
      [R, R, A],
      /accepted now/,
    ],
    [
      'model: "deepseek-flash", thinking: { type: mode }, tools: [], tool_choice: "required"',
      [R, R, U],
      /not known now/,
    ],
    ['model: "deepseek-reasoner", tools: []', [R, A, R], /deepseek-chat answer instead/],
    [
      'model: "deepseek-chat", response_format: { type: "json_schema" }',
      [R, R, R],
      /json_schema, which is not available/,
    ],
    [
      'model: "deepseek-chat", max_tokens: limit',
      [U, U, R],
      /not known here whether `max_tokens` is outside 1 to 8192/,
    ],
    ['model: "deepseek-flash", stream_options: { include_usage: true }', [R, R, R], /needs stream: true/],
    ['model: "deepseek-flash", stream: true, stream_options: { include_usage: true }', [R, R, A], /accepted now/],
    ["model, temperature: 1", [U, U, U], /the model is not known here/],
    ['model: "deepseek-v3"', [R, R, R], /`deepseek-v3` is no model of it/],
    [
      'model: process.env.MODEL ?? "deepseek-chat"',
      [U, U, U],
      /refused with HTTP 400 since 2026-07-24, but the model may be another/,
    ],
    [
      'model: "deepseek-flash", response_format: format',
      [R, R, U],
      /not known here whether `response_format.type` is json_schema/,
    ],
    ['model: hard ? "deepseek-reasoner" : "deepseek-chat"', [A, A, R], /rejected now: `deepseek-(chat|reasoner)` is/],
    ['model: "deepseek-flash", ...more', [R, R, U], /a part of the request is not known here/],
  ])("%s", (fields, expected, words) => {
    const proof = chat(fields);
    expect([answers(proof), proof.sentence]).toEqual([expected, expect.stringMatching(words)]);
  });

  test("what is taken without effect is said, and what no documentation knows", () => {
    const { verdicts } = chat(
      'model: "deepseek-flash", temperature: 0, frequency_penalty: 1, max_completion_tokens: 9, chunk_size: 1',
    );
    expect(verdicts?.current.ignored.map(({ field }) => field).sort()).toEqual([
      "frequency_penalty",
      "max_completion_tokens",
      "temperature",
    ]);
    expect(verdicts?.current.undocumented).toEqual(["chunk_size"]);
  });

  test("messages are looked into as far as they are known", () => {
    const value = (only: string | boolean): Node => ({ kind: "value", values: [only], isAll: true });
    const object = (fields: Record<string, Node>): Node => ({
      kind: "object",
      fields: Object.fromEntries(Object.entries(fields).map(([name, node]) => [name, { node, sure: true }])),
    });
    const body = (beta: boolean | undefined, ...items: Node[]): Body => ({
      endpoint: "chat",
      fields: {
        model: { node: value("deepseek-chat"), sure: true },
        messages: { node: { kind: "array", items }, sure: true },
      },
      open: false,
      beta,
    });
    const prefix = object({ role: value("assistant"), prefix: value(true) });
    const of = (one: Body) => judge(one, "v3.1").answer;
    expect(of(body(false, object({ role: value("developer") })))).toBe(R);
    expect([of(body(false, prefix)), of(body(true, prefix)), of(body(undefined, prefix))]).toEqual([R, A, U]);
    expect(of(body(false, { kind: "hole" }))).toBe(A);
    const parts: Node = { kind: "array", items: [object({ type: value("text") })] };
    expect(["user", "assistant"].map((role) => of(body(false, object({ role: value(role), content: parts }))))).toEqual(
      [A, R],
    );
    const image = object({ content: { kind: "array", items: [object({ type: value("image_url") })] } });
    expect(judge(body(false, image), "v3.0").because[0]?.error).toContain("unknown variant `image_url`");
  });

  test("another host and an unknown one are not judged", () => {
    const other = proofOf(
      'const c = new OpenAI({ baseURL: "https://openrouter.ai/api/v1" });\nc.chat.completions.create({ model: "deepseek/deepseek-chat", messages });',
    );
    expect([other.verdicts, other.sentence]).toEqual([undefined, expect.stringContaining("another host (openrouter)")]);
    const unknown = proofOf('c.chat.completions.create({ model: "deepseek-chat", messages });');
    expect(unknown.sentence).toContain("an unknown host");
  });

  test("the endpoint decides: FIM and Anthropic's", () => {
    const fim = proofOf(
      'const c = new OpenAI({ baseURL: "https://api.deepseek.com/beta" });\nc.completions.create({ model: "deepseek-chat", prompt: "def f(", suffix: "return", max_tokens: 5000 });',
    );
    expect(answers(fim)).toEqual([R, R, R]);
    expect(fim.renamed?.because.map(({ words }) => words)).toEqual(["`max_tokens` is outside 1 to 4096"]);
    const anthropic = proofOf(
      'const c = new Anthropic({ baseURL: "https://api.deepseek.com/anthropic" });\nc.messages.create({ model: "claude-x", max_tokens: 9, messages });',
    );
    expect(answers(anthropic)).toEqual([R, A, A]);
    expect(anthropic.sentence).toContain("there was no Anthropic endpoint");
  });
});

describe("the body a call site would send", () => {
  const body = (text: string) => {
    const request = onlyRequest({ "a.ts": text });
    return prove(request).body;
  };

  test("names of the AI SDK become the API's, provider options are merged", () => {
    const text = `import { deepseek } from "@ai-sdk/deepseek";
import { generateObject } from "ai";
generateObject({ model: deepseek("deepseek-chat"), prompt: "secret words", maxOutputTokens: 9, topP: 0.5, maxRetries: 1,
  schema, providerOptions: { deepseek: { thinking: { type: "disabled" } } } });`;
    expect(body(text)).toEqual({
      model: "deepseek-chat",
      messages: "…",
      max_tokens: 9,
      top_p: 0.5,
      thinking: { type: "disabled" },
      response_format: { type: "json_object" },
    });
  });

  test("LangChain's names and modelKwargs; what is the client's own is not sent", () => {
    const text = `import { ChatOpenAI } from "@langchain/openai";
new ChatOpenAI({ model: "deepseek-chat", maxTokens: 5, apiKey: key, streaming: true, modelKwargs: { thinking: { type: "enabled" } },
  configuration: { baseURL: "https://api.deepseek.com" } });`;
    expect(body(text)).toEqual({
      model: "deepseek-chat",
      max_tokens: 5,
      stream: true,
      thinking: { type: "enabled" },
      messages: "…",
    });
  });

  test("prompts and what may be a key are not shown, what is not known is a hole", () => {
    const text = `${openai}client.chat.completions.create({ model: "deepseek-chat", extra: { content: "Dear Bob", level: 1 }, messages, user_key: "abc", tools });`;
    expect(body(text)).toEqual({
      model: "deepseek-chat",
      extra: { content: "…", level: 1 },
      messages: "…",
      user_key: "…",
      tools: "…",
    });
    expect(prove(onlyRequest({ "a.ts": text })).holes).toEqual(["messages", "tools"]);
  });

  test("extra_body is merged for Python and stays a field of no effect in JavaScript", () => {
    const request = onlyRequest({
      "a.ts": `${openai}client.chat.completions.create({ model: "deepseek-flash", messages, extra_body: { thinking: { type: "disabled" } } });`,
    });
    expect(Object.keys(bodyOf(request).fields)).toContain("extra_body");
    const python = bodyOf({ ...request, client: "openai-python" });
    expect(Object.keys(python.fields)).toEqual(["model", "messages", "thinking"]);
  });
});

describe("any body at all", () => {
  const names = [...new Set(rows.flatMap(({ field }) => field.replaceAll("[]", "").split(".")))];
  const leaf: fc.Arbitrary<Node> = fc.oneof(
    fc.constant<Node>({ kind: "hole" }),
    fc.record({
      kind: fc.constant("value" as const),
      values: fc.array(fc.oneof(fc.integer(), fc.boolean(), fc.constantFrom("deepseek-chat", "required", "x")), {
        minLength: 1,
        maxLength: 2,
      }),
      isAll: fc.boolean(),
    }),
  );
  const { node } = fc.letrec<{ node: Node; field: Field }>((tie) => ({
    node: fc.oneof(
      { maxDepth: 4 },
      leaf,
      fc.record({ kind: fc.constant("array" as const), items: fc.array(tie("node"), { maxLength: 3 }) }),
      fc.record({
        kind: fc.constant("object" as const),
        fields: fc.dictionary(fc.constantFrom(...names), tie("field"), { maxKeys: 4 }),
      }),
    ),
    field: fc.record({ node: tie("node"), sure: fc.boolean() }),
  }));
  const fields = fc.dictionary(fc.constantFrom("model", ...names), fc.record({ node, sure: fc.boolean() }));

  test("has a verdict, and a reason wherever it is not accepted; knowing less never makes it accepted or rejected", () => {
    fc.assert(
      fc.property(
        fields,
        fc.constantFrom("chat", "fim", "anthropic", "responses"),
        fc.constantFrom(...apiVersions),
        (own, endpoint, version) => {
          const body: Body = { endpoint, fields: own, open: false, beta: true };
          const verdict = judge(body, version);
          expect(verdict.because.length > 0).toBe(verdict.answer !== "accepted");
          const open = judge({ ...body, open: true }, version);
          if (verdict.answer !== "rejected") expect(open.answer).toBe("unknown");
          expect(holesOf(body).length).toBeGreaterThanOrEqual(0);
          printBody(body);
        },
      ),
    );
  });
});

test("the table has no row twice, and reasons that complete a sentence", () => {
  const keys = rows.map(({ field, endpoint, versions, mode, when }) =>
    JSON.stringify([field, endpoint, versions, mode, when]),
  );
  expect(new Set(keys).size).toBe(keys.length);
  for (const { reason } of rows) expect(reason).toMatch(/^[a-z].*[^.]$/);
});

describe("verdicts agree with the rules on their examples", () => {
  const examples = rules.flatMap((rule) =>
    rule.examples
      .filter(({ language }) => ["ts", "js"].includes(language))
      .map((example, index) => ({ rule, index, ...example })),
  );
  const proofsOf = async (language: keyof typeof exampleFiles, text: string) => {
    const file = exampleFiles[language];
    const facts = await readFacts(memorySources({ [file]: text }), [file]);
    return facts.files.flatMap(({ requests }) => requests).map(prove);
  };

  test.each(examples)("$rule.code example $index", async ({ rule, target, language, before, after }) => {
    const version = target === "current" ? "current" : "v3.1";
    const [bad, good] = [await proofsOf(language, before), await proofsOf(language, after)];
    // a fix never makes a request that was taken one that is refused
    for (const [index, { verdicts }] of good.entries()) {
      if (bad[index]?.verdicts?.[version].answer === "accepted")
        expect(verdicts?.[version].answer).not.toBe("rejected");
    }
    if (rule.code === "R01" && target === "current") {
      const judged = bad.filter(({ verdicts }) => verdicts);
      for (const { verdicts } of judged) expect(verdicts!.current.answer).not.toBe("accepted");
      for (const { verdicts } of good) if (verdicts) expect(verdicts.current.answer).not.toBe("rejected");
    }
    // an error of a rule about requests is a request that is not taken
    if (/^R(01|04|09|12|16|23)$/.test(rule.code)) {
      const file = exampleFiles[language];
      const { findings } = await scan(memorySources({ [file]: before }), { target, rules: [rule] });
      for (const { place, host, severity } of findings) {
        if (severity !== "error" || host?.host !== "official" || host.certainty !== "certain") continue;
        const own = bad.find((one) => one.place.start <= place.start && place.end <= one.place.end);
        if (own?.verdicts) expect([rule.code, own.verdicts[version].answer]).not.toEqual([rule.code, "accepted"]);
      }
    }
    if (rule.code === "R07") {
      // what the fix takes out had no effect
      const silent = bad.flatMap(({ verdicts }) => [...(verdicts?.[version].ignored ?? [])]);
      expect(silent.length).toBeGreaterThan(0);
    }
    if (rule.code === "R03") {
      expect(bad.flatMap(({ verdicts }) => verdicts?.[version].changed.map(({ field }) => field))).toContain(
        "max_tokens",
      );
    }
  });
});
