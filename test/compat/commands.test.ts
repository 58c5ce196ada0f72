import { describe, expect, test } from "@jest/globals";
import { readTypeScript } from "../../src/compat/readers/typescript.js";
import { memorySources } from "./memory.js";

function commandsIn(text: string) {
  const [facts] = readTypeScript(memorySources({ "a.ts": text }), ["a.ts"]);
  return facts!.commands.map(({ words, place, context }) => ({
    words: words.map((word) => [word.text, text.slice(word.place.start, word.place.end)]),
    text: text.slice(place.start, place.end),
    context,
  }));
}

describe("commands in code", () => {
  test("the program and its arguments, each in its place, unknown ones as such", () => {
    expect(commandsIn('spawn("vllm", ["serve", model, "--port", 8000, `--x=1`]);')).toEqual([
      {
        words: [
          ["vllm", "vllm"],
          ["serve", "serve"],
          ["\u2026", "model"],
          ["--port", "--port"],
          ["8000", "8000"],
          ["--x=1", "--x=1"],
        ],
        text: '"vllm", ["serve", model, "--port", 8000, `--x=1`]',
        context: "list",
      },
    ]);
  });

  test("lists without an option are data", () => {
    expect(commandsIn('const names = ["deepseek_v3", "-", "--"]; const empty = [];')).toEqual([]);
  });
});
