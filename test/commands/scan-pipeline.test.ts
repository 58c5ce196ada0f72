import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { scanCommand } from "../../src/commands/scan.js";
import type { ScanReport } from "../../src/render/scan-report.js";
import { runCommand } from "../host.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "pipeline-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

type World = Parameters<typeof runCommand>[3];
const scan = (argv: readonly string[], world?: World, cwd = folder) => runCommand(scanCommand, argv, cwd, world);
const reportOf = async (argv: readonly string[], cwd = folder, world?: World) => {
  const { stdout, stderr } = await scan([...argv, "--json"], world, cwd);
  if (stdout === "") throw new Error(stderr);
  return JSON.parse(stdout) as ScanReport;
};
const write = (name: string, text: string) => {
  mkdirSync(dirname(join(folder, name)), { recursive: true });
  writeFileSync(join(folder, name), text);
};
const read = (name: string) => readFileSync(join(folder, name), "utf8");
const places = ({ findings }: ScanReport) =>
  findings.map(({ place, line, code, baseline }) => `${place.file}:${line} ${code}${baseline ? " known" : ""}`);

const client = 'const client = new OpenAI({ baseURL: "https://api.deepseek.com" });\n';
const call = 'client.chat.completions.create({ model: "deepseek-chat", messages });\n';
const reasoner = 'client.chat.completions.create({ model: "deepseek-reasoner", messages });\n';

