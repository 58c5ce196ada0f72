// biome-ignore-all lint/suspicious/noTemplateCurlyInString: the holes of other languages
import { describe, expect, test } from "@jest/globals";
import { at, errorsIn, readText } from "./read.js";

const mentionsOf = async (file: string, text: string) =>
  (await readText(file, text)).mentions.map(
    ({ id, kind, name, host }) => `${id} ${kind} ${name}: ${host.host} ${host.certainty}`,
  );
const variablesOf = async (file: string, text: string) => {
  const facts = await readText(file, text);
  return facts.settings
    .filter(({ isEnvironment }) => isEnvironment)
    .map((one) => `${one.name}=${one.value} ${at(facts, one.namePlace)} ${at(facts, one.place)}`);
};

describe("leaves have a path and a place, alike in every format", () => {
  const expected = [
    ["llm.model", "deepseek-chat", "deepseek-chat"],
    ["llm.limits.0", undefined, undefined],
    ["llm.max_tokens", 8000, "8000"],
    ["llm.on", true, "true"],
  ].filter(([, value]) => value !== undefined);

  test.each([
    ["a.json", '{ "llm": { "model": "deepseek-chat", "max_tokens": 8000, "on": true } }'],
    ["a.jsonc", '{ // c\n "llm": { "model": "deepseek-chat", "max_tokens": 8000, /* d */ "on": true, }, }'],
    ["a.code-workspace", '\uFEFF{ "llm": { "model": "deepseek-chat",\r\n "max_tokens": 8000, "on": true } }'],
    ["a.yaml", "llm:\n  model: deepseek-chat # c\n  max_tokens: 8000\n  on: true\n"],
    ["a.yml", "--- # c\nllm: { model: 'deepseek-chat', \"max_tokens\": 8000, on: true }\n...\n"],
    ["a.toml", "[llm] # c\nmodel = 'deepseek-chat'\nmax_tokens = 8000\non = true\n"],
    ["a.toml", 'llm.model = "deepseek-chat"\nllm.max_tokens = 8000\r\nllm."on" = true'],
    ["a.toml", 'llm = { model = """deepseek-chat""", max_tokens = 8000, on = true }'],
  ])("%s: %j", async (file, text) => {
    const facts = await readText(file, text);
    expect(facts.settings.map((one) => [one.path.join("."), one.value, at(facts, one.place)])).toEqual(expected);
    expect(await errorsIn(file, text)).toBe(0);
  });

  test("documents, anchors and merge keys of YAML lead to where the value is written", async () => {
    const text = "a: &a\n  model: deepseek-chat\nb:\n  <<: *a\n  n: 1\nc: *a\n---\nmodel: deepseek-coder\n";
    const facts = await readText("a.yaml", text);
    expect(facts.settings.map(({ path }) => path.join("."))).toEqual(["a.model", "b.n", "b.model", "c.model", "model"]);
    expect(
      new Set(facts.settings.filter(({ value }) => value === "deepseek-chat").map(({ place }) => place.start)),
    ).toEqual(new Set([text.indexOf("deepseek-chat")]));
    // one literal is one mention
    expect(facts.mentions.map(({ id }) => id)).toEqual(["deepseek-chat", "deepseek-coder"]);
  });

  test("aliases that multiply do not multiply the work", async () => {
    const lines = Array.from(
      { length: 30 },
      (_, index) => `a${index + 1}: &a${index + 1} [${Array(9).fill(`*a${index}`).join(", ")}]`,
    );
    const facts = await readText("a.yaml", `a0: &a0 [deepseek-chat]\n${lines.join("\n")}\nmodel: x\nmessages: *a30\n`);
    expect(facts.mentions).toHaveLength(1);
  });

  test.each([
    ["a.json", '{ "a": }', 1],
    ["a.yaml", "a: [1\nb: 2", 1],
    ["a.toml", "a = \n", 1],
    ["a.jsonl", '{"a": 1}\n{"a": }\n', 1],
  ])("%s: a broken file says so", async (file, text, least) => {
    expect(await errorsIn(file, text)).toBeGreaterThanOrEqual(least);
    expect((await readText(file, text)).syntaxErrors.length).toBeGreaterThanOrEqual(least);
  });

  test("TOML that the library reads otherwise is left out", async () => {
    expect((await readText("a.toml", 'a = 1979-05-27\nb = inf\nc = "x"')).settings.map(({ name }) => name)).toEqual([
      "c",
    ]);
  });
});

