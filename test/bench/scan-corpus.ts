// Corpora of real source files for `npm run bench:scan`, built from packages of the npm registry.
import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";

/** Packages whose tarballs hold readable sources: TypeScript under src/, or unbundled JavaScript under dist/. */
const packages = [
  ..."deepseek azure baseten huggingface amazon-bedrock deepinfra fireworks gateway google-vertex groq togetherai codemod openai google xai anthropic openai-compatible mcp"
    .split(" ")
    .map((name) => `@ai-sdk/${name}`),
  ..."deepseek openrouter core classic openai ollama groq".split(" ").map((name) => `@langchain/${name}`),
  "ai",
  "langchain",
  "typescript-eslint",
];
const families = /^(?:@ai-sdk\/|@langchain\/|@typescript-eslint\/|ai$|langchain$|zod$)/;
const scripts = /(?<!\.d)\.(?:ts|tsx|mts|js|mjs|jsx)$/;

/** Installs packages into a folder of the work folder; false where that is not possible. */
export function install(folder: string, names: readonly string[]): boolean {
  mkdirSync(folder, { recursive: true });
  if (!existsSync(join(folder, "package.json"))) writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
  const missing = names.filter((name) => !existsSync(join(folder, "node_modules", name.replace(/(?<=.)@.*/, ""))));
  if (missing.length === 0) return true;
  console.log(`installing ${missing.join(" ")} into ${folder}`);
  const options = ["--ignore-scripts", "--no-audit", "--no-fund", "--legacy-peer-deps", "--silent"];
  return spawnSync("npm", ["install", ...options, ...missing], { cwd: folder, stdio: "inherit" }).status === 0;
}

/** A file of the base, by its path in the corpus. */
export interface BaseFile {
  readonly from: string;
  readonly to: string;
  readonly mentions: boolean;
}

/** All files of the source packages: what a repository would hold, so no bundles, type declarations or maps. */
export function baseFiles(work: string): readonly BaseFile[] {
  if (!install(join(work, "packages"), packages)) console.log("not all packages could be installed");
  const root = join(work, "packages", "node_modules");
  const names = readdirSync(root).flatMap((name) =>
    name.startsWith("@") ? readdirSync(join(root, name)).map((inner) => `${name}/${inner}`) : [name],
  );
  const found: BaseFile[] = [];
  for (const name of names.filter((one) => families.test(one))) {
    const hasSources = existsSync(join(root, name, "src"));
    const visit = (below: string, to: string): void => {
      for (const entry of readdirSync(join(root, name, below), { withFileTypes: true })) {
        const path = join(below, entry.name);
        if (entry.isDirectory()) {
          if (entry.name === "node_modules" || (hasSources && entry.name === "dist")) continue;
          // "dist" would be passed over as build output, which would be no fair comparison
          visit(path, join(to, entry.name === "dist" ? "lib" : entry.name));
        } else if (scripts.test(entry.name) || /\.(?:json|mdx?|ya?ml)$/.test(entry.name)) {
          const from = join(root, name, path);
          const text = readFileSync(from, "latin1");
          if (text.length > 500_000 || (scripts.test(path) && text.length / text.split("\n").length > 300)) continue;
          found.push({ from, to: join("packages", name, to, entry.name), mentions: /deep[-_ ]?seek/i.test(text) });
        }
      }
    };
    visit("", "");
  }
  return found;
}

/** Copies files into a folder, again and again under other names, until there are so many. */
export function writeCorpus(folder: string, files: readonly BaseFile[], count: number): void {
  const done = join(folder, `.complete-${count}-${files.length}`);
  if (existsSync(done)) return;
  rmSync(folder, { recursive: true, force: true });
  for (let index = 0; index < count; index += 1) {
    const file = files[index % files.length]!;
    const to = join(folder, `part-${Math.floor(index / files.length)}`, file.to);
    mkdirSync(dirname(to), { recursive: true });
    copyFileSync(file.from, to);
  }
  writeFileSync(done, "");
}
