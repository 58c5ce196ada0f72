// Long because following a value is one recursion over the forms of expressions, and its parts call each other.

import type { Value } from "../facts.js";
import type { Calls } from "./typescript-callers.js";
import { ts } from "./typescript-compiler.cjs";
import type { Project } from "./typescript-project.js";
import { type Declaration, declarationOf, importOf, type Module } from "./typescript-scopes.js";
import {
  assignmentsTo,
  classAround,
  environmentVariable,
  isFunction,
  isNothing,
  isTruthy,
  nameOfFunction,
  propertyName,
  reassignmentsOf,
  requiredModule,
  short,
  valuesGiven,
} from "./typescript-syntax.js";
import { type Arguments, type Found, stepOf, valueFrom } from "./typescript-values.js";
import type { Writes } from "./typescript-writes.js";

/** Follows values through a project. */
export interface Resolver {
  /** All the places an expression can lead to; at least one. */
  follow(node: ts.Expression, module: Module): readonly Found[];
  /** The same, from a place that was itself found (it knows the arguments of the calls on the way). */
  followFrom(node: ts.Expression, from: Found): readonly Found[];
  /** Where a member of a found object leads; empty where the object is known and has no such member. */
  member(object: Found, name: string): readonly Found[];
  value(node: ts.Expression, from: Found): Value;
  /** May a member of an object be changed after the object is made? */
  isChanged(object: ts.Node, name: string): boolean;
  /** The answer to a question about a node, worked out once: several recognisers ask the same of it. */
  once<Answer>(question: string, node: ts.Node, answer: () => Answer): Answer;
  /** Lets go of what was found so far; only memory depends on it. */
  forget(): void;
}

/** Steps followed one after the other before a value counts as unknown. */
const maximumDepth = 24;

/**
 * Steps followed in all for one question. Functions that call each other have ever more callers to look at, and what
 * so many ways lead to is uncertain anyway.
 */
const maximumSteps = 600;

/** Parts of texts put together that are followed for one question. */
const maximumParts = 200;

const unknownValue: Value = { certainty: "unknown", candidates: [], open: true, environment: [] };