describe("environment variables", () => {
  test.each([
    [
      "docker-compose.yaml",
      "services:\n  a:\n    environment:\n      MODEL: deepseek-chat\n",
      ["MODEL=deepseek-chat MODEL deepseek-chat"],
    ],
    [
      "docker-compose.yaml",
      "services:\n  a:\n    environment:\n      - MODEL=deepseek-chat\n",
      ["MODEL=deepseek-chat MODEL deepseek-chat"],
    ],
    [
      "k.yaml",
      "containers:\n  - env:\n      - name: MODEL\n        value: deepseek-chat\n",
      ["MODEL=deepseek-chat MODEL deepseek-chat"],
    ],
    [
      "k.yaml",
      "kind: ConfigMap\ndata:\n  MODEL: deepseek-chat\n  a.txt: b\n",
      ["MODEL=deepseek-chat MODEL deepseek-chat"],
    ],
    [
      ".github/workflows/a.yml",
      "env: { A: 1 }\njobs:\n  x:\n    steps:\n      - env:\n          MODEL: deepseek-chat\n",
      ["A=1 A 1", "MODEL=deepseek-chat MODEL deepseek-chat"],
    ],
    [
      ".gitlab-ci.yml",
      "variables:\n  A: b\n  MODEL: { value: deepseek-chat, description: x }\n",
      ["A=b A b", "MODEL=deepseek-chat MODEL deepseek-chat"],
    ],
    ["settings.json", '{ "env": { "MODEL": "deepseek-chat" } }', ["MODEL=deepseek-chat MODEL deepseek-chat"]],
    ["fly.toml", '[env]\nMODEL = "deepseek-chat"\n', ["MODEL=deepseek-chat MODEL deepseek-chat"]],
    [
      "Dockerfile",
      'FROM x\nENV MODEL="deepseek-chat" \\\n    # why\n    B=c\nENV OLD way of it\nARG D=e\n',
      ["MODEL=deepseek-chat MODEL deepseek-chat", "B=c B c", "OLD=way of it OLD way of it", "D=e D e"],
    ],
    ["a.sh", "export MODEL='deepseek-chat'\nA=b run\n", ["MODEL=deepseek-chat MODEL deepseek-chat", "A=b A b"]],
  ])("%s: %j", async (file, text, expected) => expect(await variablesOf(file, text)).toEqual(expected));
});

describe("the host a model id is for", () => {
  test.each([
    [
      "its own section's URL",
      "a.yaml",
      "llm:\n  model: deepseek-chat\n  base_url: https://api.deepseek.com\n",
      ["deepseek-chat setting model: official certain"],
    ],
    [
      "Continue's provider",
      "config.json",
      '{"models":[{"provider":"deepseek","model":"deepseek-coder"},{"provider":"openrouter","model":"deepseek/deepseek-chat"}]}',
      ["deepseek-coder setting model: official certain", "deepseek/deepseek-chat setting model: openrouter certain"],
    ],
    [
      "litellm",
      "a.yaml",
      "model_list:\n  - model_name: deepseek-chat\n    litellm_params:\n      model: deepseek/deepseek-chat\n",
      ["deepseek/deepseek-chat setting model: official certain"],
    ],
    [
      "litellm with another URL",
      "a.yaml",
      "- litellm_params: { model: deepseek/deepseek-chat, api_base: https://openrouter.ai/api/v1 }\n",
      ["deepseek/deepseek-chat setting model: openrouter certain"],
    ],
    [
      "aider",
      ".aider.conf.yml",
      "model: deepseek/deepseek-chat\nweak-model: openrouter/deepseek/deepseek-chat\n",
      [
        "deepseek/deepseek-chat setting model: official certain",
        "openrouter/deepseek/deepseek-chat setting weak-model: openrouter certain",
      ],
    ],
    [
      "promptfoo",
      "promptfooconfig.yaml",
      "providers:\n  - deepseek:deepseek-chat\n  - id: openrouter:deepseek/deepseek-chat\n",
      [
        "deepseek:deepseek-chat list providers: official certain",
        "openrouter:deepseek/deepseek-chat setting id: openrouter certain",
      ],
    ],
    ["nothing", "a.yaml", "model: deepseek-chat\n", ["deepseek-chat setting model: unknown unknown"]],
    [
      "two hosts in one file",
      "a.yaml",
      "a: { base_url: https://api.deepseek.com }\nb: { base_url: https://openrouter.ai/api/v1 }\nmodel: deepseek-chat\n",
      ["deepseek-chat setting model: unknown unknown"],
    ],
    [
      "a section elsewhere",
      "a.yaml",
      "endpoint: https://api.deepseek.com\nx:\n  y:\n    z: { model: deepseek-chat }\n",
      ["deepseek-chat setting model: official possible"],
    ],
    [
      "an id as key",
      "a.json",
      '{"provider":"deepseek","models":{"deepseek-chat":{"n":1}}}',
      ["deepseek-chat table key models: official possible"],
    ],
  ])("%s", async (_, file, text, expected) => expect(await mentionsOf(file, text)).toEqual(expected));
});

