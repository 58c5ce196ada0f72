import { markupFile } from "../sources.js";
import { ts } from "./typescript-compiler.cjs";

/** A parsed file with what it imports and exports. */
export interface Module {
  readonly file: string;
  /** The file's own text; `source` has only its scripts where it holds markup as well, at the same offsets. */
  readonly text: string;
  readonly source: ts.SourceFile;
  readonly isTypeScript: boolean;
  readonly exports: ReadonlyMap<string, ExportTarget>;
  /** Specifiers of `export * from`. */
  readonly stars: readonly string[];
}

/** What an exported name means: an expression, a declaration's name in this file, or a name of another module. */
type ExportTarget =
  | { readonly kind: "local"; readonly name: string }
  | { readonly kind: "expression"; readonly node: ts.Expression }
  | { readonly kind: "declaration"; readonly node: Declaration }
  | { readonly kind: "from"; readonly specifier: string; readonly name: string };

/** What introduces a name. */
export type Declaration =
  | ts.VariableDeclaration
  | ts.BindingElement
  | ts.ParameterDeclaration
  | ts.FunctionDeclaration
  | ts.ClassDeclaration
  | ts.EnumDeclaration
  | ts.ImportSpecifier
  | ts.ImportClause
  | ts.NamespaceImport;

const kinds: Readonly<Record<string, ts.ScriptKind>> = {
  tsx: ts.ScriptKind.TSX,
  jsx: ts.ScriptKind.JSX,
  js: ts.ScriptKind.JSX,
  mjs: ts.ScriptKind.JSX,
  cjs: ts.ScriptKind.JSX,
};

