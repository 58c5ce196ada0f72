import { expect, test } from "@jest/globals";
import { datasetSource } from "../../../src/bench/workload/dataset.js";
import { promptOf } from "../../../src/bench/workload/workload.js";
import { UserError } from "../../../src/errors.js";
import fc from "../../property.js";

const said = (text: string, name = "prompts.jsonl") => {
  const source = datasetSource(text, name);
  return Array.from({ length: source.size! }, (_, number) => source.take(number, 0));
};
const line = (value: unknown) => JSON.stringify(value);

test.each<[string, unknown, readonly string[], Record<string, unknown>]>([
  [
    "a prompt with parameters beside it",
    { prompt: "Hi", max_tokens: 5, id: 7, stream: false },
    ["user: Hi"],
    { max_tokens: 5 },
  ],
  ["a text alone", "Hi", ["user: Hi"], {}],
  ["a system message beside the prompt", { system: "Be brief", prompt: "Hi" }, ["system: Be brief", "user: Hi"], {}],
  [
    "parameters in their own object",
    { prompt: "Hi", temperature: 1, parameters: { temperature: 0 } },
    ["user: Hi"],
    { temperature: 0 },
  ],
  ["the length of answers (vLLM's custom sets)", { prompt: "Hi", output_tokens: 9 }, ["user: Hi"], { max_tokens: 9 }],
  [
    "messages with a history",
    {
      messages: [
        { role: "user", content: "a" },
        { role: "assistant", content: "b" },
        { role: "user", content: "c" },
      ],
    },
    ["user: a", "assistant: b", "user: c"],
    {},
  ],
  [
    "messages that end with an answer",
    {
      messages: [
        { role: "user", content: "a" },
        { role: "assistant", content: "b" },
      ],
    },
    ["user: a"],
    {},
  ],
  [
    "parts of text",
    {
      messages: [
        {
          role: "user",
          content: [
            { type: "text", text: "a" },
            { type: "text", text: "b" },
          ],
        },
      ],
    },
    ["user: ab"],
    {},
  ],
  [
    "a batch file's body",
    {
      custom_id: "1",
      method: "POST",
      url: "/v1/chat/completions",
      body: { model: "m", max_tokens: 3, messages: [{ role: "user", content: "a" }] },
    },
    ["user: a"],
    { max_tokens: 3 },
  ],
])("reads %s", (_, value, messages, parameters) => {
  const [one] = said(line(value));
  const prompt = promptOf(one!, 0, [], "");
  expect(prompt.messages.map(({ role, content }) => `${role}: ${content}`)).toEqual(messages);
  expect(prompt.parameters).toEqual(parameters);
  expect(one!.turns).toHaveLength(1);
});

test("ShareGPT's conversations become turns, with what was answered then", () => {
  const conversations = [
    { from: "gpt", value: "Hello, how can I help?" },
    { from: "human", value: "One?" },
    { from: "gpt", value: "1." },
    { from: "human", value: "Two?" },
    { from: "gpt", value: "2." },
  ];
  const [one] = said(line({ id: "x", conversations, think: 3 }));
  expect(
    one!.turns.map(({ messages, recordedAnswer, thinkSeconds }) => [
      messages[0]!.content,
      recordedAnswer,
      thinkSeconds,
    ]),
  ).toEqual([
    ["One?", "1.", 0],
    ["Two?", "2.", 3],
  ]);
  expect(promptOf(one!, 1, ["one"], "").messages.map(({ content }) => content)).toEqual(["One?", "one", "Two?"]);
  expect(promptOf(one!, 1, ["one"], "", "recorded").messages.map(({ content }) => content)).toEqual([
    "One?",
    "1.",
    "Two?",
  ]);
  expect(datasetSource(line({ conversations }), "x.jsonl", 1).take(0, 0).turns).toHaveLength(1);
});

test("turns as plain texts (MT-Bench) follow each other", () => {
  const [one] = said(line({ turns: ["First?", "Second?"] }));
  expect(one!.turns.map(({ messages }) => messages.map(({ content }) => content))).toEqual([["First?"], ["Second?"]]);
});

test("an array as a whole file, byte order marks, CRLF and empty lines are understood", () => {
  expect(said('[{"prompt": "a"}, {"prompt": "b"}]', "set.json").map(({ id }) => id)).toEqual(["entry 1", "entry 2"]);
  expect(said('\uFEFF{"prompt": "a"}\r\n\r\n{"prompt": "b"}\r\n').map(({ id }) => id)).toEqual(["line 1", "line 3"]);
  expect(said("one\n\ntwo\r\n", "list.txt").map(({ id, turns }) => [id, turns[0]!.messages[0]!.content])).toEqual([
    ["line 1", "one"],
    ["line 3", "two"],
  ]);
});

test.each<[string, string, RegExp]>([
  [
    "a line that is no JSON",
    '{"prompt": "a"}\nsecret text\n',
    /^prompts\.jsonl: line 2 is not JSON; write one JSON object a line/,
  ],
  [
    "an unknown shape",
    '{"prompt": "a"}\n{"question": "b", "id": 1}',
    /^prompts\.jsonl: line 2 has no prompt that could be sent \(its fields: question, id\)/,
  ],
  ["no object", "\n[1]\n", /^prompts\.jsonl: entry 1 is neither an object nor a text/],
  ["a number", "42", /^prompts\.jsonl: line 1 is neither/],
  ["an empty prompt", '{"prompt": " "}', /line 1 is empty/],
  [
    "an image",
    '{"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {}}]}]}',
    /line 1, message 1 has no text/,
  ],
  [
    "a role that cannot be sent",
    '{"messages": [{"role": "tool", "content": "x"}]}',
    /line 1, message 1 is of nobody who can be sent \(role "tool"\)/,
  ],
  ["nobody asks", '{"conversations": [{"from": "gpt", "value": "x"}]}', /line 1: nobody asks/],
  ["think that is no time", '{"prompt": "a", "think": "2s"}', /line 1: think is not a number of seconds/],
  ["nothing", "\n \n", /^prompts\.jsonl is empty/],
  ["a broken array", '[{"prompt": "a"},', /begins like a JSON array/],
  ["an empty array", "[]", /is an empty array/],
])("refuses %s and names the line, without showing it", (_, text, message) => {
  expect(() => said(text)).toThrow(UserError);
  expect(() => said(text)).toThrow(message);
  expect(() => said(text)).not.toThrow(/secret/);
});

test("files that are too long are refused before they fill the memory", () => {
  const limits = { characters: 100, lines: 3 };
  expect(() => datasetSource("x".repeat(101), "a.txt", 1, limits)).toThrow(
    "a.txt has 101 characters, more than the 100",
  );
  expect(() => datasetSource("x\n".repeat(4), "a.txt", 1, limits)).toThrow("a.txt has more than 3 lines");
});

test("any JSON is read or refused with its line", () => {
  fc.assert(
    fc.property(fc.array(fc.json(), { minLength: 1, maxLength: 4 }), (lines) => {
      try {
        said(lines.join("\n"));
      } catch (error) {
        expect(error).toBeInstanceOf(UserError);
      }
    }),
    { seed: 1, numRuns: 300 },
  );
});
