import { ts } from "./typescript-compiler.cjs";

/** The variable that `process.env.X`, `import.meta.env.X`, `Deno.env.get("X")`, `configService.get("X")` reads. */
export function environmentVariable(node: ts.Expression): string | undefined {
  if (ts.isPropertyAccessExpression(node) || ts.isElementAccessExpression(node)) {
    if (!/^(globalThis\.)?(process|import\.meta|Bun)\.env$/.test(node.expression.getText())) return undefined;
    if (ts.isPropertyAccessExpression(node)) return node.name.text;
    return ts.isStringLiteralLike(node.argumentExpression) ? node.argumentExpression.text : undefined;
  }
  if (ts.isCallExpression(node) && node.expression.getText() === "Deno.env.get") {
    const [name] = node.arguments;
    return name && ts.isStringLiteralLike(name) ? name.text : undefined;
  }
  return ts.isCallExpression(node) ? variableOfService(node) : undefined;
}

/** `config.get("X")` and `this.configService.getOrThrow("X")` of NestJS, which reads the environment. */
function variableOfService({ expression, arguments: [name] }: ts.CallExpression): string | undefined {
  if (!name || !ts.isStringLiteralLike(name) || !/^[A-Z][A-Z0-9]*(_[A-Z0-9]+)+$/.test(name.text)) return undefined;
  if (!ts.isPropertyAccessExpression(expression) || !/^get(OrThrow)?$/.test(expression.name.text)) return undefined;
  return /config(Service)?$/i.test(expression.expression.getText()) ? name.text : undefined;
}

/** `require("x")` and `import("x")`. */
export function requiredModule(node: ts.CallExpression): string | undefined {
  const [argument] = node.arguments;
  if (!argument || !ts.isStringLiteralLike(argument)) return undefined;
  const required = ts.isIdentifier(node.expression) && node.expression.text === "require";
  return required || node.expression.kind === ts.SyntaxKind.ImportKeyword ? argument.text : undefined;
}

/** A function whose returned values can be followed. */
export function isFunction(
  node: ts.Node,
): node is ts.FunctionDeclaration | ts.FunctionExpression | ts.ArrowFunction | ts.MethodDeclaration {
  return (
    ts.isFunctionDeclaration(node) ||
    ts.isFunctionExpression(node) ||
    ts.isArrowFunction(node) ||
    ts.isMethodDeclaration(node)
  );
}

/** Is it `const f = () => ...`? */
export function isConstantFunction({ initializer, parent }: ts.VariableDeclaration): boolean {
  const isOwn = initializer !== undefined && (ts.isArrowFunction(initializer) || ts.isFunctionExpression(initializer));
  return isOwn && (parent.flags & ts.NodeFlags.Const) !== 0;
}

/** The name a function or constructor is called by; undefined for methods. */
export function nameOfFunction(node: ts.SignatureDeclaration): string | undefined {
  if (ts.isConstructorDeclaration(node)) return node.parent.name?.text;
  if (ts.isFunctionDeclaration(node)) return node.name?.text;
  const holder = node.parent;
  return ts.isVariableDeclaration(holder) && ts.isIdentifier(holder.name) ? holder.name.text : undefined;
}

/** The class a node stands in. */
export function classAround(node: ts.Node): ts.ClassLikeDeclaration | undefined {
  let up: ts.Node | undefined = node;
  while (up && !ts.isClassLike(up)) up = up.parent;
  return up;
}

/** The name a property is written with; undefined where it is computed. */
export function propertyName(name: ts.PropertyName): string | undefined {
  if (ts.isIdentifier(name) || ts.isStringLiteralLike(name) || ts.isPrivateIdentifier(name)) return name.text;
  return ts.isNumericLiteral(name) ? name.text : undefined;
}

/** Values that methods of a class assign to `this.name`. */
export function assignmentsTo(owner: ts.ClassLikeDeclaration, name: string): readonly ts.Expression[] {
  return fieldsAssigned(owner).get(name) ?? [];
}

