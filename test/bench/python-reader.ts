// Holds the Python reader against CPython's own `ast` module: the strings, calls and keyword values of real files.
// `npx tsx test/bench/python-reader.ts [--show n] [folder ...]`. Without a folder it takes those of `bench-work/python`,
// into which it downloads a few packages with pip. Needs python3.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join, resolve } from "node:path";
import type { FileFacts } from "../../src/compat/facts.js";
import { readFacts } from "../../src/compat/scan.js";

const packages = "litellm openai langchain-core langchain-openai pydantic-ai-slim llama-index-core instructor dspy";
const filesPerRun = 400;

/** Prints one line of JSON for each file named on stdin: its strings and calls, or null where it is no Python 3. */
const companion = `
import ast, json, sys, warnings
warnings.simplefilter("ignore")
sys.setrecursionlimit(20000)

def text_of(node):
    if isinstance(node, ast.Constant) and isinstance(node.value, str): return node.value
    if isinstance(node, ast.Constant) and isinstance(node.value, bytes): return node.value.decode("latin-1")
    if isinstance(node, ast.JoinedStr):
        return "".join("\\u2026" if isinstance(one, ast.FormattedValue) else one.value for one in node.values)
    return None

def literal_of(node):
    if isinstance(node, ast.UnaryOp) and isinstance(node.op, ast.USub):
        value = literal_of(node.operand)
        return -value if isinstance(value, (int, float)) and not isinstance(value, bool) else None
    if isinstance(node, ast.Constant):
        if isinstance(node.value, bool): return node.value
        if isinstance(node.value, (int, float)) and abs(node.value) < 1e15: return node.value
    return None if isinstance(node, ast.JoinedStr) else text_of(node)

def read(tree):
    strings, calls, pending = [], [], [tree]
    while pending:
        node = pending.pop()
        text = text_of(node)
        if text is not None: strings.append(text)
        if isinstance(node, ast.JoinedStr):
            # the texts between the holes and the formats of holes are no strings of their own
            pending.extend(one.value for one in node.values if isinstance(one, ast.FormattedValue))
            continue
        if isinstance(node, ast.Call):
            name = getattr(node.func, "attr", None) or getattr(node.func, "id", "")
            # a generator without brackets of its own is no list of arguments to the reader
            bare = len(node.args) == 1 and isinstance(node.args[0], ast.GeneratorExp) and not node.keywords
            bare = bare and (node.args[0].end_lineno, node.args[0].end_col_offset) == (node.end_lineno, node.end_col_offset)
            keywords = [[one.arg, literal_of(one.value)] for one in node.keywords if one.arg]
            calls.append([name, None if bare else len(node.args) + len(node.keywords), keywords])
        pending.extend(ast.iter_child_nodes(node))
    return {"strings": strings, "calls": calls}

for line in sys.stdin:
    try:
        with open(line.rstrip("\\n"), encoding="utf-8") as file: print(json.dumps(read(ast.parse(file.read()))))
    except (SyntaxError, ValueError, RecursionError): print("null")
`;

interface Expected {
  readonly strings: readonly string[];
  readonly calls: readonly (readonly [string, number | null, readonly (readonly [string, unknown])[]])[];
}

function filesBelow(folder: string): readonly string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? filesBelow(path) : entry.isFile() && path.endsWith(".py") ? [path] : [];
  });
}

function run(command: string, argv: readonly string[], input = ""): string | undefined {
  const { status, stdout } = spawnSync(command, argv, { input, encoding: "utf8", maxBuffer: 2e9 });
  return status === 0 ? stdout : undefined;
}

/** Folders of packages, downloaded where they are not there yet. */
function downloaded(): readonly string[] {
  const home = resolve("bench-work", "python");
  mkdirSync(home, { recursive: true });
  return packages.split(" ").flatMap((name) => {
    const folder = join(home, name);
    if (!existsSync(folder)) {
      const argv = ["-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", "--target", folder, name];
      if (run("python3", argv) === undefined) console.log(`${name} cannot be downloaded and is left out`);
    }
    return existsSync(folder) ? [folder] : [];
  });
}

/** What one list has that the other has not, each as often. */
function differences(ours: readonly string[], theirs: readonly string[]): readonly string[] {
  const counts = new Map<string, number>();
  for (const one of theirs) counts.set(one, (counts.get(one) ?? 0) + 1);
  for (const one of ours) counts.set(one, (counts.get(one) ?? 0) - 1);
  return [...counts].flatMap(([one, count]) =>
    count === 0 ? [] : [`${count > 0 ? "only CPython has" : "only the reader has"} ${one.slice(0, 160)}`],
  );
}

