// What scanning costs, against ripgrep, ast-grep and eslint: `npm run bench:scan`. Needs a network for its corpus and
// its peers, and GNU time. Runs of one comparison are interleaved; medians. `--runs n` (5), `--eslint-runs n` (1).
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus, loadavg } from "node:os";
import { join, resolve } from "node:path";
import { type BaseFile, baseFiles, install, writeCorpus } from "./scan-corpus.js";

const option = (name: string, usual: number) =>
  process.argv.includes(name) ? Number(process.argv[process.argv.indexOf(name) + 1]) : usual;
const runs = option("--runs", 5);
const eslintRuns = option("--eslint-runs", 1);
const work = resolve("bench-work");
const program = resolve("bin", "deepseek-compat.js");

interface Cost {
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
  readonly peakMB: number;
}

interface Command {
  readonly name: string;
  readonly argv: readonly string[];
  readonly cwd: string;
  /** Fewer runs than the others where one takes minutes. */
  readonly runs?: number;
}

/** Runs a command under GNU time. Its exit code says what it found, so only a signal or a failed start is an error. */
function measure({ name, argv, cwd }: Command): Cost {
  const record = join(work, "time.txt");
  const startedMs = performance.now();
  const { error } = spawnSync("/usr/bin/time", ["-o", record, "-f", "%U %S %M", ...argv], { cwd, stdio: "ignore" });
  if (error) throw new Error(`${name}: ${error.message}; this script needs GNU time as /usr/bin/time`);
  const wallMark = performance.now();
  const line = readFileSync(record, "utf8").trim().split("\n").at(-1)!;
  const wallSeconds = (wallMark - startedMs) / 1000;
  const [user, system, kilobytes] = line.split(" ").map(Number) as [number, number, number];
  return { cpuSeconds: user + system, wallSeconds, peakMB: kilobytes / 1024 };
}

const median = (values: readonly number[]) => [...values].sort((a, b) => a - b)[values.length >> 1]!;

/** Medians of commands run in turn, after one run each to fill the file cache. */
function compare(title: string, commands: readonly Command[]): Readonly<Record<string, Cost>> {
  const samples = new Map<string, Cost[]>(commands.map(({ name }) => [name, []]));
  const most = Math.max(...commands.map((command) => command.runs ?? runs));
  for (let run = -1; run < most; run += 1) {
    for (const command of commands) {
      if (run >= (command.runs ?? runs) || (run < 0 && command.runs !== undefined)) continue;
      const cost = measure(command);
      if (run >= 0) samples.get(command.name)!.push(cost);
    }
  }
  const costs = Object.fromEntries(
    [...samples].map(([name, all]) => [
      name,
      {
        cpuSeconds: Number(median(all.map((one) => one.cpuSeconds)).toFixed(2)),
        wallSeconds: Number(median(all.map((one) => one.wallSeconds)).toFixed(3)),
        peakMB: Math.round(median(all.map((one) => one.peakMB))),
      },
    ]),
  );
  console.log(`\n${title}`);
  console.table(costs);
  tables[title] = costs;
  return costs;
}

const tables: Record<string, unknown> = {};
const goals: { goal: string; measured: string; verdict: "PASS" | "MISS" | "not measured" | "no goal" }[] = [];
const judge = (goal: string, value: number | undefined, limit: number, unit: string, atLeast = false) => {
  const verdict = value === undefined ? "not measured" : (atLeast ? value >= limit : value <= limit) ? "PASS" : "MISS";
  goals.push({ goal, measured: value === undefined ? "a peer is missing" : `${value.toFixed(2)}${unit}`, verdict });
};
/** A number that says what a goal's is to be held against. */
const note = (what: string, value: number | undefined, unit: string) => {
  if (value !== undefined) goals.push({ goal: what, measured: `${value.toFixed(2)}${unit}`, verdict: "no goal" });
};
const ratio = (a: Cost | undefined, b: Cost | undefined) => a && b && a.cpuSeconds / b.cpuSeconds;

