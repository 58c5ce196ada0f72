import { lockedVersion, lockFiles } from "./packages.js";
import { folderOf, joinPath } from "./paths.js";

/** The files of a scan, wherever they come from. Paths use forward slashes and are relative to one root, or absolute. */
export interface Sources {
  /** Files to scan. */
  readonly paths: readonly string[];
  /** Text of any file, also of one that is not scanned (package.json, an imported module); undefined where there is none. */
  read(path: string): string | undefined;
  /** Is there such a file? Cheaper than reading it. */
  has(path: string): boolean;
  /** What a pass over the bytes of `paths` found out already; without it their texts are read. */
  readonly look?: Look;
  /** A file for a cheap look: only its ASCII characters are to be trusted. Read in full where left out. */
  peek?(path: string): string | undefined;
  /** Names of all that lies in a folder, none where there is no such folder; undefined where that is not known. */
  names?(folder: string): ReadonlySet<string> | undefined;
  /** Told when much that was read is of no use any more: a good moment to collect garbage. */
  tidy?(): void;
}

/** What one cheap pass over all files finds out before any is parsed. */
export interface Look {
  /** Files that mention DeepSeek. */
  readonly mentioning: ReadonlySet<string>;
  /** Files without a mention that may import a file of one of these stems (see `select.ts`), and as what, in order. */
  importers(
    stems: ReadonlySet<string>,
    read: (path: string) => string | undefined,
  ): Iterable<{ readonly path: string; readonly specifiers: readonly string[] }>;
}

const extensions = [".ts", ".tsx", ".mts", ".cts", ".js", ".jsx", ".mjs", ".cjs"];

/** Ending of files with script blocks among markup. */
export const markupFile = /\.(vue|svelte|astro)$/;

/** Ending of the files the TypeScript reader takes. */
export const scriptFile = /\.([cm]?[jt]s|[jt]sx|vue|svelte|astro)$/;

/** Does a text mention DeepSeek at all? The cheap test before anything is parsed. */
export function mentionsDeepSeek(text: string): boolean {
  return /deep[-_ ]?seek/i.test(text);
}

/** What a script imports, by a look at its text alone. */
export function importSpecifiers(text: string): readonly string[] {
  const found = new Set<string>();
  importSpans(text, (start, end) => found.add(text.slice(start, end)));
  return [...found];
}