/** A resolver over the modules of a project, given the calls and writes in those that are read. */
export function createResolver(project: Project, calls: Calls, writes: Writes): Resolver {
  const active = new Set<ts.Node>();
  // every recogniser asks where the same callees and arguments lead
  const answers = new Map<ts.Node, readonly Found[]>();
  let steps = 0;

  const start = (module: Module, args?: Arguments): Omit<Found, "node"> => ({
    module,
    path: [],
    sure: true,
    ...(args ? { arguments: args } : {}),
  });
  const stop = (node: ts.Node, from: Omit<Found, "node">): Found => ({ ...start(from.module, from.arguments), node });
  const unsure = (found: readonly Found[]): readonly Found[] =>
    found.some(({ sure }) => sure) ? found.map((one) => (one.sure ? { ...one, sure: false } : one)) : found;
  const via = (step: string, found: readonly Found[]): readonly Found[] =>
    found.map((one) => ({ ...one, path: [step, ...one.path] }));
  const several = (ways: readonly (readonly Found[])[]): readonly Found[] =>
    ways.length === 1 ? ways[0]! : unsure(ways.flat());
  const membersOf = (objects: readonly Found[], name: string, depth: number, at: ts.Node): readonly Found[] =>
    several(
      objects.map((object) => {
        const found = memberOf(object, name, depth, at);
        return object.sure ? found : unsure(found);
      }),
    );
  const isChanged = (object: ts.Node, name: string): boolean => {
    const holder = holderOf(object);
    return writes.isAssigned(name) || (holder !== undefined && writes.isFilled(holder));
  };

  function follow(node: ts.Expression, from: Omit<Found, "node">, depth: number): readonly Found[] {
    // no node is active when a question begins
    steps = active.size === 0 ? 0 : steps + 1;
    if (depth > maximumDepth || steps > maximumSteps || active.has(node)) {
      return [{ ...stop(node, from), sure: false }];
    }
    active.add(node);
    try {
      return followOnce(node, from, depth + 1);
    } finally {
      active.delete(node);
    }
  }

  function followOnce(node: ts.Expression, from: Omit<Found, "node">, depth: number): readonly Found[] {
    if (
      ts.isParenthesizedExpression(node) ||
      ts.isAsExpression(node) ||
      ts.isSatisfiesExpression(node) ||
      ts.isNonNullExpression(node) ||
      ts.isTypeAssertionExpression(node) ||
      ts.isAwaitExpression(node)
    ) {
      return follow(node.expression, from, depth);
    }
    const variable = environmentVariable(node);
    if (variable) {
      const read = { ...stop(node, from), sure: false, environment: variable };
      // config.get("X", "default")
      const byDefault = ts.isCallExpression(node) ? node.arguments[1] : undefined;
      if (!byDefault || ts.isObjectLiteralExpression(byDefault)) return [read];
      const found = via(`${variable} default`, follow(byDefault, from, depth));
      return [read, ...unsure(found).map((one) => ({ ...one, environment: one.environment ?? variable }))];
    }
    if (ts.isIdentifier(node)) {
      const declaration = declarationOf(node.text, node);
      return declaration ? followDeclaration(declaration, node, from, depth) : [stop(node, from)];
    }
    if (ts.isConditionalExpression(node)) {
      return several([follow(node.whenTrue, from, depth), follow(node.whenFalse, from, depth)]);
    }
    if (ts.isBinaryExpression(node)) return followBinary(node, from, depth);
    if (ts.isPropertyAccessExpression(node)) return followMember(node, node.expression, node.name.text, from, depth);
    if (ts.isElementAccessExpression(node)) return followElement(node, from, depth);
    if (ts.isCallExpression(node)) return followCall(node, from, depth);
    return [stop(node, from)];
  }

  function followBinary(node: ts.BinaryExpression, from: Omit<Found, "node">, depth: number): readonly Found[] {
    const kind = node.operatorToken.kind;
    if (kind === ts.SyntaxKind.AmpersandAmpersandToken) return unsure(follow(node.right, from, depth));
    if (kind !== ts.SyntaxKind.QuestionQuestionToken && kind !== ts.SyntaxKind.BarBarToken) return [stop(node, from)];
    const left = follow(node.left, from, depth);
    if (left.every((one) => isTruthy(one.node))) return left;
    const right = follow(node.right, from, depth);
    const variable = left.find((one) => one.environment)?.environment;
    const step = `${short(node.left)} ${node.operatorToken.getText()} default`;
    return [
      ...unsure(left),
      ...unsure(via(step, right)).map((one) =>
        variable && !one.environment ? { ...one, environment: variable } : one,
      ),
    ];
  }

  function followDeclaration(
    declaration: Declaration,
    at: ts.Identifier,
    from: Omit<Found, "node">,
    depth: number,
  ): readonly Found[] {
    const { module } = from;
    if (ts.isImportSpecifier(declaration) || ts.isImportClause(declaration) || ts.isNamespaceImport(declaration)) {
      const { specifier, name } = importOf(declaration);
      const target = project.imported(module, specifier);
      if (!target) return [{ ...stop(at, from), external: { specifier, name } }];
      return followExport(target, name, depth) ?? [stop(at, from)];
    }
    if (ts.isVariableDeclaration(declaration)) {
      const step = stepOf(at.text, declaration.name, module);
      const values = [declaration.initializer, ...reassignmentsOf(declaration)];
      // made later, once: `let client; ... client = new OpenAI()`
      const made = values.filter((value, index) => (index === 0 ? !isNothing(value) : !value || !isNothing(value)));
      if (made.length === 0) return [unknown(at, from)];
      return several(made.map((value) => (value ? via(step, follow(value, from, depth)) : [unknown(at, from)])));
    }
    if (ts.isBindingElement(declaration)) return followBinding(declaration, from, depth);
    if (ts.isParameter(declaration)) return followParameter(declaration, at, from, depth);
    return [stop(declaration, from)];
  }

  function followBinding(element: ts.BindingElement, from: Omit<Found, "node">, depth: number): readonly Found[] {
    const name = element.propertyName ?? element.name;
    const holder = element.parent.parent;
    const key = ts.isIdentifier(name) || ts.isStringLiteral(name) ? name.text : undefined;
    const step = stepOf(key ?? "destructured", element, from.module);
    const rest = element.dotDotDotToken !== undefined;
    let found: readonly Found[] = [];
    if (key && !rest && ts.isVariableDeclaration(holder) && holder.initializer) {
      const variable = /^(process\.env|import\.meta\.env)$/.test(holder.initializer.getText()) ? key : undefined;
      found = variable
        ? [{ ...stop(name, from), sure: false, environment: variable }]
        : membersOf(follow(holder.initializer, from, depth), key, depth, name);
    } else if (key && !rest && ts.isParameter(holder)) {
      const call = from.arguments?.get(holder);
      const objects = call ? [call] : callersArguments(holder, from.module, depth);
      found = [...membersOf(objects, key, depth, name), ...(call ? [] : [unknown(element, from)])];
    } else found = [unknown(element, from)];
    if (ts.isIdentifier(element.name) && valuesGiven(element.name.text, from.module.source).length > 0) {
      found = [...unsure(found), unknown(element, from)];
    }
    if (!element.initializer) return found.length > 0 ? via(step, found) : [unknown(element, from)];
    if (found.length > 0 && found.every((one) => one.sure && isTruthy(one.node))) return via(step, found);
    const variable = found.find((one) => one.environment)?.environment;
    const byDefault = via(`${step} (default)`, follow(element.initializer, from, depth)).map((one) =>
      variable ? { ...one, environment: variable } : one,
    );
    return found.length === 0 ? byDefault : unsure([...found, ...byDefault]);
  }

  function followParameter(
    parameter: ts.ParameterDeclaration,
    at: ts.Identifier,
    from: Omit<Found, "node">,
    depth: number,
  ): readonly Found[] {
    const given = from.arguments?.get(parameter);
    const step = stepOf(at.text, parameter, from.module);
    const isReassigned = valuesGiven(at.text, from.module.source).length > 0;
    if (given) return via(step, isReassigned ? [...unsure([given]), unknown(at, from)] : [given]);
    const found = [...via(step, callersArguments(parameter, from.module, depth))];
    if (parameter.initializer) {
      found.push(...via(`${step} (default)`, follow(parameter.initializer, from, depth)));
    }
    // there may always be callers we do not see
    return unsure([...found, unknown(at, from)]);
  }

  /** What the callers in the project pass for a parameter. */
  function callersArguments(parameter: ts.ParameterDeclaration, own: Module, depth: number): readonly Found[] {
    const owner = parameter.parent;
    const index = owner.parameters.indexOf(parameter);
    const name = nameOfFunction(owner);
    if (!name || depth > maximumDepth / 2) return [];
    const found: Found[] = [];
    for (const { node, module } of calls.of(name, own.file, project)) {
      const argument = node.arguments?.[index];
      if (!argument || ts.isSpreadElement(argument)) continue;
      const target = follow(node.expression, start(module), depth);
      if (target.some((one) => one.node === owner || one.node === owner.parent)) {
        found.push(...follow(argument, start(module), depth));
      }
    }
    return found;
  }

  function followExport(module: Module, name: string, depth: number): readonly Found[] | undefined {
    if (depth > maximumDepth) return undefined;
    if (name === "*") return [{ ...start(module), node: module.source }];
    const target = module.exports.get(name);
    if (target?.kind === "expression") return follow(target.node, start(module), depth + 1);
    if (target?.kind === "declaration") return [{ ...start(module), node: target.node as ts.Node }];
    if (target?.kind === "local") {
      const declaration = declarationOf(target.name, module.source);
      if (!declaration) return undefined;
      const at = ts.isImportClause(declaration) ? declaration.name : declaration.name;
      if (at && ts.isIdentifier(at)) return followDeclaration(declaration, at, start(module), depth + 1);
      return undefined;
    }
    if (target?.kind === "from") {
      const next = project.imported(module, target.specifier);
      return next ? followExport(next, target.name, depth + 1) : undefined;
    }
    for (const star of module.stars) {
      const next = project.imported(module, star);
      const found = next && followExport(next, name, depth + 1);
      if (found) return found;
    }
    // require() of a module that assigns module.exports = { name }
    const whole = module.exports.get("=");
    if (whole?.kind === "expression") {
      return membersOf(follow(whole.node, start(module), depth + 1), name, depth + 1, whole.node);
    }
    return undefined;
  }

  function followMember(
    node: ts.PropertyAccessExpression | ts.ElementAccessExpression,
    object: ts.Expression,
    name: string,
    from: Omit<Found, "node">,
    depth: number,
  ): readonly Found[] {
    if (object.kind === ts.SyntaxKind.ThisKeyword) {
      const field = classAround(node);
      const found = field ? fieldOf(field, name, from, depth) : [];
      return found.length > 0 ? found : [stop(node, from)];
    }
    const found = membersOf(follow(object, from, depth), name, depth, node);
    return found.length > 0 ? found : [stop(node, from)];
  }

  function followElement(node: ts.ElementAccessExpression, from: Omit<Found, "node">, depth: number): readonly Found[] {
    const keys = follow(node.argumentExpression, from, depth);
    const [key] = keys;
    if (keys.length === 1 && key && ts.isStringLiteralLike(key.node)) {
      return followMember(node, node.expression, key.node.text, from, depth);
    }
    // a table asked by a key we do not know: any of its rows
    const rows = follow(node.expression, from, depth).flatMap((object) =>
      ts.isObjectLiteralExpression(object.node)
        ? object.node.properties.flatMap((row) =>
            ts.isPropertyAssignment(row)
              ? via(stepOf(row.name.getText(), row, object.module), follow(row.initializer, object, depth))
              : [],
          )
        : [],
    );
    return rows.length > 0 ? unsure(rows) : [stop(node, from)];
  }

  /** Where a member leads. An object that is known and lacks it gives nothing; all else gives an unknown end. */
  function memberOf(object: Found, name: string, depth: number, at: ts.Node): readonly Found[] {
    const { node, module } = object;
    if (object.external || depth > maximumDepth) return [unknown(at, object)];
    if (ts.isSourceFile(node)) return followExport(module, name, depth) ?? [];
    if (ts.isObjectLiteralExpression(node)) {
      const found = propertyOf(object, node, name, depth);
      return isChanged(node, name) ? unsure(found) : found;
    }
    if (ts.isEnumDeclaration(node)) {
      const member = node.members.find((one) => one.name.getText() === name);
      return member?.initializer ? via(stepOf(name, member, module), follow(member.initializer, object, depth)) : [];
    }
    if (ts.isClassDeclaration(node) || ts.isClassExpression(node)) return fieldOf(node, name, object, depth);
    if (ts.isNewExpression(node)) {
      for (const made of follow(node.expression, object, depth)) {
        if (!ts.isClassDeclaration(made.node) && !ts.isClassExpression(made.node)) continue;
        const field = fieldOf(made.node, name, made, depth);
        if (field.length > 0) return field;
      }
    }
    return [unknown(at, object)];
  }

  function propertyOf(object: Found, node: ts.ObjectLiteralExpression, name: string, depth: number): readonly Found[] {
    const pending: Found[] = [];
    for (const property of [...node.properties].reverse()) {
      if (ts.isSpreadAssignment(property)) {
        const inner = membersOf(follow(property.expression, object, depth), name, depth, property);
        if (inner.length > 0 && inner.every((one) => one.sure) && pending.length === 0) return inner;
        pending.push(...unsure(inner));
        continue;
      }
      // a computed name may be any name
      if (property.name && propertyName(property.name) === undefined) pending.push(unknown(property, object));
      if (!property.name || propertyName(property.name) !== name) continue;
      const step = stepOf(name, property, object.module);
      let found: readonly Found[];
      if (ts.isPropertyAssignment(property)) found = follow(property.initializer, object, depth);
      else if (ts.isShorthandPropertyAssignment(property)) found = follow(property.name, object, depth);
      else if (ts.isGetAccessorDeclaration(property)) found = followReturns(property, object, depth);
      else found = [{ ...stop(property, object) }];
      return pending.length > 0 ? unsure([...via(step, found), ...pending]) : via(step, found);
    }
    return pending;
  }

  /** A field of a class: its initialiser, what the constructor assigns, or a parameter property. */
  function fieldOf(
    owner: ts.ClassLikeDeclaration,
    name: string,
    from: Omit<Found, "node">,
    depth: number,
  ): readonly Found[] {
    const found: Found[] = [];
    for (const member of owner.members) {
      if (member.name && propertyName(member.name) === name) {
        const step = stepOf(`this.${name}`, member, from.module);
        if (ts.isPropertyDeclaration(member) && member.initializer && !isNothing(member.initializer)) {
          found.push(...via(step, follow(member.initializer, from, depth)));
        } else if (ts.isGetAccessorDeclaration(member)) found.push(...via(step, followReturns(member, from, depth)));
        else if (ts.isMethodDeclaration(member)) found.push(stop(member, from));
      }
      if (!ts.isConstructorDeclaration(member)) continue;
      for (const parameter of member.parameters) {
        if (!ts.isParameterPropertyDeclaration(parameter, member) || parameter.name.getText() !== name) continue;
        if (ts.isIdentifier(parameter.name)) found.push(...followParameter(parameter, parameter.name, from, depth));
      }
    }
    for (const value of assignmentsTo(owner, name).filter((one) => !isNothing(one))) {
      found.push(...via(stepOf(`this.${name}`, value, from.module), follow(value, from, depth)));
    }
    const isElsewhere = writes.isAssigned(name) || writes.isOverridden(owner, name);
    return found.length > 1 || isElsewhere ? unsure(found) : found;
  }

  function followCall(node: ts.CallExpression, from: Omit<Found, "node">, depth: number): readonly Found[] {
    if (ts.isPropertyAccessExpression(node.expression)) {
      // text that is only tidied stays what it is
      const method = node.expression.name.text;
      const [pattern, replacement] = node.arguments;
      const tidies =
        /^(trim|trimEnd|toString|toLowerCase)$/.test(method) ||
        // slashes at the end
        (method === "replace" &&
          /^\/\\\/[+*]?\$\/$/.test(pattern?.getText() ?? "") &&
          /^(""|'')$/.test(replacement?.getText() ?? ""));
      if (tidies) {
        const inner = follow(node.expression.expression, from, depth);
        if (inner.some((one) => one.environment || ts.isStringLiteralLike(one.node))) {
          return method === "toLowerCase" ? unsure(inner) : inner;
        }
      }
    } else if (ts.isIdentifier(node.expression) && node.expression.text === "String" && node.arguments[0]) {
      return follow(node.arguments[0], from, depth);
    }
    const specifier = requiredModule(node);
    if (specifier !== undefined) {
      const target = project.imported(from.module, specifier);
      if (!target) return [{ ...stop(node, from), external: { specifier, name: "*" } }];
      const whole = target.exports.get("=");
      if (whole?.kind === "expression") return follow(whole.node, start(target), depth);
      return [{ ...start(target), node: target.source }];
    }
    const targets = follow(node.expression, from, depth);
    const [target] = targets;
    if (targets.length === 1 && target && isFunction(target.node) && target.node.body) {
      const args = new Map(target.arguments);
      target.node.parameters.forEach((parameter, index) => {
        const argument = node.arguments[index];
        if (!argument || ts.isSpreadElement(argument)) return;
        const values = follow(argument, from, depth);
        if (values.length === 1) args.set(parameter, values[0]!);
      });
      const found = followReturns(target.node, { ...start(target.module), arguments: args }, depth);
      if (found.length > 0) return via(stepOf(`${short(node.expression)}()`, target.node, target.module), found);
    }
    return [stop(node, from)];
  }

  function followReturns(node: ts.FunctionLikeDeclaration, from: Omit<Found, "node">, depth: number): readonly Found[] {
    if (!node.body) return [];
    if (!ts.isBlock(node.body)) return follow(node.body, from, depth);
    const returned: ts.Expression[] = [];
    const visit = (child: ts.Node): void => {
      if (ts.isFunctionLike(child)) return;
      if (ts.isReturnStatement(child) && child.expression) returned.push(child.expression);
      else ts.forEachChild(child, visit);
    };
    visit(node.body);
    return returned.length === 0 ? [] : several(returned.map((one) => follow(one, from, depth)));
  }

  const unknown = (node: ts.Node, from: Omit<Found, "node">): Found => ({ ...stop(node, from), sure: false });
  const followFrom = (node: ts.Expression, from: Omit<Found, "node">) => {
    if (active.size > 0 || from.arguments) return follow(node, from, 0);
    let found = answers.get(node);
    if (!found) {
      found = follow(node, from, 0);
      answers.set(node, found);
    }
    return found;
  };
  const told = new Map<string, Map<ts.Node, unknown>>();
  const once = <Answer>(question: string, node: ts.Node, answer: () => Answer): Answer => {
    const known = told.get(question) ?? new Map<ts.Node, unknown>();
    told.set(question, known);
    if (!known.has(node)) known.set(node, answer());
    return known.get(node) as Answer;
  };
  const asked = new Set<ts.Node>();
  let parts = 0;
  const value = (node: ts.Expression, from: Found): Value => {
    parts = asked.size === 0 ? 0 : parts + 1;
    // text that is put together of itself: `url = url + "/chat"`
    if (asked.has(node) || parts > maximumParts) return unknownValue;
    asked.add(node);
    try {
      return valueFrom(followFrom(node, from), value);
    } finally {
      asked.delete(node);
    }
  };
  return {
    follow: (node, module) => followFrom(node, start(module)),
    followFrom,
    member: (object, name) => membersOf([object], name, 0, object.node),
    value,
    isChanged,
    once,
    forget() {
      answers.clear();
      told.clear();
    },
  };
}

/** The name of the variable or member that holds an object from the start. */
function holderOf(object: ts.Node): string | undefined {
  let node = object;
  while (
    ts.isParenthesizedExpression(node.parent) ||
    ts.isAsExpression(node.parent) ||
    ts.isSatisfiesExpression(node.parent)
  ) {
    node = node.parent;
  }
  const { parent } = node;
  if (ts.isVariableDeclaration(parent)) return ts.isIdentifier(parent.name) ? parent.name.text : undefined;
  return ts.isPropertyAssignment(parent) || ts.isPropertyDeclaration(parent) ? propertyName(parent.name) : undefined;
}
