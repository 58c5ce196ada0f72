import { ts } from "./typescript-compiler.cjs";
import { declarationOf } from "./typescript-scopes.js";
import { walk, withoutCasts } from "./typescript-syntax.js";
import type { Found } from "./typescript-values.js";

/** Is the literal used by this request only: written in the call, or a constant named once? */
export function isOwn(literal: ts.ObjectLiteralExpression, use: ts.Expression, found: Found): boolean {
  if (literal.getSourceFile() !== use.getSourceFile()) return false;
  const plain = withoutCasts(use);
  if (plain === literal) return true;
  if (!ts.isIdentifier(plain)) return false;
  const declaration = declarationOf(plain.text, plain);
  if (!declaration || !ts.isVariableDeclaration(declaration) || found.path.length > 1) return false;
  const own = ts.isIdentifier(declaration.name) && declaration.name.text === plain.text ? 1 : 0;
  const uses = timesNamed(plain.text, literal.getSourceFile()) - own;
  const statement = declaration.parent.parent;
  const exported =
    ts.isVariableStatement(statement) &&
    (statement.modifiers ?? []).some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword);
  return uses === 1 && !exported;
}

const names = new WeakMap<ts.SourceFile, ReadonlyMap<string, number>>();

/** How often an identifier stands in a file. */
function timesNamed(name: string, source: ts.SourceFile): number {
  let counts = names.get(source);
  if (!counts) {
    const found = new Map<string, number>();
    walk(source, (node) => {
      if (ts.isIdentifier(node)) found.set(node.text, (found.get(node.text) ?? 0) + 1);
    });
    counts = found;
    names.set(source, counts);
  }
  return counts.get(name) ?? 0;
}
