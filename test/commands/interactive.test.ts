import { describe, expect, test } from "@jest/globals";
import type { Host } from "../../src/cli.js";
import { type Ask, askForFixes } from "../../src/commands/interactive.js";
import { applyFixes } from "../../src/compat/fix/fix.js";
import { scan } from "../../src/compat/scan.js";
import { memorySources } from "../compat/memory.js";

const client = 'const client = new OpenAI({ baseURL: "https://api.deepseek.com" });\n';
const call = (name: string) => `${name}(client.chat.completions.create({ model: "deepseek-chat", messages }));\n`;
const options = { target: "current" } as const;

/** Fixes some files as somebody who gives these answers would; Ctrl-C once they run out. */
async function answered(files: Readonly<Record<string, string>>, ...replies: readonly string[]) {
  let stdout = "";
  const output = { write: () => {}, isTerminal: true, columns: 80 };
  const host: Host = {
    cwd: ".",
    env: {},
    version: "0",
    stdout: {
      ...output,
      write(text) {
        stdout += text;
      },
    },
    stderr: output,
    onInterrupt: () => () => {},
  };
  const left = [...replies];
  const ask: Ask = async () => left.shift();
  const sources = memorySources(files);
  const first = await scan(sources, options);
  const choose = await askForFixes(
    host,
    first,
    (file) => files[file]!,
    () => true,
    ask,
  );
  const isInterrupted = choose === "interrupted";
  const changed =
    choose && choose !== "interrupted"
      ? (await applyFixes(sources, options, "suggested", { choose })).changed
      : new Map<string, string>();
  return { stdout, changed, left, isInterrupted };
}

const fixed = '{ model: "deepseek-flash", thinking: { type: "disabled" }, messages }';
const two = { "a.js": client + call("one") + call("two") };

describe("asking for each fix", () => {
  test("what was said yes to is written, the rest stays", async () => {
    const { changed, stdout } = await answered(two, "skip", "apply");
    expect(changed.get("a.js")).toBe(client + call("one") + call("two").replace(/\{.*\}/, fixed));
    expect(stdout).toContain("1 of 2  a.js:2:45  error  ");
    expect(stdout).toContain(`+one(client.chat.completions.create(${fixed}));\n`);
  });

  test("quit keeps the answers so far", async () => {
    const { changed } = await answered(two, "apply", "quit");
    expect(changed.get("a.js")).toBe(client + call("one").replace(/\{.*\}/, fixed) + call("two"));
  });

  test("Ctrl-C writes nothing", async () => {
    const { changed, isInterrupted } = await answered(two, "apply");
    expect([changed.size, isInterrupted]).toEqual([0, true]);
  });

  test("skipping the rule asks no more about it", async () => {
    const { changed, left } = await answered(two, "skip the rule", "never asked");
    expect([changed.size, left]).toEqual([0, ["never asked"]]);
  });

  test("fixes that wait for another one in the file are written too", async () => {
    const text = `${client}client.chat.completions.create({ model: "deepseek-reasoner", messages, temperature: 0 });\n`;
    const { changed } = await answered({ "a.js": text }, "apply", "apply");
    expect(changed.get("a.js")).toBe(
      `${client}client.chat.completions.create({ model: "deepseek-flash", thinking: { type: "enabled" }, messages });\n`,
    );
  });

  test("secrets in the lines shown are masked, and kept in what is written", async () => {
    const text = `${client.replace("{ ", '{ apiKey: "sk-1a2b3c4d5e6f7a8b", ')}${call("one")}`;
    const { changed, stdout } = await answered({ "a.js": text }, "apply");
    expect(stdout).toContain("sk-****************");
    expect(stdout).not.toContain("1a2b3c");
    expect(changed.get("a.js")).toContain("sk-1a2b3c4d5e6f7a8b");
  });
});