const fieldValues = new WeakMap<ts.ClassLikeDeclaration, ReadonlyMap<string, readonly ts.Expression[]>>();

/** The same for all names. */
export function fieldsAssigned(owner: ts.ClassLikeDeclaration): ReadonlyMap<string, readonly ts.Expression[]> {
  const ready = fieldValues.get(owner);
  if (ready) return ready;
  const found = new Map<string, ts.Expression[]>();
  walk(owner, (node) => {
    if (
      ts.isBinaryExpression(node) &&
      node.operatorToken.kind === ts.SyntaxKind.EqualsToken &&
      ts.isPropertyAccessExpression(node.left) &&
      node.left.expression.kind === ts.SyntaxKind.ThisKeyword
    ) {
      const name = node.left.name.text;
      const known = found.get(name);
      if (known) known.push(node.right);
      else found.set(name, [node.right]);
    }
  });
  fieldValues.set(owner, found);
  return found;
}

/** Calls `visit` for a node and all below it, in order of the text. Without recursion: code can be nested deeply. */
export function walk(root: ts.Node, visit: (node: ts.Node) => void): void {
  const pending: ts.Node[] = [root];
  const add = (child: ts.Node): void => void pending.push(child);
  for (let node = pending.pop(); node; node = pending.pop()) {
    visit(node);
    let left = pending.length;
    ts.forEachChild(node, add);
    // the first child comes next, so it goes last
    for (let right = pending.length - 1; left < right; left += 1, right -= 1) {
      const other = pending[left]!;
      pending[left] = pending[right]!;
      pending[right] = other;
    }
  }
}

/** A place that is written to, and the value where it is written out. */
export interface Write {
  readonly target: ts.Expression;
  readonly value?: ts.Expression;
}

/** What nearly every node writes to. */
const none: readonly Write[] = [];

/** What an assignment, `++`, `delete`, or a loop over an existing variable writes to. */
export function writesOf(node: ts.Node): readonly Write[] {
  if (ts.isBinaryExpression(node)) {
    const { kind } = node.operatorToken;
    if (kind < ts.SyntaxKind.FirstAssignment || kind > ts.SyntaxKind.LastAssignment) return none;
    const targets = targetsOf(node.left);
    const plain = kind === ts.SyntaxKind.EqualsToken || kind === ts.SyntaxKind.QuestionQuestionEqualsToken;
    const [only] = targets;
    return plain && only === node.left ? [{ target: only, value: node.right }] : targets.map((target) => ({ target }));
  }
  if (ts.isDeleteExpression(node)) return [{ target: node.expression }];
  if (ts.isPrefixUnaryExpression(node) || ts.isPostfixUnaryExpression(node)) {
    const counts = node.operator === ts.SyntaxKind.PlusPlusToken || node.operator === ts.SyntaxKind.MinusMinusToken;
    return counts ? [{ target: node.operand }] : none;
  }
  if ((ts.isForOfStatement(node) || ts.isForInStatement(node)) && !ts.isVariableDeclarationList(node.initializer)) {
    return targetsOf(node.initializer).map((target) => ({ target }));
  }
  return none;
}

/** The targets in a pattern such as `({ a, b: c.d } = x)`, `[a = 1, ...rest] = x`. */
function targetsOf(pattern: ts.Expression): readonly ts.Expression[] {
  if (ts.isParenthesizedExpression(pattern)) return targetsOf(pattern.expression);
  if (ts.isSpreadElement(pattern)) return targetsOf(pattern.expression);
  if (ts.isArrayLiteralExpression(pattern)) return pattern.elements.flatMap(targetsOf);
  if (ts.isBinaryExpression(pattern)) return targetsOf(pattern.left);
  if (!ts.isObjectLiteralExpression(pattern)) return [pattern];
  return pattern.properties.flatMap((property) => {
    if (ts.isPropertyAssignment(property)) return targetsOf(property.initializer);
    if (ts.isShorthandPropertyAssignment(property)) return [property.name];
    return ts.isSpreadAssignment(property) ? targetsOf(property.expression) : [];
  });
}

