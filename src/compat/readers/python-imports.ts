import type { Sources } from "../sources.js";

/** `..pkg.mod` -> `../pkg/mod`, `.mod` -> `./mod`, `a.b` -> `a/b`: specifiers as paths. */
export function slashed(specifier: string): string {
  const dots = /^\.*/.exec(specifier)![0].length;
  const rest = specifier.slice(dots).replaceAll(".", "/");
  if (dots === 0) return rest;
  const up = dots === 1 ? "." : Array.from({ length: dots - 1 }, () => "..").join("/");
  return rest ? `${up}/${rest}` : up;
}

/** What a Python text imports, as paths, by a look at the text alone. Works on the raw text of a notebook too. */
export function pythonImports(text: string): readonly string[] {
  const found = new Set<string>();
  const plain =
    text.includes('\\n"') || text.includes("\\nfrom ") || text.includes("\\nimport ")
      ? text.replaceAll("\\n", "\n")
      : text;
  for (const [, from, names, whole] of plain.matchAll(
    /(?:^|")[ \t]*(?:from[ \t]+([.\w]+)[ \t]+import[ \t]+(\([^)]{0,4000}\)|[^\n#;"]*)|import[ \t]+([\w., \t]+))/gm,
  )) {
    if (whole !== undefined) {
      for (const one of whole.split(",")) found.add(slashed(one.trim().split(/\s/)[0]!));
      continue;
    }
    const base = slashed(from!);
    found.add(base);
    for (const name of names!.matchAll(/(?:^|[(,])\s*(\w+)/g)) found.add(`${base}/${name[1]}`);
  }
  found.delete("");
  return [...found];
}

const rootFolders = ["", "src", "lib", "python", "backend", "app"];

/** The file of an import: beside the importer or above it, at the root of the scan, or in its src folder. */
export function resolvePython(sources: Sources, from: string, specifier: string): string | undefined {
  const folder = from.slice(0, Math.max(0, from.lastIndexOf("/")));
  if (!/^\.\.?(?:\/|$)/.test(specifier)) return resolveAbsolute(sources, folder, specifier);
  const parts = specifier.split("/");
  const up = parts.filter((part) => part === "..").length;
  const folders = folder === "" && !from.startsWith("/") ? [] : folder.split("/");
  if (up > folders.length) return undefined;
  const base = folders.slice(0, folders.length - up);
  const path = [...base, ...parts.filter((part) => part !== "." && part !== "..")].join("/");
  if (!parts.every((part) => part === "." || part === "..")) return moduleAt(sources, path);
  const index = path === "" ? "__init__.py" : `${path}/__init__.py`;
  return sources.has(index) ? index : undefined;
}

function moduleAt(sources: Sources, path: string): string | undefined {
  return [`${path}.py`, `${path}/__init__.py`, `${path}.pyi`].find((name) => sources.has(name));
}

/** Folders above the importer that are looked into. */
const mostLevels = 8;

function resolveAbsolute(sources: Sources, folder: string, specifier: string): string | undefined {
  // every file of a folder asks for the same packages, and every folder's parent is asked for them again
  let known = resolved.get(sources);
  if (!known) {
    known = new Map();
    resolved.set(sources, known);
  }
  const first = specifier.slice(0, `${specifier}/`.indexOf("/"));
  const asked: string[] = [];
  let found = "";
  let base: string | undefined = folder;
  for (let level = 0; base !== undefined && level <= mostLevels; level += 1) {
    const key = `${base}:${specifier}`;
    const before = known.get(key);
    if (before !== undefined) {
      found = before;
      break;
    }
    asked.push(key);
    found = resolveIn(sources, base, first, specifier) ?? "";
    if (found) break;
    base = base === "" ? undefined : base.slice(0, Math.max(0, base.lastIndexOf("/")));
  }
  for (const key of asked) known.set(key, found);
  return found || undefined;
}

function resolveIn(sources: Sources, base: string, first: string, specifier: string): string | undefined {
  const inBase = sources.names?.(base);
  for (const root of rootFolders) {
    if (root !== "" && inBase && !inBase.has(root)) continue;
    const folder = root === "" ? base : base === "" ? root : `${base}/${root}`;
    // names of packages are asked for in every folder, of which nearly none has them
    const names = root === "" ? inBase : sources.names?.(folder);
    if (names && !names.has(first) && !names.has(`${first}.py`) && !names.has(`${first}.pyi`)) continue;
    const found = moduleAt(sources, folder === "" ? specifier : `${folder}/${specifier}`);
    if (found) return found;
  }
  return undefined;
}

/** Files that absolute specifiers mean, by folder and specifier; empty for none. */
const resolved = new WeakMap<Sources, Map<string, string>>();

/** The dotted form of a path of `pythonImports`. */
export function dotted(path: string): string {
  const parts = path.split("/");
  let dots = 0;
  if (parts[0] === ".") {
    dots = 1;
    parts.shift();
  } else if (parts[0] === "..") {
    dots = 1;
    while (parts[0] === "..") {
      dots += 1;
      parts.shift();
    }
  }
  return ".".repeat(dots) + parts.join(".");
}
