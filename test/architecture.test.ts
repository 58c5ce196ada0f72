import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "@jest/globals";

const source = join(dirname(fileURLToPath(import.meta.url)), "..", "src");

/** The floors of the house: a folder or file may import its own folder and the floors below it. */
const floors: Readonly<Record<string, number>> = {
  errors: 0,
  cli: 0,
  tensor: 0,
  formats: 0,
  graph: 1,
  engine: 1,
  data: 1,
  train: 2,
  evaluate: 2,
  compat: 3,
  quantize: 3,
  prune: 3,
  distill: 3,
  bench: 3,
  // knows the results of every floor below it; only commands use it
  render: 3.5,
  commands: 4,
  deepseek: 5,
  "deepseek-compat": 5,
};

/** Packages that only one place may import, and what only commands and programs may use. */
const keepers: readonly { readonly packages: RegExp; readonly allowed: RegExp }[] = [
  { packages: /^ts-morph$/, allowed: /^compat\/readers\/typescript/ },
  { packages: /^onnxruntime-node$/, allowed: /^engine\// },
  { packages: /^(node:)?(fs|fs\/promises|child_process)$/, allowed: /^(commands\/|deepseek)/ },
  // numeric kernels may spread over threads; they get numbers and give numbers back
  { packages: /^(node:)?worker_threads$/, allowed: /^(commands\/|tensor\/kernels\/)/ },
  { packages: /^commander$/, allowed: /^(commands\/|cli\.ts)/ },
];

interface Import {
  readonly file: string;
  readonly specifier: string;
  /** Type-only imports cost nothing at run time, but still make an arrow between floors. */
  readonly typeOnly: boolean;
}

const files = readdirSync(source, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".ts"));
const imports: readonly Import[] = files.flatMap((file) => {
  const text = readFileSync(join(source, file), "utf8");
  const found = [
    ...text.matchAll(/^\s*(?:import|export)\s+(type\s)?[^;"']*?from\s+["']([^"']+)["']|^import\s+["']([^"']+)["']/gm),
  ].map((match) => ({ file, specifier: (match[2] ?? match[3])!, typeOnly: match[1] !== undefined }));
  const lazy = [...text.matchAll(/\bimport\(\s*["']([^"']+)["']\s*\)/g)].map((match) => ({
    file,
    specifier: match[1]!,
    typeOnly: false,
  }));
  return [...found, ...lazy];
});

const unit = (file: string): string => file.replace(/\\/g, "/").split("/")[0]!.replace(/\.ts$/, "");
const target = (from: Import): string =>
  relative(source, join(source, dirname(from.file), from.specifier))
    .replace(/\\/g, "/")
    .replace(/\.js$/, ".ts");

describe("the floors of the house", () => {
  test("every folder and file under src has its floor", () => {
    expect([...new Set(files.map(unit))].filter((name) => !(name in floors))).toEqual([]);
  });

  test("no arrow runs up, and siblings on one floor do not know each other", () => {
    const wrong = imports
      .filter(({ specifier }) => specifier.startsWith("."))
      .map((from) => ({ from: unit(from.file), to: unit(target(from)), file: from.file }))
      .filter(({ from, to }) => from !== to && floors[to]! >= floors[from]!)
      // the two beside the floors: anybody may throw a UserError, and the floor of formats may use tensor
      .filter(({ from, to }) => to !== "errors" && !(from === "formats" && to === "tensor"));
    expect(wrong).toEqual([]);
  });

  test("there are no circles between files", () => {
    const edges = new Map<string, string[]>();
    for (const from of imports) {
      if (!from.specifier.startsWith(".") || from.typeOnly) continue;
      edges.set(from.file, [...(edges.get(from.file) ?? []), target(from)]);
    }
    const done = new Set<string>();
    const circles: string[] = [];
    const visit = (file: string, path: readonly string[]): void => {
      if (path.includes(file)) {
        circles.push([...path.slice(path.indexOf(file)), file].join(" -> "));
        return;
      }
      if (done.has(file)) return;
      for (const next of edges.get(file) ?? []) visit(next, [...path, file]);
      done.add(file);
    };
    for (const file of edges.keys()) visit(file, []);
    expect(circles).toEqual([]);
  });

  test.each(keepers)("only its keeper imports $packages", ({ packages, allowed }) => {
    const strays = imports.filter(({ specifier, file }) => packages.test(specifier) && !allowed.test(file));
    expect(strays.map(({ file, specifier }) => `${file}: ${specifier}`)).toEqual([]);
  });

  test("only commands and the programs touch process and console", () => {
    const strays = files
      .filter((file) => !/^(commands\/|deepseek)/.test(file))
      .filter((file) => /(^|[^.\w"'`])(process|console)\.\w/m.test(stripped(readFileSync(join(source, file), "utf8"))));
    expect(strays).toEqual([]);
  });

  test("no source file is longer than 300 lines without saying why", () => {
    const long = files.filter((file) => {
      const text = readFileSync(join(source, file), "utf8");
      return text.split("\n").length > 300 && !/^\/[/*][^\n]*(\n[^\n]*){0,6}long because/i.test(text);
    });
    expect(long).toEqual([]);
  });
});

function stripped(text: string): string {
  return (
    text
      // examples in rules are code in strings
      .replace(/`(?:\\.|[^`\\])*`/g, "``")
      .replace(/\/\*[\s\S]*?\*\//g, "")
      .replace(/\/\/[^\n]*/g, "")
      // the one thing that must happen before onnxruntime's native code starts, whoever starts it
      .replace('process.env["ORT_DISABLE_TELEMETRY"]', "")
  );
}
