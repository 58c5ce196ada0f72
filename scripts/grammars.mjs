// Copies what tsc leaves behind: the CommonJS file among the readers into dist/, and the grammars that the readers
// parse with next to it, where they are published from. The parser of TypeScript is made there as well.
import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";

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

// the licences of both ask that they go along
const mit = readFileSync(new URL("../node_modules/@vscode/tree-sitter-wasm/LICENSE", import.meta.url), "utf8");
writeFileSync(
  new URL("NOTICE.md", target),
  `# What lies here

- \`tree-sitter-python.wasm\`: the grammar of tree-sitter-python, Copyright (c) 2016 Max Brunsfeld, as built by
  @vscode/tree-sitter-wasm; both under the MIT License below.
- \`typescript-parser.cjs\`: the parser of TypeScript, Copyright (c) Microsoft Corporation, under the Apache License 2.0 (the
  LICENSE file of this package has its text); declarations that parsing does not need were left out.

${mit.replace(/^ {4}/gm, "")}`,
);
