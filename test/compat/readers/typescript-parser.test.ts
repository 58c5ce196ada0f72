import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import type { ts } from "ts-morph";
import { loadTypeScript, ts as parser } from "../../../src/compat/readers/typescript-compiler.cjs";

/** Everything readers can see of a tree, its errors included. */
function treeOf(compiler: typeof ts, name: string, text: string): string {
  const lines: string[] = [];
  const file = compiler.createSourceFile(name, text, compiler.ScriptTarget.Latest, true);
  const visit = (node: ts.Node, depth: number): void => {
    const literal = compiler.isStringLiteralLike(node) || compiler.isNumericLiteral(node) ? node.text : "";
    lines.push(`${depth} ${node.kind} ${node.flags} ${node.getStart()} ${node.end} ${literal}`);
    compiler.forEachChild(node, (child) => visit(child, depth + 1));
  };
  visit(file, 0);
  const { parseDiagnostics } = file as unknown as { parseDiagnostics: readonly ts.DiagnosticWithLocation[] };
  for (const { code, start, messageText } of parseDiagnostics) {
    lines.push(`${code} ${start} ${compiler.flattenDiagnosticMessageText(messageText, " ")}`);
  }
  return lines.join("\n");
}

const scripts = (folder: string): readonly string[] =>
  (readdirSync(folder, { recursive: true }) as string[])
    .filter((name) => /\.[cm]?[jt]sx?$/.test(name))
    .sort()
    .map((name) => join(folder, name));

describe("the parser made out of TypeScript", () => {
  test("reads files as all of TypeScript does", () => {
    const compiler = loadTypeScript();
    const files = [...scripts("src/compat/readers"), ...scripts("fixtures/compat/corpus")];
    expect(files.length).toBeGreaterThan(100);
    for (const name of files) {
      const text = readFileSync(name, "utf8");
      expect([name, treeOf(parser, name, text)]).toEqual([name, treeOf(compiler, name, text)]);
    }
  });

  test.each([
    ["a.ts", "const a: = {, b(; class { #x <div> `${` /(?<n>[/ 08 1_ 'x\n <<<<<<< HEAD\n"],
    ["a.tsx", "const a = <A.B {...c} d='&amp;'>{/* e */}</A>; <>"],
    [
      "a.js",
      "/** @type {import('x').Y<string>} @param {...*} a */ function f(a) { with (a) return await b ?? c || d }",
    ],
    [
      "a.mts",
      "@d export default abstract class<T extends [a?: string]> { declare accessor x: `a`; static { } } using y = z;",
    ],
    ["a.d.ts", "declare module '*.x' { export = a; } declare global { namespace A.B {} } enum E { A = 1 << 2 }"],
    [
      "a.ts",
      "#!/usr/bin/env node\n/// <reference types='x' />\n// @ts-ignore\nimport type a, { type b } from 'c' with { type: 'json' };",
    ],
    [
      "a.ts",
      "/(?i:a)\\p{Script=Greek}[\\q{a}]/v; \u{1d4d0}\u00e9 = '\ud800'; label: for await (const x of y) continue label",
    ],
  ])("and so it does the odd and the broken: %s %j", (name, text) => {
    expect(treeOf(parser, name, text)).toBe(treeOf(loadTypeScript(), name, text));
  });
});