/** Strings longer than the reader keeps are left out, as is the kind of line break, which Python does not keep. */
const plain = (texts: readonly string[]) =>
  texts.filter(({ length }) => length < 10_000).map((text) => JSON.stringify(text.replaceAll("\r\n", "\n")));

function compareFile(
  facts: FileFacts,
  { strings, calls }: Expected,
): Record<"strings" | "calls" | "keywords", string[]> {
  // a table that machines wrote: the reader keeps no arguments of it
  const few = calls.filter(([, count]) => (count ?? 0) <= 200);
  const own = facts.calls.filter(({ object }) => (object?.properties.length ?? 0) <= 200);
  const count = (name: string, number: number | null) => `${name}(${number ?? 0})`;
  const known = new Map<string, number>();
  for (const one of own)
    for (const { name, literal } of one.arguments) {
      if (name !== undefined && literal !== undefined) {
        const key = `${one.name}(${name}=${JSON.stringify(literal)})`;
        known.set(key, (known.get(key) ?? 0) + 1);
      }
    }
  const wanted = few.flatMap(([name, , keywords]) =>
    keywords.flatMap(([key, value]) => (value === null ? [] : [`${name}(${key}=${JSON.stringify(value)})`])),
  );
  // the reader works out sums and products too: only what it lacks counts
  const missing = wanted.filter((one) => {
    const left = known.get(one) ?? 0;
    known.set(one, left - 1);
    return left <= 0;
  });
  return {
    strings: [...differences(plain(facts.literals.map(({ value }) => value)), plain(strings))],
    calls: [
      ...differences(
        own.map((one) => count(one.name, one.arguments.length)),
        few.map(([name, number]) => count(name, number)),
      ),
    ],
    keywords: missing.map((one) => `only CPython has ${one.slice(0, 160)}`),
  };
}

if (run("python3", ["--version"]) === undefined) {
  console.log("python3 is missing: there is nothing to hold the reader against");
  process.exit(2);
}
const argv = process.argv.slice(2);
const show = argv[0] === "--show" ? Number(argv.splice(0, 2)[1]) : 20;
const files = (argv.length > 0 ? argv.map((one) => resolve(one)) : downloaded()).flatMap(filesBelow).sort();
const totals = { files: 0, "no Python 3": 0, "unread by us": 0, strings: 0, calls: 0, keywords: 0 };
const wrong = { strings: 0, calls: 0, keywords: 0, files: 0 };
const shown: string[] = [];
for (let at = 0; at < files.length; at += filesPerRun) {
  const some = files.slice(at, at + filesPerRun);
  const output = run("python3", ["-c", companion], `${some.join("\n")}\n`);
  if (output === undefined) throw new Error("the companion script failed");
  const answers = output.trimEnd().split("\n");
  for (const [index, path] of some.entries()) {
    const expected = JSON.parse(answers[index]!) as Expected | null;
    if (!expected) {
      totals["no Python 3"] += 1;
      continue;
    }
    const text = readFileSync(path, "utf8").replace(/^\uFEFF/, "");
    const sources = { paths: ["a.py"], has: (file: string) => file === "a.py", read: () => text };
    const [facts] = (await readFacts(sources, ["a.py"])).files;
    if (!facts || facts.syntaxErrors.length > 0) {
      totals["unread by us"] += 1;
      shown.push(`${path}: ${facts?.syntaxErrors[0]?.message ?? "no facts"}`);
      continue;
    }
    totals.files += 1;
    totals.strings += expected.strings.length;
    totals.calls += expected.calls.length;
    totals.keywords += expected.calls.reduce((sum, [, , keywords]) => sum + keywords.length, 0);
    const found = compareFile(facts, expected);
    const all = Object.entries(found) as [keyof typeof found, string[]][];
    for (const [what, list] of all) {
      wrong[what] += list.length;
      for (const one of list) shown.push(`${path}: ${what}: ${one}`);
    }
    if (all.some(([, list]) => list.length > 0)) wrong.files += 1;
  }
}
for (const one of shown.slice(0, show)) console.log(one);
if (shown.length > show) console.log(`... and ${shown.length - show} more; --show ${shown.length} lists them`);
console.table({ compared: totals, different: wrong });
process.exitCode = wrong.files > 0 || totals["unread by us"] > 0 ? 1 : 0;