test("numbers and flags belong to the nearest model", async () => {
  const text = `{ "provider": "deepseek", "models": { "deepseek-reasoner": { "maxTokens": 8000, "tools": false } },
    "list": [{ "name": "gpt-x", "contextWindow": 128000 }, { "id": "deepseek-chat", "limits": { "context": 65536 } }], "port": 80 }`;
  const { numbers, flags } = await readText("a.json", text);
  expect(numbers.map(({ name, value, owner }) => [name, value, owner])).toEqual([
    ["maxTokens", 8000, "deepseek-reasoner"],
    ["contextWindow", 128000, undefined],
    ["context", 65536, "deepseek-chat"],
    ["port", 80, undefined],
  ]);
  expect(flags.map(({ name, value, owner }) => [name, value, owner])).toEqual([["tools", false, "deepseek-reasoner"]]);
});

test("a body kept in a file is a request that can be edited", async () => {
  const text = '{"custom_id":"1","body":{"model":"deepseek-chat","messages":[{"role":"user"}],"stop":["a"]}}\n';
  const facts = await readText("batch.jsonl", text);
  const [request] = facts.requests;
  expect(request).toMatchObject({ client: "http", host: { host: "unknown" }, model: { certainty: "certain" } });
  expect(request?.object?.syntax).toBe("json");
  expect(at(facts, request!.object!.place)).toBe('{"model":"deepseek-chat","messages":[{"role":"user"}],"stop":["a"]}');
  expect(request?.parameters.find(({ name }) => name === "stop")?.elements?.[0]?.value.candidates[0]?.value).toBe("a");
  expect(facts.mentions).toEqual([]);
});

describe("data is no configuration", () => {
  test.each([
    ["package-lock.json", '{ "model": "deepseek-chat" }'],
    ["cassette.yaml", "interactions:\n- request:\n    body: { model: deepseek-chat, messages: [] }\nversion: 1\n"],
    ["leaderboard.yml", "- model: deepseek-chat\n  pass_rate_1: 50\n- model: deepseek-reasoner\n  pass_rate_1: 60\n"],
    [
      "openapi.json",
      '{ "openapi": "3.0.0", "paths": { "/x": { "example": { "model": "deepseek-chat", "messages": [] } } } }',
    ],
    ["locales/de.json", '{ "model": "deepseek-chat" }'],
    ["schema.json", '{ "$schema": "https://json-schema.org/draft-07/schema", "enum": ["deepseek-chat"] }'],
    [
      "rows.json",
      JSON.stringify(Array.from({ length: 2000 }, (_, index) => ({ index, model: "deepseek-chat", messages: [] }))),
    ],
  ])("%s", async (file, text) => {
    const { mentions, requests, settings } = await readText(file, text);
    expect({ mentions, requests, settings }).toEqual({ mentions: [], requests: [], settings: [] });
  });
});

