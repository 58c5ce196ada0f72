import { readFileSync, realpathSync, statSync } from "node:fs";
import { join, relative, resolve, sep } from "node:path";
import createIgnore, { type Ignore } from "ignore";

/** The rules of one .gitignore file, for the paths of a walk. */
export interface IgnoreRules {
  /** Put before a path of the walk to make it relative to the file's folder; a number cuts off so many characters. */
  readonly base: string | number;
  /** May any rule speak of an entry of this name? Asked first: most names are never spoken of. */
  readonly names: RegExp;
  readonly ignore: Ignore;
}

/** Rules of the files above a folder and of its repository; none outside one. */
export function rulesAbove(folder: string): readonly IgnoreRules[] {
  let real: string;
  try {
    real = realpathSync(folder);
  } catch {
    return [];
  }
  const above: IgnoreRules[] = [];
  for (let at = real; ; ) {
    const base = at === real ? "" : `${relative(at, real).split(sep).join("/")}/`;
    if (at !== real) above.unshift(...rulesOf(join(at, ".gitignore"), base));
    // a folder, or the file of a worktree or submodule
    if (statSync(join(at, ".git"), { throwIfNoEntry: false })) {
      above.unshift(...rulesOf(join(at, ".git", "info", "exclude"), base));
      break;
    }
    const next = resolve(at, "..");
    // not in a repository: what lies above is none of our business
    if (next === at) return [];
    at = next;
  }
  // somebody asked for the folder, so rules that leave it out do not count
  return isIgnored(above, "", "", true) ? [] : above;
}

/** The rules of a file; none where there is no such file. */
export function rulesOf(file: string, base: IgnoreRules["base"]): readonly IgnoreRules[] {
  let text: string;
  try {
    text = readFileSync(file, "utf8");
  } catch {
    return [];
  }
  const names = namesIn(text);
  return names ? [{ base, names, ignore: createIgnore().add(text.replace(/^\uFEFF/, "")) }] : [];
}

/**
 * Is an entry left out? `path` is its path below the start of the walk, whose folders are not left out themselves; the
 * rules nearest to it decide.
 */
export function isIgnored(rules: readonly IgnoreRules[], path: string, name: string, isFolder: boolean): boolean {
  for (let index = rules.length - 1; index >= 0; index -= 1) {
    const { base, names, ignore } = rules[index]!;
    if (path !== "" && !names.test(name)) continue;
    const inside = typeof base === "number" ? path.slice(base) : base + path;
    if (inside === "" || inside === "/") continue;
    const verdict = ignore.test(isFolder && !inside.endsWith("/") ? `${inside}/` : inside);
    if (verdict.ignored) return true;
    if (verdict.unignored) return false;
  }
  return false;
}

/**
 * One expression for the names that the patterns of a .gitignore text may end in; undefined where it has no pattern.
 * It takes in too many rather than too few: what it lets through is asked of the patterns themselves.
 */
function namesIn(text: string): RegExp | undefined {
  const names = new Set<string>();
  for (const line of text.split(/\r?\n/)) {
    const pattern = line.replace(/^\uFEFF/, "").trim();
    if (pattern === "" || pattern.startsWith("#")) continue;
    const last = pattern.replace(/\/+$/, "").replace(/^.*\//, "").replace(/^!/, "");
    // classes, escapes and the like are rare: such a pattern may mean any name
    if (/[[\]\\]/.test(pattern) || last === "") names.add(".*");
    else
      names.add(
        last
          .replace(/[.+^${}()|]/g, "\\$&")
          .replace(/\*+/g, ".*")
          .replace(/\?/g, "."),
      );
  }
  return names.size === 0 ? undefined : new RegExp(`^(?:${[...names].join("|")})$`, "is");
}