/** Looks for a quote first and then back: faster than words that begin in four ways. */
const beforeSpecifier = /["'](?<=\b(?:from|import\(?|require\()\s*["'])/g;

/** Where the specifiers of a script stand, without their quotes. Makes no string: most are never needed. */
export function importSpans(text: string, visit: (start: number, end: number) => void): void {
  beforeSpecifier.lastIndex = 0;
  while (beforeSpecifier.test(text)) {
    const start = beforeSpecifier.lastIndex;
    let end = start;
    let code = text.charCodeAt(end);
    // up to a quote, a line's end or the text's
    while (code !== 34 && code !== 39 && code !== 10 && end < text.length) {
      end += 1;
      code = text.charCodeAt(end);
    }
    if (end === start || code === 10 || end === text.length) continue;
    visit(start, end);
    beforeSpecifier.lastIndex = end + 1;
  }
}

/** Folders looked into above the scan's root, on the way up to a package.json or tsconfig.json. */
const maximumClimb = 16;

/** Paths found by `nearest`, by name and folder; null for none. */
const nearestPaths = new WeakMap<Sources, Map<string, Map<string, string | null>>>();

/** The nearest file of this name in a file's folder or above it, above the scan's root too. */
function nearest(sources: Sources, file: string, name: string): { path: string; text: string } | undefined {
  let names = nearestPaths.get(sources);
  if (!names) {
    names = new Map();
    nearestPaths.set(sources, names);
  }
  let known = names.get(name);
  if (!known) {
    known = new Map();
    names.set(name, known);
  }
  const path = climb(sources, folderOf(file), name, known);
  const text = path === null ? undefined : sources.read(path);
  return path === null || text === undefined ? undefined : { path, text };
}

function climb(sources: Sources, folder: string, name: string, known: Map<string, string | null>): string | null {
  let path = known.get(folder);
  if (path === undefined) {
    const own = joinPath(folder, name);
    if (sources.has(own) && sources.read(own) !== undefined) path = own;
    else if (folder === "/" || folder.startsWith(topmost)) path = null;
    else path = climb(sources, joinPath(folder, ".."), name, known);
    known.set(folder, path);
  }
  return path;
}

const topmost = Array.from({ length: maximumClimb }, () => "..").join("/");

/** Finds the file a specifier means: relative with or without ending (`./x.js` may be x.ts), index files, tsconfig paths. */
export function resolveSpecifier(sources: Sources, from: string, specifier: string): string | undefined {
  if (specifier.startsWith(".")) return resolveFile(sources, joinPath(folderOf(from), specifier));
  const config = nearest(sources, from, "tsconfig.json") ?? nearest(sources, from, "jsconfig.json");
  if (!config) return undefined;
  const { baseUrl, paths, pathsBase } = aliasesOf(sources, config.path, config.text);
  for (const [pattern, targets] of Object.entries(paths)) {
    const [before, after] = pattern.split("*") as [string, string | undefined];
    const fits = after === undefined ? specifier === before : specifier.startsWith(before) && specifier.endsWith(after);
    if (!fits) continue;
    const middle = specifier.slice(before.length, specifier.length - (after?.length ?? 0));
    for (const target of targets) {
      const found = resolveFile(sources, joinPath(pathsBase, target.replace("*", middle)));
      if (found) return found;
    }
  }
  return baseUrl === undefined ? undefined : resolveFile(sources, joinPath(baseUrl, specifier));
}

/** What a tsconfig.json says of module names, with what it inherits by `extends`. Folders are those of the scan. */
interface Aliases {
  readonly baseUrl: string | undefined;
  readonly paths: Readonly<Record<string, readonly string[]>>;
  /** Folder that the targets of `paths` are relative to. */
  readonly pathsBase: string;
}

const knownAliases = new WeakMap<Sources, Map<string, Aliases>>();
/** Files followed from one tsconfig.json to what it extends. */
const mostExtends = 8;

function aliasesOf(sources: Sources, path: string, text: string, depth = 0): Aliases {
  const known = knownAliases.get(sources) ?? new Map<string, Aliases>();
  knownAliases.set(sources, known);
  const cached = known.get(path);
  if (cached) return cached;
  const folder = folderOf(path);
  const { baseUrl, paths, parents } = configOf(text);
  const inherited = (depth < mostExtends ? parents : []).flatMap((parent) => {
    // those in packages hold rules of style, hardly ever names of a project's own modules
    if (!parent.startsWith(".")) return [];
    const file = joinPath(folder, parent.endsWith(".json") ? parent : `${parent}.json`);
    const content = sources.has(file) ? sources.read(file) : undefined;
    return content === undefined ? [] : [aliasesOf(sources, file, content, depth + 1)];
  });
  // the last of several parents wins
  const parent = inherited.reduce<Aliases | undefined>(
    (before, after) => ({
      baseUrl: after.baseUrl ?? before?.baseUrl,
      ...(Object.keys(after.paths).length > 0 || !before
        ? after
        : { paths: before.paths, pathsBase: before.pathsBase }),
    }),
    undefined,
  );
  const base = baseUrl === undefined ? parent?.baseUrl : joinPath(folder, baseUrl);
  const aliases: Aliases = paths
    ? { baseUrl: base, paths, pathsBase: base ?? folder }
    : { baseUrl: base, paths: parent?.paths ?? {}, pathsBase: parent?.pathsBase ?? folder };
  known.set(path, aliases);
  return aliases;
}

/** What relative specifiers may call some scripts: their paths, with and without ending, and the folders of index files. */
export function bareNamesOf(paths: Iterable<string>): ReadonlySet<string> {
  const names = new Set<string>();
  for (const path of paths) {
    const bare = path.replace(scriptEnding, "");
    names.add(path).add(bare);
    if (bare === "index" || bare.endsWith("/index")) names.add(bare.slice(0, Math.max(0, bare.length - 6)));
  }
  return names;
}

/** Can a specifier mean one of the scripts of these bare names? Cheaper than to resolve it; true for what is not relative. */
export function mayMean(from: string, specifier: string, bareNames: ReadonlySet<string>): boolean {
  if (!specifier.startsWith(".")) return true;
  const path = joinPath(folderOf(from), specifier);
  return bareNames.has(path) || bareNames.has(path.replace(importedEnding, ""));
}

const scriptEnding = /\.[cm]?[jt]sx?$/;
/** An ending that an import may carry for a file of another: `./x.js` for x.ts. */
const importedEnding = /\.[cm]?jsx?$/;

function resolveFile(sources: Sources, path: string): string | undefined {
  const bare = path.replace(importedEnding, "");
  const names = scriptFile.test(path) ? [path] : [];
  for (const stem of bare === path ? [path] : [path, bare]) {
    names.push(...extensions.map((extension) => stem + extension));
    names.push(...extensions.map((extension) => `${stem}/index${extension}`));
  }
  return names.find((name) => sources.has(name));
}

function configOf(text: string): {
  baseUrl?: string;
  paths?: Record<string, string[]>;
  parents: readonly string[];
} {
  // comments and trailing commas; strings are matched first so that a URL in one is left alone
  const plain = text
    .replace(/("(?:\\.|[^"\\])*")|\/\/[^\n]*|\/\*[\s\S]*?\*\//g, "$1")
    .replace(/("(?:\\.|[^"\\])*")|,(?=\s*[}\]])/g, "$1");
  try {
    const content = JSON.parse(plain) as {
      extends?: unknown;
      compilerOptions?: { baseUrl?: string; paths?: Record<string, string[]> };
    };
    const { baseUrl, paths } = content.compilerOptions ?? {};
    const parents = [content.extends].flat().filter((one): one is string => typeof one === "string");
    return { ...(baseUrl ? { baseUrl } : {}), ...(paths ? { paths } : {}), parents };
  } catch {
    // a broken tsconfig only costs its aliases
    return { parents: [] };
  }
}

/**
 * Version of a package as a file sees it: the installed one by the lock file beside the nearest package.json or above
 * it, else the range in package.json as written (`^2.0.60`); undefined where it is not listed.
 */
export function packageVersion(sources: Sources, file: string, name: string): string | undefined {
  const manifest = nearest(sources, file, "package.json");
  if (!manifest) return undefined;
  const range = rangeIn(manifest.text, name);
  return range === undefined ? undefined : (installedVersion(sources, manifest.path, name, range) ?? range);
}

function rangeIn(manifest: string, name: string): string | undefined {
  try {
    const content = JSON.parse(manifest) as Record<string, Record<string, string> | undefined>;
    for (const group of ["dependencies", "devDependencies", "peerDependencies"]) {
      const version = content[group]?.[name];
      if (typeof version === "string") return version;
    }
  } catch {
    // a broken package.json says nothing
  }
  return undefined;
}

/** What the nearest lock file says, be it in a folder above (workspaces). */
function installedVersion(sources: Sources, manifest: string, name: string, range: string): string | undefined {
  const home = folderOf(manifest);
  let folder = home;
  for (let level = 0; level < maximumClimb; level += 1) {
    for (const kind of lockFiles) {
      const path = joinPath(folder, kind);
      const text = sources.has(path) ? sources.read(path) : undefined;
      if (text === undefined) continue;
      const below = folder === home ? "" : belowOf(folder, home);
      return below === undefined ? undefined : lockedVersion(kind, text, name, below, range);
    }
    if (folder === "/") return undefined;
    folder = joinPath(folder, "..");
  }
  return undefined;
}

/** A folder's path as seen from one above; undefined above the scan's root, where names are not known. */
function belowOf(above: string, folder: string): string | undefined {
  if (above === "") return folder.startsWith("..") ? undefined : folder;
  return folder.startsWith(`${above}/`) ? folder.slice(above.length + 1) : undefined;
}
