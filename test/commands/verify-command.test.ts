import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeEach, describe, expect, test } from "@jest/globals";
import type { Host } from "../../src/cli.js";
import { scanCommand } from "../../src/commands/scan.js";
import { findSourceFiles } from "../../src/commands/source-files.js";
import { writeFixes, writeVerified } from "../../src/commands/verify-command.js";
import { applyFixes } from "../../src/compat/fix/fix.js";
import { runCommand } from "../host.js";

const folder = mkdtempSync(join(tmpdir(), "verify-command-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const request = (name: string) =>
  `import OpenAI from "openai";\nconst client = new OpenAI({ baseURL: "https://api.deepseek.com" });\nexport const ${name} = client.chat.completions.create({ model: "deepseek-chat", messages });\n`;
const names = ["a", "b", "c"];
const textOf = (name: string) => readFileSync(join(folder, `${name}.js`), "utf8");
const isFixed = (name: string) => textOf(name).includes("deepseek-flash");

beforeEach(() => {
  for (const name of names) writeFileSync(join(folder, `${name}.js`), request(name));
});

const quiet = {
  cwd: folder,
  env: {},
  stdout: { write: () => {}, isTerminal: false, columns: 80 },
  stderr: { write: () => {}, isTerminal: false, columns: 80 },
  version: "0.0.0-test",
};

/** A test of the project's own: fails while any (or every) of these files is fixed. */
function command(how: "some" | "every", bad: readonly string[]): string {
  const code = `const fs=require("fs");const bad=${JSON.stringify(bad)}.${how}((n)=>fs.readFileSync(n+".js","utf8").includes("deepseek-flash"));if(bad){console.log("1 test failed");process.exit(1)}`;
  writeFileSync(join(folder, "check.cjs"), code);
  return `"${process.execPath}" check.cjs`;
}

const scan = (...argv: string[]) => runCommand(scanCommand, [...names.map((name) => `${name}.js`), ...argv], folder);

describe("--verify-cmd", () => {
  test("a command that passes before and after verifies every fix", async () => {
    const { code, stdout } = await scan("--fix", "--verify-cmd", command("some", []));
    expect(code).toBe(0);
    expect(names.every(isFixed)).toBe(true);
    expect(stdout.match(/fixed-verified \([^)]*check\.cjs` passes/g)).toHaveLength(3);
  });

  test("the fix that breaks it is found, taken back and left to a person", async () => {
    const { code, stdout, stderr } = await scan("--fix", "--verify-cmd", command("some", ["b"]));
    expect(stderr).toContain("looking for the one that breaks it");
    expect(names.map(isFixed)).toEqual([true, false, true]);
    expect(textOf("b")).toBe(request("b"));
    expect(stdout).toMatch(/fix withdrawn in b\.js: .*made .*check\.cjs` fail \(1 test failed\)/);
    expect(code).toBe(1);
  });

  test("of two that fail only together one stays", async () => {
    await scan("--fix", "--verify-cmd", command("every", ["a", "c"]));
    expect(names.map(isFixed)).toEqual([true, true, false]);
  });

  test("Ctrl-C in the middle leaves every file as it was", async () => {
    // passes at first, then waits for ever with the fixes in place
    writeFileSync(
      join(folder, "check.cjs"),
      'const fs=require("fs");if(fs.readFileSync("a.js","utf8").includes("flash")){fs.writeFileSync("waiting","");setTimeout(()=>{},60000)}',
    );
    const undos: (() => void)[] = [];
    const host: Host = {
      ...quiet,
      onInterrupt(undo) {
        undos.push(undo);
        return () => undos.splice(undos.indexOf(undo), 1);
      },
    };
    const sources = findSourceFiles(host, ["a.js"]);
    const fix = (accept: (key: string) => boolean) => applyFixes(sources, { target: "current" }, "safe", { accept });
    const running = writeVerified(host, `"${process.execPath}" check.cjs`, await fix(() => true), fix);
    while (!existsSync(join(folder, "waiting"))) await new Promise((resolve) => setTimeout(resolve, 20));
    expect(isFixed("a")).toBe(true);
    for (const undo of [...undos].reverse()) undo();
    expect(textOf("a")).toBe(request("a"));
    await running;
    rmSync(join(folder, "waiting"));
  });

  test("a command that fails before says nothing of the fixes", async () => {
    const { stdout, stderr } = await scan("--fix", "--verify-cmd", "exit 3");
    expect(stderr).toContain("fails before anything is changed");
    expect(names.every(isFixed)).toBe(true);
    expect(stdout).toContain("fixed-unverified");
  });

  test.each([[[]], [["--diff", "--fix"]]])("is refused where nothing is written: %j", async (argv) => {
    const { code, stderr } = await scan(...argv, "--verify-cmd", "true");
    expect(code).toBe(2);
    expect(stderr).toContain("--verify-cmd");
    expect(names.some(isFixed)).toBe(false);
  });
});

describe("a file that somebody changes while the fixes are made", () => {
  test("is not overwritten, and the others go back to what they were", async () => {
    // an editor saves b while the command runs
    writeFileSync(
      join(folder, "check.cjs"),
      'const fs=require("fs");if(fs.readFileSync("a.js","utf8").includes("flash")){fs.writeFileSync("b.js","mine");process.exit(1)}',
    );
    const { code, stderr } = await scan("--fix", "--verify-cmd", `"${process.execPath}" check.cjs`);
    expect(code).toBe(2);
    expect(stderr).toContain("b.js: was changed by something else since it was read");
    expect(textOf("b")).toBe("mine");
    expect([textOf("a"), textOf("c")]).toEqual([request("a"), request("c")]);
  });

  test("is not overwritten without a command either, and no other is written", async () => {
    const host: Host = { ...quiet, onInterrupt: () => () => {} };
    const sources = findSourceFiles(host, ["a.js", "b.js"]);
    const fixing = await applyFixes(sources, { target: "current" }, "safe");
    writeFileSync(join(folder, "b.js"), "mine");
    expect(() => writeFixes(host, fixing)).toThrow("b.js: was changed by something else since it was read");
    expect([textOf("a"), textOf("b")]).toEqual([request("a"), "mine"]);
  });
});

test("of equal calls in one file only the one that breaks the command is taken back", async () => {
  const call = 'client.chat.completions.create({ model: "deepseek-chat", messages });\n';
  const head = 'import OpenAI from "openai";\nconst client = new OpenAI({ baseURL: "https://api.deepseek.com" });\n';
  writeFileSync(join(folder, "a.js"), head + call + call + call);
  writeFileSync(
    join(folder, "check.cjs"),
    'const line=require("fs").readFileSync("a.js","utf8").split("\\n")[3];process.exit(line.includes("flash")?1:0)',
  );
  const { code } = await runCommand(
    scanCommand,
    ["a.js", "--fix", "--verify-cmd", `"${process.execPath}" check.cjs`],
    folder,
  );
  expect(code).toBe(1);
  expect(
    textOf("a")
      .split("\n")
      .slice(2, 5)
      .map((line) => line.includes("deepseek-flash")),
  ).toEqual([true, false, true]);
});
