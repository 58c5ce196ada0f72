// Writes grammars/typescript-parser.cjs: of TypeScript's one file of 9 MB, which takes five times as long to load, the
// declarations that the readers and the parser behind them need. Each stays as it is.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
// the one that ts-morph brings, so that fixes are checked by the same version that read the code
const source = createRequire(require.resolve("ts-morph")).resolve("@ts-morph/common/dist/typescript.js");
const ts = require(source);

/** What has effects when it is loaded and belongs to the editor's services, tracing or module formats. */
const leftOut = /^(?:"use strict"|__export\(|registerRefactor\(|registerCodeFix\(|if \(|\{|0 && )/;

const readers = new URL("../src/compat/readers/", import.meta.url);
const used = new Set(
  readdirSync(readers)
    .map((name) => readFileSync(new URL(name, readers), "utf8"))
    .filter((text) => /^import \{[^}]*(?<!type )\bts\b[^}]*\} from "\.\/typescript-compiler\.cjs"/m.test(text))
    .flatMap((text) => [...text.matchAll(/\bts\.(\w+)/g)].map(([, name]) => name)),
);

const text = readFileSync(source, "utf8");
const file = ts.createSourceFile("typescript.js", text, ts.ScriptTarget.Latest, true);
const byName = new Map();
for (const statement of moduleOf(file).statements) {
  const names = namesOf(statement);
  if (names.length === 0 && !leftOut.test(statement.getText())) {
    throw new Error(`typescript.js: what is this for? ${statement.getText().slice(0, 200)}`);
  }
  for (const name of names) byName.set(name, [...(byName.get(name) ?? []), statement]);
}

// types have no declaration here
const exported = [...used].filter((name) => byName.has(name)).sort();
const kept = new Set();
const pending = [...exported, "setObjectAllocator()"];
for (const name of pending) {
  for (const statement of byName.get(name)) {
    if (kept.has(statement)) continue;
    kept.add(statement);
    for (const other of identifiersIn(statement)) if (byName.has(other)) pending.push(other);
  }
}

const body = moduleOf(file).statements.filter((statement) => kept.has(statement));
const licence = text.slice(0, text.indexOf("*/") + 2);
writeFileSync(
  new URL("../grammars/typescript-parser.cjs", import.meta.url),
  `${licence}
// Parts of TypeScript ${ts.version}, chosen by scripts/typescript-parser.mjs of deepseek-compat; each is unchanged.
"use strict";
${body.map((statement) => statement.getText()).join("\n")}
module.exports = {
${exported.map((name) => `  ${name},\n`).join("")}};
`,
);

/** The body of the function around the whole compiler. */
function moduleOf(root) {
  for (const statement of root.statements) {
    const call = ts.isExpressionStatement(statement) ? statement.expression : undefined;
    if (call && ts.isCallExpression(call) && ts.isParenthesizedExpression(call.expression)) {
      return call.expression.expression.body;
    }
  }
  throw new Error("typescript.js: is not built as it was");
}

/** Names that a statement declares or fills: `function f() {}`, `var a = 1`, `a.b = 1`, `((N) => {})(N || (N = {}))`. */
function namesOf(statement) {
  if (ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement)) return [statement.name.text];
  if (ts.isVariableStatement(statement))
    return statement.declarationList.declarations.flatMap(({ name }) => bound(name));
  if (!ts.isExpressionStatement(statement)) return [];
  const { expression } = statement;
  if (ts.isBinaryExpression(expression)) return nameAtLeft(expression);
  if (!ts.isCallExpression(expression)) return [];
  const [argument] = expression.arguments;
  if (ts.isParenthesizedExpression(expression.expression) && argument && ts.isBinaryExpression(argument)) {
    return nameAtLeft(argument);
  }
  // gives nodes their methods
  return statement.getText().startsWith("setObjectAllocator(") ? ["setObjectAllocator()"] : [];
}

function bound(name) {
  return ts.isIdentifier(name)
    ? [name.text]
    : name.elements.flatMap((element) => (element.name ? bound(element.name) : []));
}

function nameAtLeft({ left }) {
  let name = left;
  while (ts.isPropertyAccessExpression(name)) name = name.expression;
  return ts.isIdentifier(name) ? [name.text] : [];
}

/** All identifiers but names of properties; too many do no harm. */
function identifiersIn(node, found = new Set()) {
  if (ts.isIdentifier(node)) {
    const { parent } = node;
    const isProperty = ts.isPropertyAccessExpression(parent) || ts.isPropertyAssignment(parent);
    if (!isProperty || parent.name !== node) found.add(node.text);
  }
  ts.forEachChild(node, (child) => void identifiersIn(child, found));
  return found;
}