/** The name of the member that `a.name` or `a["name"]` means; undefined for a computed one and for no member. */
export function memberName(node: ts.Node): string | undefined {
  if (ts.isPropertyAccessExpression(node)) return node.name.text;
  const key = ts.isElementAccessExpression(node) ? node.argumentExpression : undefined;
  return key && ts.isStringLiteralLike(key) ? key.text : undefined;
}

const assignments = new WeakMap<ts.SourceFile, ReadonlyMap<string, readonly (ts.Expression | undefined)[]>>();

/**
 * What a `let` or `var` is given after its declaration, anywhere in its file; undefined stands for a change that
 * cannot be followed (`+=`, a pattern, a loop). By name, so it errs on the side of doubt.
 */
export function reassignmentsOf(declaration: ts.VariableDeclaration): readonly (ts.Expression | undefined)[] {
  if (declaration.parent.flags & ts.NodeFlags.Const || !ts.isIdentifier(declaration.name)) return [];
  return valuesGiven(declaration.name.text, declaration.getSourceFile());
}

/** What variables of a name are given anywhere in a file, after their declaration. */
export function valuesGiven(name: string, source: ts.SourceFile): readonly (ts.Expression | undefined)[] {
  let names = assignments.get(source);
  if (!names) {
    const found = new Map<string, (ts.Expression | undefined)[]>();
    walk(source, (node) => {
      for (const { target, value } of writesOf(node)) {
        if (ts.isIdentifier(target)) found.set(target.text, [...(found.get(target.text) ?? []), value]);
      }
    });
    names = found;
    assignments.set(source, names);
  }
  return names.get(name) ?? [];
}

/** Nothing yet: what a variable or field holds until its value is made. */
export function isNothing(node: ts.Node | undefined): boolean {
  return !node || node.kind === ts.SyntaxKind.NullKeyword || node.getText() === "undefined";
}

/** Can a value never give way to the default behind `??` or `||`? */
export function isTruthy(node: ts.Node): boolean {
  return (
    (ts.isStringLiteralLike(node) && node.text !== "") ||
    ts.isObjectLiteralExpression(node) ||
    ts.isNewExpression(node) ||
    ts.isNumericLiteral(node)
  );
}

/** Code on one line, cut to about 48 characters. */
export function short(node: ts.Node): string {
  const text = node.getText().replace(/\s+/g, " ");
  return text.length > 48 ? `${text.slice(0, 45)}...` : text;
}

/** `a.b.c` -> root `a`, names `b`, `c`; `this.client.chat` -> root `this`. */
export function chainOf(node: ts.Expression): { readonly root: ts.Expression; readonly names: readonly string[] } {
  const names: string[] = [];
  let root = node;
  for (;;) {
    if (ts.isNonNullExpression(root) || ts.isParenthesizedExpression(root)) root = root.expression;
    else if (ts.isPropertyAccessExpression(root)) {
      names.unshift(root.name.text);
      root = root.expression;
    } else return { root, names };
  }
}

/** The expression in parentheses and casts. */
export function withoutCasts(node: ts.Expression): ts.Expression {
  return ts.isAsExpression(node) || ts.isSatisfiesExpression(node) || ts.isParenthesizedExpression(node)
    ? withoutCasts(node.expression)
    : node;
}

/** The expression that takes up a stretch of a file. */
export function expressionAt(source: ts.SourceFile, start: number, end: number): ts.Expression | undefined {
  let found: ts.Expression | undefined;
  const visit = (node: ts.Node): void => {
    if (found || node.end < end || node.getStart(source) > start) return;
    if (ts.isExpression(node) && node.getStart(source) === start && node.end === end) found = node;
    else ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}
