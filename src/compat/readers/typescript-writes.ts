import { ts } from "./typescript-compiler.cjs";
import { classAround, fieldsAssigned, memberName, propertyName, writesOf } from "./typescript-syntax.js";

/** Where members of objects are changed after the objects are made. By name, so it errs on the side of doubt. */
export interface Writes {
  /** Is a member of this name assigned anywhere in the project (`x.name = ...`)? */
  isAssigned(name: string): boolean;
  /** Is anything at all written into a variable or member of this name (`name[key] = ...`, `Object.assign(name)`)? */
  isFilled(holder: string): boolean;
  /** Does a class that extends this one have a member of this name too? */
  isOverridden(owner: ts.ClassLikeDeclaration, name: string): boolean;
}

/** What a class that extends another has, by name, so that its tree need not be kept for it. */
interface Heir {
  readonly name: string | undefined;
  readonly members: ReadonlySet<string>;
}

/** Collects the writes of modules, node by node. */
export function startWrites(): { readonly writes: Writes; add(node: ts.Node): void } {
  const assigned = new Set<string>();
  const filled = new Set<string>();
  const heirs = new Map<string, Heir[]>();
  const fill = (node: ts.Expression) => {
    const holder = ts.isIdentifier(node) ? node.text : memberName(node);
    if (holder) filled.add(holder);
  };
  const add = (node: ts.Node): void => {
    for (const { target } of writesOf(node)) {
      const name = memberName(target);
      if (name !== undefined) {
        if (!isOfItsClass(target) && !isExport(target)) assigned.add(name);
      } else if (ts.isElementAccessExpression(target)) fill(target.expression);
    }
    if (
      ts.isCallExpression(node) &&
      /^(Object\.(assign|defineProperty|defineProperties)|Reflect\.set)$/.test(node.expression.getText())
    ) {
      if (node.arguments[0]) fill(node.arguments[0]);
    }
    if (!ts.isClassLike(node)) return;
    const base = node.heritageClauses?.find(({ token }) => token === ts.SyntaxKind.ExtendsKeyword)?.types[0]
      ?.expression;
    const name = base && (ts.isIdentifier(base) ? base.text : memberName(base));
    if (!name) return;
    const heir: Heir = { name: node.name?.text, members: membersOf(node) };
    const known = heirs.get(name);
    if (known) known.push(heir);
    else heirs.set(name, [heir]);
  };
  const isOverridden = (owner: string | undefined, name: string, seen = new Set<Heir>()): boolean =>
    (owner === undefined ? [] : (heirs.get(owner) ?? [])).some((heir) => {
      if (seen.has(heir)) return false;
      seen.add(heir);
      return heir.members.has(name) || isOverridden(heir.name, name, seen);
    });
  return {
    add,
    writes: {
      isAssigned: (name) => assigned.has(name),
      isFilled: (holder) => filled.has(holder),
      isOverridden: (owner, name) => isOverridden(owner.name?.text, name),
    },
  };
}

/** `this.name = ...` in a class: one of the values of the field, which is followed. */
function isOfItsClass(target: ts.Expression): boolean {
  const object = (target as ts.PropertyAccessExpression | ts.ElementAccessExpression).expression;
  const followed = ts.isPropertyAccessExpression(target) && object.kind === ts.SyntaxKind.ThisKeyword;
  return followed && classAround(target) !== undefined;
}

/** `exports.name = ...`, `module.exports = ...`: how CommonJS makes a value, not a change of one. */
function isExport(target: ts.Expression): boolean {
  const object = (target as ts.PropertyAccessExpression | ts.ElementAccessExpression).expression;
  return /^(module|exports|module\.exports)$/.test(object.getText());
}

/** Names of the members a class declares, parameter properties and what it assigns to `this` among them. */
function membersOf(owner: ts.ClassLikeDeclaration): ReadonlySet<string> {
  const names = new Set<string>();
  for (const member of owner.members) {
    const name = member.name && propertyName(member.name);
    if (name !== undefined) names.add(name);
    if (!ts.isConstructorDeclaration(member)) continue;
    for (const one of member.parameters) {
      if (ts.isParameterPropertyDeclaration(one, member)) names.add(one.name.getText());
    }
  }
  for (const name of fieldsAssigned(owner).keys()) names.add(name);
  return names;
}
