import { expect, test } from "@jest/globals";
import { datasetSource } from "../../../src/bench/workload/dataset.js";
import { makeWorkload, type WorkloadOptions } from "../../../src/bench/workload/make.js";
import { findPreset, presetNames, presetSource } from "../../../src/bench/workload/presets.js";
import { parseSharedPrefix } from "../../../src/bench/workload/shared-prefix.js";
import { parseSynthetic, syntheticSource } from "../../../src/bench/workload/synthetic.js";
import { traceSource } from "../../../src/bench/workload/trace.js";
import { uniquePrefix } from "../../../src/bench/workload/unique-prefix.js";
import { vocabulary } from "../../../src/bench/workload/words.js";

const words = vocabulary();
const options: WorkloadOptions = {
  seed: 1,
  uniquePrefixes: true,
  answers: "measured",
  parameters: {},
  sharedPrefix: null,
  inOrder: false,
};
const tenLines = Array.from({ length: 10 }, (_, at) => `question ${at + 1}`).join("\n");
const dataset = (more: Partial<WorkloadOptions> = {}) =>
  makeWorkload(datasetSource(tenLines, "ten.txt"), { ...options, ...more }, words);
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, at) => from + at);
const synthetic = (text: string, more: Partial<WorkloadOptions> = {}) =>
  makeWorkload(syntheticSource(parseSynthetic(text), more.seed ?? 1, words), { ...options, ...more }, words);

test("a data set is gone through in a seeded order, other in each round, and nothing comes twice before all have come", () => {
  const workload = dataset();
  const ids = (stretch: number, from: number, to: number) =>
    range(from, to).map((place) => workload.conversation(stretch, place).id);
  const first = ids(0, 0, 10);
  expect(new Set(first).size).toBe(10);
  expect(first).not.toEqual(range(1, 11).map((at) => `line ${at}`));
  expect(ids(1, 0, 10)).not.toEqual(first);
  const again = ids(0, 10, 20);
  expect(again.every((id) => id.endsWith("~2"))).toBe(true);
  expect(new Set(again).size).toBe(10);
  // what warms up is what comes last
  expect(ids(0, -3, 0)).toEqual(first.slice(7));
  expect(dataset().conversation(3, 7)).toEqual(workload.conversation(3, 7));
  expect(range(0, 10).map((at) => dataset({ seed: 2 }).conversation(0, at).id)).not.toEqual(first);
  expect(range(0, 10).map((at) => dataset({ inOrder: true }).conversation(5, at).id)).toEqual(
    range(1, 11).map((at) => `line ${at}`),
  );
});

test("equal workloads have equal hashes; another seed, text or parameter has another", () => {
  const { summary } = dataset();
  expect(summary).toMatchObject({ source: "ten.txt", prompts: 10, turns: 1, seed: 1, uniquePrefixes: true });
  expect(summary.characters).toMatchObject({ count: 10, min: 10, max: 11, p90: null });
  expect(dataset().summary.sha256).toBe(summary.sha256);
  const others = [
    dataset({ seed: 2 }),
    dataset({ parameters: { max_tokens: 9 } }),
    makeWorkload(datasetSource(`${tenLines}!`, "ten.txt"), options, words),
  ];
  expect(new Set([summary, ...others.map((one) => one.summary)].map(({ sha256 }) => sha256)).size).toBe(4);
});

test("parameters of the command line replace those of the data set", () => {
  const source = datasetSource('{"prompt": "a", "max_tokens": 5, "temperature": 1}', "a.jsonl");
  const workload = makeWorkload(source, { ...options, parameters: { max_tokens: 9 } }, words);
  expect(workload.conversation(0, 0).turns[0]!.parameters).toEqual({ max_tokens: 9, temperature: 1 });
});

test("synthetic prompts have so many words, the same for the same seed, and others in each round", () => {
  const workload = synthetic("in=512,out=128");
  const { turns, id } = workload.conversation(0, 5);
  const text = turns[0]!.messages[0]!.content;
  expect(text.match(/\w+|[^\w\s]/g)).toHaveLength(512);
  expect(turns[0]!.parameters).toEqual({ max_tokens: 128 });
  expect(synthetic("in=512,out=128").conversation(0, 5)).toEqual(workload.conversation(0, 5));
  const others = [
    workload.conversation(1, 5),
    workload.conversation(0, 6),
    synthetic("in=512,out=128", { seed: 2 }).conversation(0, 5),
  ];
  for (const other of others) expect(other.turns[0]!.messages[0]!.content).not.toBe(text);
  expect(new Set([id, ...others.slice(0, 2).map((other) => other.id)]).size).toBe(3);
  expect(workload.summary.source).toBe("synthetic in=512,out=128 (a word counts as one token)");
});

test("synthetic lengths are distributed, conversations have turns, and answers of a fixed length are asked for where servers can", () => {
  const workload = synthetic("in=uniform:20:40,out=normal:100:30,turns=3,think=500ms");
  const lengths = range(0, 500).map(
    (place) => workload.conversation(0, place).turns[0]!.messages[0]!.content.match(/\w+|[^\w\s]/g)!.length,
  );
  expect([Math.min(...lengths), Math.max(...lengths)]).toEqual([20, 40]);
  expect(workload.conversation(0, 0).turns.map(({ thinkSeconds }) => thinkSeconds)).toEqual([0, 0.5, 0.5]);
  const forced = syntheticSource(parseSynthetic("in=10,out=7", true), 1, words).take(0, 0);
  expect(forced.turns[0]!.parameters).toEqual({ max_tokens: 7, ignore_eos: true, min_tokens: 7 });
});