mkdirSync(work, { recursive: true });
const base = baseFiles(work);
const isHit = ({ mentions }: BaseFile) => mentions;
const calm = base.filter((file) => !isHit(file));
// few mention it: the provider's own package among thousands of others
const provider = base.filter((file) => isHit(file) && /@ai-sdk[\\/]deepseek/.test(file.to));
const again = calm.map((file) => ({ ...file, to: join("more", file.to) }));
// as many mention it as in a large repository (1.4 % of vercel/ai)
const shipped = [...base, ...again];
const corpora = {
  clean: { files: calm, count: 1000 },
  sparse: { files: [...provider, ...calm, ...again], count: 6000 },
  "as shipped, 1k": { files: shipped, count: 1000 },
  "as shipped, 5k": { files: shipped, count: 5000 },
  "as shipped, 16k": { files: shipped, count: 16_000 },
  "as shipped, 20k": { files: shipped, count: 20_000 },
} as const;
const folderOf = (name: keyof typeof corpora) => join(work, "corpora", name.replace(/\W+/g, "-"));
for (const [name, { files, count }] of Object.entries(corpora)) {
  writeCorpus(folderOf(name as keyof typeof corpora), files, count);
}
const shares = Object.entries(corpora).map(([name, { files, count }]) => {
  const hits = Array.from({ length: count }, (_, index) => files[index % files.length]!).filter(isHit).length;
  return { corpus: name, files: count, mention: hits, share: `${((100 * hits) / count).toFixed(2)} %` };
});
console.table(shares);

const peers = join(work, "peers");
install(peers, ["@vscode/ripgrep", "@ast-grep/cli", "eslint@10", "@typescript-eslint/parser@8", "typescript@5.9"]);
const bins = (name: string, ...paths: readonly string[]) => {
  const found = paths.map((path) => (path.startsWith("/") ? path : join(peers, "node_modules", path))).find(existsSync);
  if (!found) console.log(`${name} is missing: its comparisons are left out`);
  return found;
};
const platform = `${process.platform}-${process.arch}`;
const rg = bins("ripgrep", `@vscode/ripgrep-${platform}/bin/rg`, "@vscode/ripgrep/bin/rg", "/usr/bin/rg");
const sg = bins("ast-grep", `@ast-grep/cli-${platform}-gnu/ast-grep`, `@ast-grep/cli-${platform}/ast-grep`);
const eslint = bins("eslint", "eslint/bin/eslint.js");

const ours = (name: string, cwd: string, ...argv: readonly string[]): Command => ({
  name,
  argv: [process.execPath, program, ...argv],
  cwd,
});
const search = (cwd: string): readonly Command[] =>
  rg ? [{ name: "rg -il deepseek", argv: [rg, "-il", "deepseek", "."], cwd }] : [];

