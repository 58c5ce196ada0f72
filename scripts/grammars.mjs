// Copies the grammars that the readers parse with next to dist/, where they are published from.
import { copyFileSync, mkdirSync } from "node:fs";

const names = ["tree-sitter-python.wasm"];

const target = new URL("../grammars/", import.meta.url);
mkdirSync(target, { recursive: true });
for (const name of names) {
  copyFileSync(
    new URL(`../node_modules/@vscode/tree-sitter-wasm/wasm/${name}`, import.meta.url),
    new URL(name, target),
  );
}
