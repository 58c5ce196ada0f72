// Copies what tsc leaves behind: the CommonJS file among the readers into dist/, and the grammars that the readers
// parse with next to it, where they are published from. The parser of TypeScript is made there as well.
import { copyFileSync, mkdirSync } from "node:fs";

const compiler = "compat/readers/typescript-compiler.cjs";
copyFileSync(new URL(`../src/${compiler}`, import.meta.url), new URL(`../dist/${compiler}`, import.meta.url));

const names = ["tree-sitter-python.wasm"];

const target = new URL("../grammars/", import.meta.url);
mkdirSync(target, { recursive: true });
for (const name of names) {
  copyFileSync(
    new URL(`../node_modules/@vscode/tree-sitter-wasm/wasm/${name}`, import.meta.url),
    new URL(name, target),
  );
}

await import("./typescript-parser.mjs");