{
  const cwd = folderOf("as shipped, 16k");
  const { bare, first } = writePasses();
  const costs = compare("dismissing pass, 16,000 files", [
    ...search(cwd),
    ours("scan --list-files", cwd, "scan", "--list-files"),
    { name: "its first tier alone: bytes", argv: [process.execPath, first], cwd },
    { name: "floor: bare loop in node", argv: [process.execPath, bare], cwd },
    { name: "node -e 0", argv: [process.execPath, "-e", "0"], cwd },
  ]);
  const [own, peer, start] = [costs["scan --list-files"], costs["rg -il deepseek"], costs["node -e 0"]];
  const withoutStart = (name: string) => peer && (costs[name]!.cpuSeconds - start!.cpuSeconds) / peer.cpuSeconds;
  judge("dismissing pass at most 1.5x rg, 16,000 files (CPU)", ratio(own, peer), 1.5, "x");
  judge("(with the start of node taken off)", withoutStart("scan --list-files"), 1.5, "x");
  note(
    "(of which the first tier: bytes, kinds, .gitignore, imports noted)",
    withoutStart("its first tier alone: bytes"),
    "x",
  );
  note("(node's floor: readdir, open, read, close, one expression)", withoutStart("floor: bare loop in node"), "x");
}
{
  const cwd = folderOf("clean");
  const costs = compare("clean repository, 1,000 files", [...search(cwd), ours("scan", cwd, "scan")]);
  const peer = costs["rg -il deepseek"];
  judge("clean repository: over rg (CPU)", peer && costs["scan"]!.cpuSeconds - peer.cpuSeconds, 0.35, " s");
  judge("clean repository: parsers loaded", parsersLoaded(cwd), 0, "");
}
{
  const cwd = folderOf("sparse");
  writePeerSettings();
  const costs = compare("whole scan, 6,000 files of which few mention it", [
    ours("scan", cwd, "scan"),
    ours("scan --list-files", cwd, "scan", "--list-files"),
    ...(sg
      ? [{ name: "ast-grep scan", argv: [sg, "scan", "-c", join(work, "sgconfig.yml"), "--json=compact"], cwd }]
      : []),
    ...(eslint && eslintRuns > 0 ? [{ name: "eslint", runs: eslintRuns, cwd, argv: eslintCommand(eslint) }] : []),
  ]);
  judge("whole scan: times less CPU than ast-grep scan", ratio(costs["ast-grep scan"], costs["scan"]), 5, "x", true);
  judge("whole scan: times less CPU than eslint", ratio(costs["eslint"], costs["scan"]), 50, "x", true);
  judge("peak memory at 6,000 files, few hits", costs["scan"]!.peakMB, 200, " MB");
}
{
  const commands = (["as shipped, 1k", "as shipped, 5k", "as shipped, 20k"] as const).flatMap((name) => [
    ours(`scan, ${name}`, folderOf(name), "scan"),
    ours(`list, ${name}`, folderOf(name), "scan", "--list-files"),
  ]);
  const costs = compare("growth with the number of files", commands);
  const perFile = (name: string, count: number, from: number) =>
    ((costs[`scan, ${name}`]!.cpuSeconds - from) * 1000) / count;
  const start = median(Array.from({ length: runs }, () => measure(ours("start", work, "--version")).cpuSeconds));
  const each = [perFile("as shipped, 5k", 5000, start), perFile("as shipped, 20k", 20_000, start)] as const;
  judge("ms a file at 20,000 files over ms a file at 5,000", each[1] / each[0], 1.25, "x");
  judge("peak memory at 5,000 files, 1 % hits", costs["scan, as shipped, 5k"]!.peakMB, 200, " MB");
  judge("peak memory at 20,000 files, 1 % hits", costs["scan, as shipped, 20k"]!.peakMB, 300, " MB");
  const parsed = selectedIn(folderOf("as shipped, 20k"));
  const reading = costs["scan, as shipped, 20k"]!.cpuSeconds - costs["list, as shipped, 20k"]!.cpuSeconds;
  judge("a file that is parsed (CPU, the parser's start included)", (reading * 1000) / parsed, 30, " ms");
}
{
  const cwd = join(work, "fixes");
  mkdirSync(cwd, { recursive: true });
  const request = 'client.chat.completions.create({ model: "deepseek-chat", messages });\n';
  writeFileSync(
    join(cwd, "many.js"),
    `const client = new OpenAI({ baseURL: "https://api.deepseek.com" });\n${request.repeat(500)}`,
  );
  const costs = compare("500 fixes in one file", [
    ours("scan", cwd, "scan", "--format", "json"),
    ours("scan --diff", cwd, "scan", "--diff", "--format", "json"),
  ]);
  judge("500 fixes over the scan (CPU)", costs["scan --diff"]!.cpuSeconds - costs["scan"]!.cpuSeconds, 0.2, " s");
}
{
  const costs = compare("start", [
    { name: "node -e 0", argv: [process.execPath, "-e", "0"], cwd: work },
    ours("--help", work, "--help"),
  ]);
  judge("--help over node -e 0 (wall)", costs["--help"]!.wallSeconds / costs["node -e 0"]!.wallSeconds, 1.3, "x");
}

console.log("\ngoals");
console.table(goals);
const environment = { node: process.version, cpu: cpus()[0]?.model, cores: cpus().length, load: loadavg()[0] };
writeFileSync(
  join(work, "scan.json"),
  `${JSON.stringify({ environment, runs, eslintRuns, corpora: shares, tables, goals }, undefined, 2)}\n`,
);
console.log(`written to ${join(work, "scan.json")}`);