test.each<[string, RegExp]>([
  ["in=512;out=3", /"in=512;out=3"|"512;out=3"/],
  ["out=3", /says no length of prompts/],
  ["in=0", /"0" is not a whole number from 1 on/],
  ["in=5,in=6", /in is there twice/],
  ["in=zipf:3", /"zipf" is no distribution; give 512, uniform/],
  ["in=normal:5", /needs two numbers/],
  ["in=uniform:9:5", /runs from more to less/],
  ["in=99999999", /more than 4000000/],
  ["in=5,turns=0", /turns=0 is not a whole number/],
  ["in=5,think=soon", /think=soon is not a time/],
  ["", /"" is not in, out, turns or think/],
])("refuses --synthetic %s", (text, message) => {
  expect(() => parseSynthetic(text)).toThrow(message);
});

test("a shared prefix is one of so many, in the system message, and the unique prefix is the group's", () => {
  const shared = { sharedPrefix: parseSharedPrefix("50/3", "--shared-prefix") };
  const workload = synthetic("in=20", shared);
  const asked = range(0, 60).map((place) => workload.conversation(0, place));
  const systems = new Map(asked.map(({ group, turns }) => [group, turns[0]!.messages[0]]));
  expect([...systems.keys()].sort()).toEqual([0, 1, 2]);
  for (const { group, turns } of asked) expect(turns[0]!.messages[0]).toEqual(systems.get(group));
  expect(new Set(asked.map(({ turns }) => turns[0]!.messages[0]!.content)).size).toBe(3);
  expect([...systems.values()][0]).toMatchObject({ role: "system" });
  expect([...systems.values()][0]!.content.split(" ")).toHaveLength(50);
  const prefix = uniquePrefix("s", { target: 0, point: 0, round: 0 });
  expect(prefix(1, 2)).toBe(prefix(7, 2));
  expect(prefix(1, 2)).not.toBe(prefix(1, 1));
  expect(prefix(1, null)).not.toBe(prefix(7, null));
  expect(() => parseSharedPrefix("0/3", "--shared-prefix")).toThrow('--shared-prefix: "0/3" is not tokens/groups');
});

test("unique prefixes do not collide in a long run", () => {
  const prefix = uniquePrefix("salt", { target: 0, point: 0, round: 0 });
  const made = new Set(range(0, 30_000).map((place) => prefix(place, null)));
  expect(made.size).toBe(30_000);
});

test.each(presetNames)("preset %s has prompts and parameters", (name) => {
  const preset = findPreset(name);
  const workload = makeWorkload(presetSource(preset, 1, words), options, words);
  const { parameters, messages } = workload.conversation(0, 0).turns[0]!;
  expect(parameters).toHaveProperty("max_tokens");
  if (name === "chat") expect(parameters).toEqual({ max_tokens: 50, stop: ["\n"], temperature: 0.3 });
  if (name === "tools") expect(parameters).toMatchObject({ tools: [{ type: "function" }, {}, {}] });
  if (name === "long-text") expect(messages[0]!.content.split(" ").length).toBeGreaterThan(8000);
  expect(preset.thinks).toBe(name === "reasoning");
});

test("an unknown preset is refused with the names there are", () => {
  expect(() => findPreset("talk")).toThrow('--preset: there is no "talk"; give chat, long-text, tools, reasoning');
});

test("a trace keeps its times and lengths, and equal hash ids begin alike", () => {
  const lines = [
    { timestamp: 2500, input_length: 1100, output_length: 9, hash_ids: [1, 2, 3] },
    { timestamp: 1000, input_length: 1030, output_length: 7, hash_ids: [1, 2, 4] },
    { at: 4, prompt: "as it was", max_tokens: 3 },
  ];
  const workload = makeWorkload(
    traceSource(lines.map((one) => JSON.stringify(one)).join("\n"), "t.jsonl", 1, words),
    options,
    words,
  );
  expect(workload.arrivals).toEqual([1, 2.5, 4]);
  const [a, b, c] = [0, 1, 2].map((place) => workload.conversation(0, place));
  expect([a!.id, b!.id, c!.id]).toEqual(["line 2", "line 1", "line 3"]);
  const [textA, textB] = [a, b].map((one) => one!.turns[0]!.messages[0]!.content.split(" "));
  expect([textA!.length, textB!.length]).toEqual([1030, 1100]);
  expect(textA!.slice(0, 1024)).toEqual(textB!.slice(0, 1024));
  expect(textA!.slice(1024)).not.toEqual(textB!.slice(1024, 1030));
  expect([a!.group, b!.group, c!.group]).toEqual([0, 0, null]);
  expect(c!.turns[0]).toMatchObject({ parameters: { max_tokens: 3 }, messages: [{ content: "as it was" }] });
  expect(a!.turns[0]!.parameters).toEqual({ max_tokens: 7 });
});

test.each<[unknown, RegExp]>([
  [{ input_length: 5 }, /^t\.jsonl: line 1 has no time \(its fields: input_length\)/],
  [{ timestamp: 5, input_length: 0 }, /input_length is not a whole number/],
  [{ timestamp: 5, input_length: 5, hash_ids: "x" }, /hash_ids is not a list/],
  [{ timestamp: 5, question: "x" }, /has no prompt that could be sent/],
  ["x", /is not an object with a time/],
])("refuses the trace line %j", (value, message) => {
  expect(() => traceSource(JSON.stringify(value), "t.jsonl", 1, words)).toThrow(message);
});
