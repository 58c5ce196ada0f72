import { ts } from "./typescript-compiler.cjs";
import type { Project } from "./typescript-scopes.js";
import { assignmentsTo, classAround, memberName, propertyName, walk, writesOf } from "./typescript-syntax.js";

/** Where members of objects are changed after the objects are made. By name, so it errs on the side of doubt. */
export interface Writes {
  /** Is a member of this name assigned anywhere in the project (`x.name = ...`)? */
  isAssigned(name: string): boolean;
  /** Is anything at all written into a variable or member of this name (`name[key] = ...`, `Object.assign(name)`)? */
  isFilled(holder: string): boolean;
  /** Does a class that extends this one have a member of this name too? */
  isOverridden(owner: ts.ClassLikeDeclaration, name: string): boolean;
}

/** Collects the writes of all modules of a project. */
export function indexWrites(project: Project): Writes {
  const assigned = new Set<string>();
  const filled = new Set<string>();
  const heirs = new Map<string, ts.ClassLikeDeclaration[]>();
  const fill = (node: ts.Expression) => {
    const holder = ts.isIdentifier(node) ? node.text : memberName(node);
    if (holder) filled.add(holder);
  };
  for (const { source } of project.modules.values()) {
    walk(source, (node) => {
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
      if (name) heirs.set(name, [...(heirs.get(name) ?? []), node]);
    });
  }
  const isOverridden = (owner: ts.ClassLikeDeclaration, name: string, seen = new Set<ts.Node>()): boolean =>
    (owner.name ? (heirs.get(owner.name.text) ?? []) : []).some((heir) => {
      if (seen.has(heir)) return false;
      seen.add(heir);
      return declares(heir, name) || isOverridden(heir, name, seen);
    });
  return { isAssigned: (name) => assigned.has(name), isFilled: (holder) => filled.has(holder), isOverridden };
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

function declares(owner: ts.ClassLikeDeclaration, name: string): boolean {
  const hasMember = owner.members.some(
    (member) =>
      (member.name && propertyName(member.name) === name) ||
      (ts.isConstructorDeclaration(member) &&
        member.parameters.some((one) => ts.isParameterPropertyDeclaration(one, member) && one.name.getText() === name)),
  );
  return hasMember || assignmentsTo(owner, name).length > 0;
}