/**
 * Two programs to hold the pass against: a loop that lists, reads and searches all files and does nothing else, which
 * nothing written in JavaScript undercuts, and the scanner's own first tier without the second, its imports.
 */
function writePasses(): { readonly bare: string; readonly first: string } {
  const bare = join(work, "bare.mjs");
  writeFileSync(
    bare,
    `import { closeSync, openSync, readdirSync, readSync } from "node:fs";
const buffer = Buffer.allocUnsafeSlow(2 * 1024 * 1024);
let found = 0;
for (const folders = ["."]; folders.length > 0; ) {
  const folder = folders.pop();
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = folder + "/" + entry.name;
    if (entry.isDirectory()) folders.push(path);
    else if (entry.isFile()) {
      const file = openSync(path, 0);
      const length = readSync(file, buffer, 0, buffer.length, 0);
      closeSync(file);
      if (/deep[-_ ]?seek/i.test(buffer.toString("latin1", 0, length))) found += 1;
    }
  }
}
console.log(found);
`,
  );
  const first = join(work, "first.mjs");
  const source = JSON.stringify(resolve("dist", "commands", "source-files.js"));
  writeFileSync(
    first,
    `import { findSourceFiles } from ${source};
console.log(findSourceFiles({ cwd: process.cwd() }, ["."]).look.mentioning.size);
`,
  );
  return { bare, first };
}

/** Number of parser packages that a scan loads. */
function parsersLoaded(cwd: string): number {
  const hook = join(work, "loaded.cjs");
  const record = join(work, "loaded.json");
  writeFileSync(
    hook,
    `process.on("exit", () => require("node:fs").writeFileSync(${JSON.stringify(record)}, JSON.stringify(Object.keys(require.cache))));\n`,
  );
  spawnSync(process.execPath, ["--require", hook, program, "scan"], { cwd, stdio: "ignore" });
  const loaded = JSON.parse(readFileSync(record, "utf8")) as string[];
  const parser = /node_modules[\\/](?:ts-morph|@ts-morph|typescript|web-tree-sitter)[\\/]|[\\/]grammars[\\/]/;
  return loaded.filter((path) => parser.test(path)).length;
}

function selectedIn(cwd: string): number {
  const { stdout } = spawnSync(process.execPath, [program, "scan", "--list-files"], {
    cwd,
    encoding: "utf8",
    maxBuffer: 1e9,
  });
  return stdout.trim().split("\n").length;
}

/** One rule each, that does what ours begin with: find strings that mention DeepSeek. */
function writePeerSettings(): void {
  mkdirSync(join(work, "sg-rules"), { recursive: true });
  writeFileSync(join(work, "sgconfig.yml"), "ruleDirs: [sg-rules]\n");
  for (const language of ["TypeScript", "Tsx", "JavaScript"]) {
    writeFileSync(
      join(work, "sg-rules", `${language}.yml`),
      `id: deepseek-${language}\nlanguage: ${language}\nseverity: warning\nrule:\n  kind: string_fragment\n  regex: (?i)deepseek\n`,
    );
  }
  writeFileSync(
    join(peers, "eslint.config.mjs"),
    `import parser from "@typescript-eslint/parser";
const create = (context) => ({
  Literal: (node) => typeof node.value === "string" && /deepseek/i.test(node.value) && context.report({ node, message: "found" }),
  TemplateElement: (node) => /deepseek/i.test(node.value.raw) && context.report({ node, message: "found" }),
});
export default [
  {
    files: ["**/*.{ts,tsx,mts,js,jsx,mjs}"],
    languageOptions: { parser },
    linterOptions: { noInlineConfig: true },
    plugins: { own: { rules: { found: { create } } } },
    rules: { "own/found": "error" },
  },
];
`,
  );
}

function eslintCommand(path: string): readonly string[] {
  const settings = ["--config", join(peers, "eslint.config.mjs"), "--no-warn-ignored", "--format", "json"];
  return [process.execPath, "--max-old-space-size=4096", path, ...settings, "."];
}
