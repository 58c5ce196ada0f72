/** Versions of installed packages, from the lock files of npm, pnpm and Yarn. */

/** Names of the lock files that are understood, in the order in which they are looked for. */
export const lockFiles = ["package-lock.json", "npm-shrinkwrap.json", "pnpm-lock.yaml", "yarn.lock"] as const;
export type LockFile = (typeof lockFiles)[number];

/**
 * The version of a package that a lock file installs. `folder` is the package's folder below the lock file's, empty for the
 * same, with forward slashes; `range` is what package.json asks for. Undefined where the lock file does not say, or
 * is broken.
 */
export function lockedVersion(
  kind: LockFile,
  text: string,
  name: string,
  folder: string,
  range: string | undefined,
): string | undefined {
  if (kind === "pnpm-lock.yaml") return fromPnpm(text, name, folder);
  return kind === "yarn.lock" ? fromYarn(text, name, folder, range) : fromNpm(text, name, folder);
}

interface NpmLock {
  readonly packages?: Readonly<Record<string, { readonly version?: unknown } | undefined>>;
  readonly dependencies?: Readonly<Record<string, { readonly version?: unknown } | undefined>>;
}

/** `node_modules/<name>` below the folder, or as npm hoists it in one above. */
function fromNpm(text: string, name: string, folder: string): string | undefined {
  let lock: NpmLock;
  try {
    lock = JSON.parse(text) as NpmLock;
  } catch {
    return undefined;
  }
  const parts = folder === "" ? [] : folder.split("/");
  // a lock file of another project above says nothing
  if (folder !== "" && lock?.packages?.[folder] === undefined) return undefined;
  for (let depth = parts.length; depth >= 0; depth -= 1) {
    const key = [...parts.slice(0, depth), "node_modules", name].join("/");
    const version = lock?.packages?.[key]?.version;
    if (typeof version === "string") return version;
  }
  // the format of npm 6
  const version = lock?.dependencies?.[name]?.version;
  return typeof version === "string" ? version : undefined;
}

const literally = (text: string): string => text.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
const indentOf = (line: string): number => line.length - line.trimStart().length;

/** The entry below `importers:` of the folder (since pnpm 6), or the dependencies at the top. */
function fromPnpm(text: string, name: string, folder: string): string | undefined {
  const lines = text.split(/\r?\n/);
  const hasImporters = lines.some((line) => /^importers:/.test(line));
  const quoted = new RegExp(`^\\s+['"]?${literally(name)}['"]?:\\s*(\\S.*)?$`);
  const importer = new RegExp(`^ {2}['"]?${literally(folder === "" ? "." : folder)}['"]?:\\s*$`);
  let inside = !hasImporters;
  for (const [index, line] of lines.entries()) {
    if (hasImporters && /^ {0,2}\S/.test(line)) inside = importer.test(line);
    if (/^(packages|snapshots):/.test(line)) return undefined;
    const match = inside ? quoted.exec(line) : undefined;
    if (!match) continue;
    // `name: 2.0.69` in old files, a block with specifier and version in new ones
    let version = match[1];
    for (let next = index + 1; version === undefined && next < lines.length; next += 1) {
      if (indentOf(lines[next]!) <= indentOf(line)) break;
      version = /^\s+version:\s*(\S+)/.exec(lines[next]!)?.[1];
    }
    return /^['"]?(\d+\.\d+\.\d+[\w.+-]*)/.exec(version ?? "")?.[1];
  }
  return undefined;
}

/** The entry `name@range:` of Yarn 1 and `"name@npm:range":` of later ones; without a fitting range the only entry. */
function fromYarn(text: string, name: string, folder: string, range: string | undefined): string | undefined {
  const found: { readonly keys: string; readonly version: string }[] = [];
  const entry = new RegExp(`^"?(?:[^\\n]*, *"?)?${literally(name)}@[^\\n]*:\\s*\\n((?:[ \\t]+[^\\n]*\\n?)+)`, "gm");
  for (const match of text.replaceAll("\r\n", "\n").matchAll(entry)) {
    const version = /^\s+version:? "?([\w.+-]+)"?/m.exec(match[1]!)?.[1];
    if (version) found.push({ keys: match[0].slice(0, match[0].indexOf("\n")), version });
  }
  const fits = (keys: string) =>
    keys.split(",").some((key) => key.replace(/["\s:]+$|^[\s"]+/g, "").replace("@npm:", "@") === `${name}@${range}`);
  const fitting = found.find(({ keys }) => range !== undefined && fits(keys));
  if (fitting) return fitting.version;
  return found.length === 1 && folder === "" ? found[0]!.version : undefined;
}
