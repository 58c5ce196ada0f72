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
  const folders = from.split("/").slice(0, -1);
  const parts = specifier.split("/");
  const candidates = (base: readonly string[]): string | undefined => {
    const path = [...base, ...parts.filter((part) => part !== "." && part !== "..")].join("/");
    const names = [`${path}.py`, `${path}/__init__.py`, `${path}.pyi`];
    const bare = path === "" || path.endsWith("/") || parts.every((part) => part === "." || part === "..");
    return (bare ? [path === "" ? "__init__.py" : `${path}/__init__.py`] : names).find((name) => sources.has(name));
  };
  if (parts[0] === "." || parts[0] === "..") {
    const up = parts.filter((part) => part === "..").length;
    return up > folders.length ? undefined : candidates(folders.slice(0, folders.length - up));
  }
  // every file of a folder asks for the same packages, and every folder's parent is asked for them again
  let known = resolved.get(sources);
  if (!known) {
    known = new Map();
    resolved.set(sources, known);
  }
  const at = (level: number): string | undefined => {
    if (level < Math.max(0, folders.length - 8)) return undefined;
    const base = folders.slice(0, level);
    const key = `${base.join("/")}:${specifier}`;
    const before = known.get(key);
    if (before !== undefined) return before || undefined;
    const own = rootFolders.map((root) => candidates(root === "" ? base : [...base, root])).find(Boolean);
    const found = own ?? at(level - 1);
    known.set(key, found ?? "");
    return found;
  };
  return at(folders.length);
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
