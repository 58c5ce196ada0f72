import { describe, expect, test } from "@jest/globals";
import { Argument, Option } from "commander";
import { type CommandSpec, commanderOf, exitCode, type Host, loadCommands, runProgram } from "../src/cli.js";
import { listCommands } from "../src/commands/list-commands.js";
import { program } from "../src/deepseek-compat.js";
import { UserError } from "../src/errors.js";
import { runCommand } from "./host.js";

const spec = (run: CommandSpec["run"]): CommandSpec => ({
  name: "do",
  summary: "Do it.",
  arguments: [new Argument("<thing>", "what")],
  options: [new Option("--size <n>", "how large").choices(["small", "large"])],
  examples: [{ command: "do this", note: "an example" }],
  exitCodes: { 0: "done", 1: "found", 2: "failed" },
  run,
});
const fine = spec(async () => exitCode.ok);

describe("every command", () => {
  test("lists its options under headings, in the order of these", async () => {
    const options = ["--first", "--second", "--third"].map((name) => new Option(name, "about it"));
    const grouped = { ...fine, options, optionGroups: { More: ["--third", "--first"] } };
    const { stdout } = await runCommand(grouped, ["--help"]);
    expect(stdout).toMatch(/Options:\n +--second[\s\S]*More:\n +--third +about it\n +--first/);
  });

  test("gives its exit code to the shell", async () => {
    expect(
      (
        await runCommand(
          spec(async () => exitCode.found),
          ["x"],
        )
      ).code,
    ).toBe(1);
  });

  test("shows a user's mistake on one line without a stack", async () => {
    const failing = spec(async () => {
      throw new UserError("model.onnx: is a folder; give a file");
    });
    expect(await runCommand(failing, ["x"])).toEqual({
      code: 2,
      stdout: "",
      stderr: "error: model.onnx: is a folder; give a file\n",
    });
  });

  test("shows our own bugs with stack, version and what to do", async () => {
    const broken = spec(async () => {
      throw new TypeError("undefined is not a function");
    });
    const { code, stderr } = await runCommand(broken, ["x"]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/internal error: TypeError: undefined is not a function\n\s+at /);
    expect(stderr).toMatch(/This is a bug in test 0\.0\.0-test\. Please report it/);
  });

  test.each([
    ["a missing argument", [], /missing required argument 'thing'/],
    ["a surplus argument", ["a", "b"], /too many arguments/],
    ["an unknown option", ["a", "--sise", "small"], /unknown option '--sise'\n\(Did you mean --size\?\)/],
    ["a value that is no choice", ["a", "--size", "huge"], /Allowed choices are small, large/],
  ])("refuses %s, names it, and points to the help", async (_, argv, message) => {
    const { code, stdout, stderr } = await runCommand(fine, argv);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(message);
    expect(stderr).toMatch(/\(see: test do --help\)/);
  });

  test("has help with examples and exit codes", async () => {
    const { code, stdout } = await runCommand(fine, ["--help"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/Examples:\n {2}\$ test do this {2}# an example/);
    expect(stdout).toMatch(/Exit codes:\n {2}0 +done\n {2}1 +found\n {2}2 +failed\n {2}130 +interrupted/);
  });
});

test("the list of commands is the same before and after they are loaded", async () => {
  const silent = { write: () => {}, isTerminal: false, columns: 100 };
  const host: Host = { cwd: ".", env: {}, stdout: silent, stderr: silent, version: "", onInterrupt: () => () => {} };
  const loaded = await loadCommands(program);
  expect(commanderOf(program, host).helpInformation()).toBe(commanderOf(loaded, host).helpInformation());
});

test.each([20, 60, 79, 80, 97, 120, 400])(
  "the quick list of commands is the one of commander, %d columns wide",
  async (columns) => {
    const parts: string[] = [];
    const stdout = { write: (text: string) => void parts.push(text), isTerminal: false, columns };
    const host: Host = { cwd: ".", env: {}, stdout, stderr: stdout, version: "", onInterrupt: () => () => {} };
    expect(await runProgram(program, ["--help"], host)).toBe(exitCode.ok);
    expect(listCommands(program, columns)).toBe(parts.join(""));
  },
);