describe("--format", () => {
  test("several at once: one on stdout, the others in files", async () => {
    write("a.ts", client + call);
    const { code, stdout } = await scan([
      "--format",
      "sarif:out.sarif",
      "--format",
      "github",
      "--format",
      "html:r.html",
    ]);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^::error file=a\.ts,line=2/);
    expect(JSON.parse(read("out.sarif")).version).toBe("2.1.0");
    expect(read("r.html")).toMatch(/^<!doctype html>/);
  });

  test("with files only, the text still goes to stdout", async () => {
    write("a.ts", client + call);
    const { stdout } = await scan(["--format", "gitlab:q.json", "--report", "r.sarif", "--report", "r.xml"]);
    expect(stdout).toContain("1 finding in 1 file");
    expect(JSON.parse(read("q.json"))).toHaveLength(1);
    expect(read("r.xml")).toContain("<testsuites");
  });

  test("what an earlier run has written is not scanned", async () => {
    write("a.js", client + call);
    const argv = ["--diff", "--report", "r.md", "--format", "json:r.json", "--baseline", "b.json", "--update-baseline"];
    const { stdout } = await scan(argv);
    expect((await scan(argv)).stdout).toBe(stdout);
    expect((await reportOf(argv)).files.scanned).toBe(1);
  });

  test("the HTML page holds the staged plan and the requests with their costs", async () => {
    write("a.ts", client + reasoner);
    write("package.json", '{"name":"<b>shop</b>","dependencies":{"express":"4"}}');
    await scan(["--format", "html:r.html"]);
    const page = read("r.html");
    for (const part of [
      "Stage 1: compatibility: what the target refuses",
      "&#60;b&#62;shop&#60;/b&#62;",
      "deepseek-flash with thinking, or deepseek-v4-pro, for what deepseek-reasoner did?",
      "rejected; deepseek-flash 0.003-0.006/0.15-0.3/0.6-1.2",
      "deepseek bench --endpoint",
    ]) {
      expect(page).toContain(part);
    }
  });

  test("text and the job summary name what a call site costs, before and now", async () => {
    write("a.ts", client + reasoner);
    const line =
      "deepseek-reasoner 0.55/2.19 -> deepseek-reasoner 0.56/1.68 -> deepseek-flash 0.15-0.3/0.6-1.2 (a.ts:2)";
    expect((await scan([])).stdout).toContain(line);
    const { stdout } = await scan(["--format", "markdown"]);
    expect(stdout).toContain(line);
    expect(stdout).toMatch(/readiness 90 of 100: 100 - 10 \(1 blockers\)/);
  });

  test("the summary of a GitHub job is appended to, any other file replaced", async () => {
    write("a.ts", client + call);
    write("summary", "# Before\n");
    const env = { GITHUB_STEP_SUMMARY: join(folder, "summary") };
    await scan(["--format", `markdown:${env.GITHUB_STEP_SUMMARY}`], { env });
    expect(read("summary")).toMatch(/^# Before\n## DeepSeek compatibility\n/);
    await scan(["--format", "markdown:summary"]);
    expect(read("summary")).toMatch(/^## DeepSeek compatibility\n/);
  });

  test.each([
    [["--format", "yaml"], "Allowed choices are text, json, markdown, sarif,"],
    [["--format", "sarif:"], "Behind the colon stands no file."],
    [["--format", "sarif", "--format", "text"], "only one form fits on stdout; write --format sarif:FILE"],
    [["--format", "sarif:x", "--format", "html:x"], "x: two forms would be written to this one file"],
    [["--format", "sarif:nowhere/x"], "nowhere/x: cannot write into"],
    [["--stdin"], "--stdin: --stdin-filename must say what the file is called"],
    [["--stdin-filename", "a.ts"], "--stdin-filename: is for --stdin"],
    [["--stdin", "--stdin-filename", "a.exe"], "a.exe: not a kind of file this program reads"],
    [["--stdin", "--stdin-filename", "a.ts", "--fix"], "--stdin: there is no file to write fixes to"],
    [["--interactive"], "--interactive: needs a terminal to ask on"],
    [["--interactive", "--fix"], "--interactive: asks for each fix itself; leave out --fix"],
    [["--baseline", "none.json"], "none.json: there is no such baseline; make it with --update-baseline"],
    [["--config", "none.json"], "none.json: cannot read the configuration: no such file"],
    [["--max-warnings", "-1"], "It must be a whole number of at least 0"],
    [["--min-score", "101"], "It must be a whole number from 0 to 100"],
    [["--changed"], "--changed: this folder is in no git repository"],
  ])("%j is refused before anything is done", async (argv, message) => {
    const { code, stderr, stdout } = await scan(argv, { stdin: "" });
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).toContain(message);
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe("limits", () => {
  beforeEach(() => write("a.js", `${client}client.chat.completions.create({ model: "deepseek-flash", messages });\n`));

  test("--max-warnings", async () => {
    expect((await scan(["--max-warnings", "1"])).code).toBe(0);
    const { code, stdout } = await scan(["--max-warnings", "0"]);
    expect(code).toBe(1);
    expect(stdout).toContain("fails: 1 warning, at most 0 allowed");
  });

  test("--max-unresolved counts requests that could not be judged", async () => {
    write("b.js", `${client}client.chat.completions.create({ ...request });\n`);
    expect((await scan(["--max-unresolved", "1"])).code).toBe(0);
    expect((await scan(["--max-unresolved", "0"])).stdout).toContain("could not be judged in full, at most 0 allowed");
  });

  test("--min-score", async () => {
    const { score } = (await reportOf([])).score;
    expect(score).toBeLessThan(100);
    expect((await scan(["--min-score", String(score)])).code).toBe(0);
    const { code, stdout } = await scan(["--min-score", String(score + 1)]);
    expect(code).toBe(1);
    expect(stdout).toContain(`fails: the readiness score is ${score}, at least ${score + 1} wanted`);
  });
});

describe("the baseline", () => {
  test("what it knows is marked and does not count; what is new does", async () => {
    write("src/a.ts", client + call);
    expect((await scan(["--update-baseline"])).code).toBe(0);
    expect((await scan([])).code).toBe(0);
    write("src/a.ts", `// moved\n\n${client}${call}${reasoner}`);
    const report = await reportOf([]);
    expect(places(report)).toEqual(["src/a.ts:4 R01 known", "src/a.ts:5 R01"]);
    expect(report.baseline).toMatchObject({ file: "deepseek-compat-baseline.json", known: 1, gone: [] });
    const { code, stdout } = await scan([]);
    expect(code).toBe(1);
    expect(stdout).not.toContain("4:41");
    expect(places(await reportOf(["--no-baseline"]))).toEqual(["src/a.ts:4 R01", "src/a.ts:5 R01"]);
  });

  test("a renamed file keeps its entries, from another folder too", async () => {
    write("src/a.ts", client + call);
    await scan(["--update-baseline"]);
    renameSync(join(folder, "src/a.ts"), join(folder, "src/b.ts"));
    expect(places(await reportOf([]))).toEqual(["src/b.ts:2 R01 known"]);
    expect(places(await reportOf(["--baseline", "../deepseek-compat-baseline.json"], join(folder, "src")))).toEqual([
      "b.ts:2 R01 known",
    ]);
  });

  test("entries found no more are said, and taken out only for what was scanned", async () => {
    write("a.ts", client + call);
    write("b/b.ts", client + call);
    await scan(["--update-baseline"]);
    write("a.ts", client);
    write("b/b.ts", client);
    expect((await scan(["a.ts"])).stdout).toContain("1 entry of the baseline found no more; --update-baseline takes");
    await scan(["a.ts", "--update-baseline"]);
    expect(JSON.parse(read("deepseek-compat-baseline.json")).findings).toMatchObject([{ file: "b/b.ts" }]);
    await scan(["--update-baseline", "--rule", "R05"]);
    expect(JSON.parse(read("deepseek-compat-baseline.json")).findings).toHaveLength(1);
    await scan(["--update-baseline"]);
    expect(JSON.parse(read("deepseek-compat-baseline.json")).findings).toEqual([]);
  });

  test("it holds no code", async () => {
    write("a.ts", `${client}${call.replace("messages", 'user: "sk-1a2b3c4d5e6f7a8b9c0d", messages')}`);
    await scan(["--update-baseline"]);
    expect(Object.keys(JSON.parse(read("deepseek-compat-baseline.json")).findings[0])).toEqual([
      "fingerprint",
      "rule",
      "file",
      "line",
      "message",
    ]);
    expect(read("deepseek-compat-baseline.json")).not.toContain("1a2b3c");
  });
});

describe("suppressions", () => {
  test("a suppressed finding does not count and is not fixed; an unused one is reported", async () => {
    write("a.js", `${client}// deepseek-compat-ignore-next-line R01 -- tested on purpose\n${call}`);
    const report = await reportOf([]);
    expect(places(report)).toEqual([]);
    expect(report.suppressed).toMatchObject([{ line: 3, suppressed: { reason: "tested on purpose", line: 2 } }]);
    const before = read("a.js");
    const { code, stdout } = await scan(["--fix=suggested"]);
    expect([code, read("a.js")]).toEqual([0, before]);
    expect(stdout).toContain("1 finding suppressed by comments in the code");
    write("a.js", `${client}// deepseek-compat-ignore-next-line R01 -- tested on purpose\n`);
    expect(places(await reportOf([]))).toEqual(["a.js:2 R63"]);
    write("a.js", `${client}${call.trimEnd()} // deepseek-compat-ignore R01\n`);
    expect(places(await reportOf([]))).toEqual(["a.js:2 R01", "a.js:2 R62"]);
  });
});

describe("--changed", () => {
  const git = (...argv: string[]) => {
    const identity = ["-c", "user.name=t", "-c", "user.email=t@example.org", "-c", "commit.gpgsign=false"];
    const { status, stderr } = spawnSync("git", [...identity, ...argv], { cwd: folder, encoding: "utf8" });
    if (status !== 0) throw new Error(stderr);
  };
  beforeEach(() => {
    git("init", "-q", "-b", "main");
    write("lib.ts", `export ${client}`);
    write("old.ts", client + call);
    write("sub/b.ts", client);
    git("add", "-A");
    git("commit", "-qm", "first");
    git("checkout", "-qb", "work");
  });

  test("findings of changed, staged and new files only, with facts from all", async () => {
    write("committed.ts", client + call);
    git("add", "-A");
    git("commit", "-qm", "second");
    write("staged.ts", client + call);
    git("add", "staged.ts");
    write("sub/b.ts", client + call);
    write("sub/new ü.ts", `import { client } from "../lib.js";\n${call}`);
    const expected = ["committed.ts:2 R01", "staged.ts:2 R01", "sub/b.ts:2 R01", "sub/new ü.ts:2 R01"];
    const report = await reportOf(["--changed"]);
    expect(places(report)).toEqual(expected);
    expect(report.findings.at(-1)!.host?.certainty).toBe("certain");
    expect(report.changed).toMatchObject({ since: expect.stringMatching(/^main \([0-9a-f]{12}\)$/), files: 4 });
    expect(places(await reportOf(["--changed", "HEAD"]))).toEqual(expected.slice(1));
    // from a folder below the root
    expect(places(await reportOf(["--changed", "main"], join(folder, "sub")))).toEqual([
      "b.ts:2 R01",
      "new ü.ts:2 R01",
    ]);
  });

  test("fixes files that changed only", async () => {
    write("sub/b.ts", client + call);
    await scan(["--changed", "--fix"]);
    expect(read("sub/b.ts")).toContain("deepseek-flash");
    expect(read("old.ts")).toBe(client + call);
  });

  test("in a pull request its target is meant, and a missing one is an error", async () => {
    const { code, stderr } = await scan(["--changed"], { env: { GITHUB_BASE_REF: "release" } });
    expect(code).toBe(2);
    expect(stderr).toContain("--changed origin/release: there is no such branch, tag or commit here; fetch it first");
    expect((await scan(["--changed=--output=x"])).stderr).toContain("--changed --output=x: is no name of a commit");
  });

  test("a shallow clone without the common commit is said to be one", async () => {
    write("one.ts", client);
    git("add", "-A");
    git("commit", "-qm", "second");
    git("checkout", "-q", "main");
    write("two.ts", client);
    git("add", "-A");
    git("commit", "-qm", "third");
    const clone = join(folder, "clone");
    git("clone", "-q", "--depth", "1", "--no-single-branch", `file://${folder}`, clone);
    const { code, stderr } = await scan(["--changed", "origin/work"], undefined, clone);
    expect(code).toBe(2);
    expect(stderr).toContain(
      "this clone is shallow and does not reach the commit that origin/work and HEAD have in common",
    );
  });
});

describe("a clone of one commit", () => {
  test("--changed without a name is refused: there is nothing to compare with, so all would pass", async () => {
    const origin = join(folder, "origin");
    write("origin/a.ts", client + call);
    for (const argv of [
      ["init", "-q", "-b", "main", "."],
      ["add", "-A"],
      ["-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-qm", "one"],
      ["-c", "user.name=a", "-c", "user.email=a@example.org", "commit", "-qm", "two", "--allow-empty"],
    ]) {
      spawnSync("git", argv, { cwd: origin });
    }
    spawnSync("git", ["clone", "-q", "--depth", "1", `file://${origin}`, join(folder, "clone")]);
    const { code, stderr } = await scan(["--changed"], undefined, join(folder, "clone"));
    expect(code).toBe(2);
    expect(stderr).toContain("holds nothing but HEAD to compare with; fetch more history");
  });
});

describe("--stdin", () => {
  test("is scanned under its name, with imports from the disk", async () => {
    write("src/client.ts", `export ${client}`);
    const stdin = `import { client } from "./client.js";\n${call}`;
    const report = await reportOf(["--stdin", "--stdin-filename", "src/new.ts"], folder, { stdin });
    expect(places(report)).toEqual(["src/new.ts:2 R01"]);
    const { stdout } = await scan(["--stdin", "--stdin-filename", "x.js", "--diff"], { stdin: client + call });
    expect(stdout).toContain('+client.chat.completions.create({ model: "deepseek-flash"');
  });

  test("what is no UTF-8 is refused", async () => {
    const { code, stderr } = await scan(["--stdin", "--stdin-filename", "a.ts"], { stdin: Buffer.from([0xff, 0xfe]) });
    expect([code, stderr]).toEqual([2, "error: a.ts: standard input is no UTF-8 text\n"]);
  });
});

test("--from v3.1 leaves out what changed with V3.1", async () => {
  write("a.ts", client + call);
  expect((await reportOf(["--from", "v3.1"])).from).toBe("v3.1");
  expect((await reportOf([])).from).toBe("v3.0");
});

test("--stats says times, languages and reasons", async () => {
  write("a.ts", client + call);
  write("lib.min.js", call);
  const { stats } = await reportOf(["--stats"]);
  expect(stats?.rules.find(({ rule }) => rule === "retired-model-alias")?.findings).toBe(1);
  expect(stats?.languages).toEqual({ typescript: 1 });
  expect(stats?.skipped).toEqual({ minified: { files: 1, folders: 0 } });
  expect((await scan(["--stats"])).stdout).toMatch(/rule +time \(ms\) +findings\n/);
});

describe("the configuration", () => {
  test("severities, switched-off rules, globs, overrides and limits", async () => {
    write("src/a.ts", client + call);
    write("src/legacy/b.ts", client + call);
    write("test/c.ts", client + call);
    write("gen/d.ts", client + call);
    write(
      "deepseek-compat.config.yaml",
      "rules:\n  R01: warning\nexclude: [gen, '*.spec.ts']\nfailOn: warning\noverrides:\n  - files: ['src/legacy/**']\n    rules: { retired-model-alias: 'off' }\n  - files: [test]\n    target: v3.1\n    rules: { R01: error }\n",
    );
    const report = await reportOf([]);
    expect(report.findings.map(({ place, severity }) => `${place.file} ${severity}`)).toEqual([
      "src/a.ts warning",
      "test/c.ts error",
    ]);
    expect(report.files.excluded).toBe(1);
    expect((await scan(["src/a.ts"])).code).toBe(1);
    // the command line is stronger, and --no-config ignores it all
    expect((await scan(["src/a.ts", "--fail-on", "error"])).code).toBe(0);
    expect(places(await reportOf(["--no-config"]))).toHaveLength(4);
    // found from a folder below, with globs relative to its own
    mkdirSync(join(folder, ".git"));
    expect(places(await reportOf([], join(folder, "src")))).toEqual(["a.ts:2 R01"]);
  });

  test("a key in package.json", async () => {
    write("a.ts", client + call);
    write("package.json", JSON.stringify({ name: "x", "deepseek-compat": { failOn: "never" } }));
    expect((await scan([])).code).toBe(0);
  });

  test.each([
    ["deepseek-compat.config.json", "{", "deepseek-compat.config.json: is not valid JSON: "],
    ["deepseek-compat.config.yml", "a: [", "deepseek-compat.config.yml: is not valid YAML: "],
    ["deepseek-compat.config.json", '{"targte": "v3.1"}', 'unknown key "targte"; there are target, from, rules, '],
    ["deepseek-compat.config.json", '{"target": "v2"}', 'target must be "v3.1" or "current"'],
    ["deepseek-compat.config.json", '{"rules": {"R01": "loud"}}', 'rules.R01 must be "off" or "error" or "warning"'],
    ["deepseek-compat.config.json", '{"rules": {"retired-model-alais": "off"}}', "did you mean retired-model-alias?"],
    ["deepseek-compat.config.json", '{"exclude": "gen"}', "exclude must be a list"],
    ["deepseek-compat.config.json", '{"overrides": [{"rules": {}}]}', "overrides[0].files must be a list"],
    [
      "deepseek-compat.config.json",
      '{"overrides": [{"files": ["a"], "failOn": "error"}]}',
      "there are files, target, rules",
    ],
    ["deepseek-compat.config.json", '{"maxWarnings": -1}', "maxWarnings must be at least 0"],
    ["deepseek-compat.config.json", '{"maxWarnings": 1.5}', "maxWarnings must be a whole number"],
    ["deepseek-compat.config.json", '{"baseline": true}', "baseline must be the name of a file, or false"],
    ["deepseek-compat.config.json", "[]", "the configuration must be of type object"],
  ])("%s with %s is refused in one line", async (name, text, message) => {
    write("a.ts", client + call);
    write(name, text);
    const { code, stderr } = await scan([]);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
    expect(stderr.trimEnd().split("\n")).toHaveLength(1);
  });

  test("--list-files leaves out what it excludes", async () => {
    write("a.ts", client + call);
    write("old/b.ts", client + call);
    write("deepseek-compat.config.json", '{"exclude": ["old"]}');
    expect((await scan(["--list-files"])).stdout).toMatch(/^a\.ts: .*\n$/);
  });

  test("two files in one folder are refused", async () => {
    write("deepseek-compat.config.json", "{}");
    write("deepseek-compat.config.yaml", "{}");
    expect((await scan([])).stderr).toContain("in one folder: keep one of them");
  });
});

describe("rules of one's own", () => {
  const rule = (types: string) => `${types ? 'import type { Rule } from "deepseek-compat";\n' : ""}
export const rule${types} = {
  id: "no-todo-model", code: "X01", title: "A model nobody chose", effect: "cost", explanation: "Why not.",
  severity: { "v3.1": "warning", current: "error" }, examples: [], source: { urls: [], date: "2026-01-01", confidence: "primary" },
  *check(facts) {
    for (const file of facts.files) for (const { value, place } of file.literals) {
      if (value === "deepseek-todo") yield { message: "choose a model", place };
    }
  },
};
`;

  test.each([
    ["rules/mine.mjs", ""],
    ["rules/mine.ts", ": Rule"],
  ])("%s finds, can be configured, suppressed and named", async (name, types) => {
    write(name, rule(types));
    write(
      "a.ts",
      'const model = "deepseek-todo";\nconst other = "deepseek-todo"; // deepseek-compat-ignore X01 -- later\n',
    );
    write("deepseek-compat.config.json", JSON.stringify({ plugins: [`./${name}`], exclude: ["rules"] }));
    const report = await reportOf([]);
    expect(places(report)).toEqual(["a.ts:1 X01"]);
    expect(report.suppressed).toHaveLength(1);
    expect(places(await reportOf(["--rule", "X01"]))).toEqual(["a.ts:1 X01"]);
    expect(readdirSync(join(folder, "rules"))).toHaveLength(1);
    write(
      "deepseek-compat.config.json",
      JSON.stringify({ plugins: [name], rules: { "no-todo-model": "off" }, exclude: ["rules"] }),
    );
    expect(places(await reportOf([]))).toEqual([]);
  });

  test.each([
    ["mine.mjs", "export const x = 1;", 'mine.mjs: exports neither "rule" nor "rules"'],
    ["mine.mjs", "export const rule = { id: 1 };", "mine.mjs: rule 1: id must be a string"],
    ["mine.mjs", "export const rule = ;", "mine.mjs: cannot load the rules: "],
    ["mine.mjs", rule("").replace("X01", "R01"), "is taken by R01 retired-model-alias"],
    ["mine.txt", "", "mine.txt: a file with rules ends in .js, .mjs or .ts"],
    ["none.mjs", undefined, "none.mjs: no such file of rules"],
  ])("%s with %s is refused", async (name, text, message) => {
    if (text !== undefined) write(name, text);
    write("deepseek-compat.config.json", JSON.stringify({ plugins: [name] }));
    const { code, stderr } = await scan([]);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
    expect(existsSync(join(folder, "deepseek-compat.config.json"))).toBe(true);
  });

  test.each([
    ["throw new Error('no \\n way')", "mine.mjs: rule X01 no-todo-model: check failed: no "],
    ["return undefined", "mine.mjs: rule X01 no-todo-model: check failed: "],
    ["return [{ place: {} }]", "check gave a problem that cannot be shown: message must be a string"],
    ["return [{ message: 'm' }]", "place must name a file of the facts"],
    ["return [{ message: 'm', place: { file: 'a.ts', start: 0, end: 1e9 } }]", "place must lie in a.ts"],
  ])("an error of the rule itself (%s) is no bug of the program", async (body, message) => {
    write("mine.mjs", rule("").replace(/\*check[\s\S]*\n {2}\},\n/, `check() { ${body}; },\n`));
    write("a.ts", client + call);
    write("deepseek-compat.config.json", JSON.stringify({ plugins: ["mine.mjs"] }));
    const { code, stderr } = await scan([]);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
    expect(stderr.trim().split("\n")).toHaveLength(1);
  });
});