describe("commands in configuration", () => {
  const commands = async (file: string, text: string) => {
    const facts = await readText(file, text);
    return facts.commands.map(
      ({ words, context }) => `${context}: ${words.map((word) => `${word.text}|${at(facts, word.place)}`).join(" ")}`,
    );
  };

  test.each([
    [
      "docker-compose.yaml",
      "services:\n  v:\n    image: vllm/vllm-openai\n    command: --model deepseek-ai/DeepSeek-V3\n",
      "compose: vllm/vllm-openai|vllm/vllm-openai --model|--model deepseek-ai/DeepSeek-V3|deepseek-ai/DeepSeek-V3",
    ],
    [
      "compose.yml",
      'services:\n  v:\n    entrypoint: ["vllm", serve]\n    command:\n      - x\n',
      "compose: vllm|vllm serve|serve x|x",
    ],
    [
      "k.yaml",
      'containers:\n  - image: x\n    command: ["vllm"]\n    args: ["serve", "m"]\n',
      "kubernetes: vllm|vllm serve|serve m|m",
    ],
    ["k.yaml", "containers:\n  - image: x\n    command: [sh, -c]\n", "kubernetes: sh|sh -c|-c"],
    [
      ".github/workflows/a.yml",
      "steps:\n  - run: |\n      vllm serve \\\n        m\n",
      "workflow: vllm|vllm serve|serve m|m",
    ],
    [
      ".github/workflows/a.yml",
      "steps:\n  - run: >\n      vllm\n      serve m\n",
      "workflow: vllm|vllm serve|serve m|m",
    ],
    [".gitlab-ci.yml", "job:\n  script:\n    - vllm serve m\n", "workflow: vllm|vllm serve|serve m|m"],
    ["package.json", '{ "scripts": { "a": "X=1 vllm \\"serve\\" m" } }', "package script: vllm|vllm serve|serve m|m"],
    ["Dockerfile", 'FROM x\nENTRYPOINT ["vllm"]\nCMD ["serve", "m"]\n', "dockerfile: vllm|vllm serve|serve m|m"],
    [
      "Dockerfile",
      "FROM x\nRUN --mount=type=cache,target=/x vllm \\\n  # why\n  serve m\n",
      "dockerfile: vllm|vllm serve|serve m|m",
    ],
  ])("%s: %j", async (file, text, expected) => expect((await commands(file, text)).at(-1)).toBe(expected));

  test("the script of sh -c is read", async () => {
    expect(await commands("k.yaml", 'containers:\n  - image: x\n    command: ["sh", "-c", "vllm serve m"]\n')).toEqual([
      "kubernetes: vllm|vllm serve|serve m|m",
    ]);
  });

  test("what an image serves is self-hosted", async () => {
    expect(
      await mentionsOf(
        "compose.yml",
        "services:\n  v:\n    image: vllm/vllm-openai\n    command: --model deepseek-ai/DeepSeek-V3 --api-key abcdefgh\n",
      ),
    ).toEqual(["deepseek-ai/DeepSeek-V3 argument model: self-hosted certain"]);
  });
});

test("comments that speak to this program, in each comment style", async () => {
  const words = "deepseek-compat-ignore R01 -- why";
  for (const [file, text] of [
    ["a.yaml", `# ${words}\na: 1\n`],
    ["a.toml", `a = 1 # ${words}\n`],
    [".env", `# ${words}\n`],
    ["a.json", `{} // ${words}\n`],
    ["a.jsonc", `{} /* ${words} */\n`],
    ["a.sh", `ls # ${words}\r\n`],
    ["Dockerfile", `# ${words}\n`],
    ["a.http", `# ${words}\n`],
    ["a.md", `<!-- ${words} -->\n`],
  ] as const) {
    const facts = await readText(file, text);
    expect([file, facts.comments.map((one) => one.text)]).toEqual([file, [words]]);
  }
  expect((await readText("a.json", `{ "a": "// ${words}" }`)).comments).toEqual([]);
});
