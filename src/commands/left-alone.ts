/** Folders that hold what others wrote or what a tool made, with what they are. */
const foreignFolders: ReadonlyMap<string, string> = new Map(
  Object.entries({
    dependencies: ["node_modules", "bower_components", "site-packages", ".venv", "venv", ".yarn", ".pnpm-store"],
    "vendored code": ["vendor", "third_party", "third-party"],
    "version control": [".git", ".hg", ".svn"],
    "build output": ["dist", "build", "out", ".next", ".nuxt", ".svelte-kit", ".output", "coverage", "__generated__"],
    caches: [".turbo", ".cache", "__pycache__", ".tox", ".mypy_cache", ".pytest_cache", ".ipynb_checkpoints"],
    "snapshots and cassettes": ["__snapshots__", "__recordings__", "__cassettes__", "cassettes"],
  }).flatMap(([what, names]) => names.map((name) => [name, what] as const)),
);

/** What a folder holds that is left alone; undefined for one to look into. */
export function foreignFolder(name: string): string | undefined {
  return foreignFolders.get(name) ?? (/cassettes/i.test(name) ? "snapshots and cassettes" : undefined);
}

const lockFiles = new Set([
  "package-lock.json",
  "npm-shrinkwrap.json",
  "yarn.lock",
  "pnpm-lock.yaml",
  "bun.lock",
  "deno.lock",
  "poetry.lock",
  "uv.lock",
  "pdm.lock",
  "pixi.lock",
  "Pipfile.lock",
  "conda-lock.yml",
  "Cargo.lock",
  "composer.lock",
  "Gemfile.lock",
  "go.sum",
  "flake.lock",
]);

/** What the names below have in common, asked first: nearly all names have none of it. */
const suspicious = /[.-]min\.|\.generated\.|\.snap$|\.ambr$|cassettes|^CHANGELOG|leaderboard|benchmark/i;

/** Why a file is left alone that its name alone gives away; undefined for others. */
export function foreignFile(name: string): string | undefined {
  if (lockFiles.has(name)) return "lock file";
  if (!suspicious.test(name)) return undefined;
  if (/[.-]min\.(?:[cm]?js|css)$/.test(name)) return "minified";
  if (/\.generated\.(?:d\.)?\w+$/.test(name)) return "generated";
  if (/\.(?:snap|ambr)$|cassettes/i.test(name)) return "snapshots and cassettes";
  if (/^CHANGELOG/i.test(name)) return "change log";
  if (/leaderboard|benchmark[-_]?results/i.test(name) && /\.(?:ya?ml|jsonl?|csv)$/.test(name)) return "benchmark data";
  return undefined;
}

/** Does the head of a text say that a tool wrote it? */
export function saysGenerated(head: string): boolean {
  return head.includes("@generated") && /^[ \t]*(?:\/\/|\/?\*|#|<!--).*@generated\b/m.test(head);
}

/** People break lines: more characters a line than this, on the whole, no person wrote. */
const mostPerLine = 400;

/** Is a script of some length written in (nearly) one line? */
export function isMinified(text: string): boolean {
  if (text.length <= 20_000) return false;
  const most = text.length / mostPerLine;
  let lines = 1;
  for (let at = text.indexOf("\n"); at >= 0; at = text.indexOf("\n", at + 1)) {
    lines += 1;
    if (lines > most) return false;
  }
  return true;
}