/** The script blocks of a Vue, Svelte or Astro file; all else is blanked, so that offsets stay. */
function scriptOf(text: string): { readonly text: string; readonly ending: string } {
  const blank = (part: string) => part.replace(/[^\r\n]/g, " ");
  const block = /<script\b([^>]*)>([\s\S]*?)<\/script\s*>|^---\r?\n([\s\S]*?)\r?\n---/g;
  let result = "";
  let at = 0;
  let ending = "js";
  for (const match of text.matchAll(block)) {
    const [whole, attributes, inScript, inFront] = match;
    const code = inScript ?? inFront ?? "";
    const start = match.index + whole.indexOf(code, inScript === undefined ? 3 : whole.indexOf(">") + 1);
    result += blank(text.slice(at, start)) + code;
    at = start + code.length;
    if (inScript === undefined || /\blang\s*=\s*["']?tsx?\b/.test(attributes ?? "")) ending = "ts";
  }
  return { text: result + blank(text.slice(at)), ending };
}

/** Parses one file; never throws, syntax errors are in the result. */
export function parseModule(file: string, text: string): Module {
  const ending = file.slice(file.lastIndexOf(".") + 1);
  const script = markupFile.test(file) ? scriptOf(text) : undefined;
  const kind = kinds[script ? script.ending : ending] ?? ts.ScriptKind.TS;
  const how = { languageVersion: ts.ScriptTarget.Latest, jsDocParsingMode: ts.JSDocParsingMode.ParseNone };
  const source = ts.createSourceFile(file, script?.text ?? text, how, true, kind);
  const exports = new Map<string, ExportTarget>();
  const stars: string[] = [];
  for (const statement of source.statements) readExports(statement, exports, stars);
  return { file, text, source, isTypeScript: kind === ts.ScriptKind.TS || kind === ts.ScriptKind.TSX, exports, stars };
}

function readExports(statement: ts.Statement, exports: Map<string, ExportTarget>, stars: string[]): void {
  if (ts.isExportAssignment(statement)) {
    exports.set("default", { kind: "expression", node: statement.expression });
  } else if (ts.isExportDeclaration(statement)) {
    const specifier =
      statement.moduleSpecifier && ts.isStringLiteral(statement.moduleSpecifier)
        ? statement.moduleSpecifier.text
        : undefined;
    if (!statement.exportClause) {
      if (specifier) stars.push(specifier);
    } else if (ts.isNamedExports(statement.exportClause)) {
      for (const { name, propertyName } of statement.exportClause.elements) {
        const inner = (propertyName ?? name).text;
        exports.set(name.text, specifier ? { kind: "from", specifier, name: inner } : { kind: "local", name: inner });
      }
    } else if (specifier) {
      exports.set(statement.exportClause.name.text, { kind: "from", specifier, name: "*" });
    }
  } else if (ts.isExpressionStatement(statement)) {
    readCommonJsExport(statement.expression, exports);
  } else if (ts.canHaveModifiers(statement)) {
    const modifiers = ts.getModifiers(statement) ?? [];
    if (!modifiers.some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)) return;
    const isDefault = modifiers.some(({ kind }) => kind === ts.SyntaxKind.DefaultKeyword);
    if (ts.isVariableStatement(statement)) {
      for (const declaration of statement.declarationList.declarations) {
        for (const name of boundNames(declaration.name)) exports.set(name, { kind: "local", name });
      }
    } else if (
      ts.isFunctionDeclaration(statement) ||
      ts.isClassDeclaration(statement) ||
      ts.isEnumDeclaration(statement)
    ) {
      const name = isDefault ? "default" : statement.name?.text;
      if (name) exports.set(name, { kind: "declaration", node: statement });
    }
  }
}

/** `module.exports = x`, `module.exports = { a, b }`, `exports.a = x`. */
function readCommonJsExport(node: ts.Expression, exports: Map<string, ExportTarget>): void {
  if (!ts.isBinaryExpression(node) || node.operatorToken.kind !== ts.SyntaxKind.EqualsToken) return;
  const target = node.left.getText();
  if (target === "module.exports") {
    exports.set("default", { kind: "expression", node: node.right });
    exports.set("=", { kind: "expression", node: node.right });
  } else {
    const name = /^(?:module\.)?exports\.(\w+)$/.exec(target)?.[1];
    if (name) exports.set(name, { kind: "expression", node: node.right });
  }
}

function boundNames(name: ts.BindingName): string[] {
  if (ts.isIdentifier(name)) return [name.text];
  return name.elements.flatMap((element) => (ts.isBindingElement(element) ? boundNames(element.name) : []));
}

const scopes = new WeakMap<ts.Node, ReadonlyMap<string, Declaration>>();

/** What a name means where it stands; undefined for globals. */
export function declarationOf(name: string, at: ts.Node): Declaration | undefined {
  for (let node: ts.Node | undefined = at; node; node = node.parent) {
    if (!opensScope(node)) continue;
    let names = scopes.get(node);
    if (!names) {
      names = namesIn(node);
      scopes.set(node, names);
    }
    const found = names.get(name);
    if (found) return found;
  }
  return undefined;
}

/** By kind of node, on which alone it depends: this is asked on every way up the tree. */
const opening: boolean[] = [];

function opensScope(node: ts.Node): boolean {
  opening[node.kind] ??=
    ts.isSourceFile(node) ||
    ts.isBlock(node) ||
    ts.isCaseBlock(node) ||
    ts.isModuleBlock(node) ||
    ts.isFunctionLike(node) ||
    ts.isForStatement(node) ||
    ts.isForOfStatement(node) ||
    ts.isForInStatement(node);
  return opening[node.kind]!;
}

function namesIn(scope: ts.Node): ReadonlyMap<string, Declaration> {
  const names = new Map<string, Declaration>();
  const bind = (
    name: ts.BindingName,
    declaration: ts.VariableDeclaration | ts.ParameterDeclaration | ts.BindingElement,
  ) => {
    if (ts.isIdentifier(name)) names.set(name.text, declaration);
    else for (const element of name.elements) if (ts.isBindingElement(element)) bind(element.name, element);
  };
  const visit = (node: ts.Node): void => {
    if (ts.isVariableDeclaration(node)) bind(node.name, node);
    else if (ts.isImportDeclaration(node)) bindImport(node, names);
    else if (ts.isFunctionDeclaration(node) || ts.isClassDeclaration(node) || ts.isEnumDeclaration(node)) {
      if (node.name) names.set(node.name.text, node);
    } else if (!opensScope(node)) ts.forEachChild(node, visit);
  };
  if (ts.isFunctionLike(scope)) for (const parameter of scope.parameters) bind(parameter.name, parameter);
  else ts.forEachChild(scope, visit);
  return names;
}

function bindImport(node: ts.ImportDeclaration, names: Map<string, Declaration>): void {
  const clause = node.importClause;
  if (clause?.name) names.set(clause.name.text, clause);
  const bindings = clause?.namedBindings;
  if (bindings && ts.isNamespaceImport(bindings)) names.set(bindings.name.text, bindings);
  if (bindings && ts.isNamedImports(bindings)) for (const one of bindings.elements) names.set(one.name.text, one);
}

/** What an import declaration asks for: the specifier, and the name there (`default`, `*`). */
export function importOf(node: ts.ImportSpecifier | ts.ImportClause | ts.NamespaceImport): {
  readonly specifier: string;
  readonly name: string;
} {
  const name = ts.isImportSpecifier(node)
    ? (node.propertyName ?? node.name).text
    : ts.isImportClause(node)
      ? "default"
      : "*";
  let up: ts.Node = node;
  while (!ts.isImportDeclaration(up)) up = up.parent;
  return { specifier: (up.moduleSpecifier as ts.StringLiteral).text, name };
}
