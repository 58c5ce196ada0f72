import { ts } from "./typescript-compiler.cjs";
import type { Project } from "./typescript-project.js";
import { declarationOf, importOf, type Module } from "./typescript-scopes.js";
import { isConstantFunction, walk } from "./typescript-syntax.js";

/** A call of a plain name: `f()`, `new C()`. */
interface Caller {
  readonly node: ts.CallExpression | ts.NewExpression;
  readonly module: Module;
}

/** Where functions and classes are called, by name alone. Holds no tree: the modules are asked for again. */
export interface Calls {
  /** The first calls of a name, less those of which it is known that they call nothing of this file. */
  of(name: string, file: string, project: Project): readonly Caller[];
}

/** Calls of one name that are looked at. */
const mostCallers = 20;

type CallLike = Caller["node"];

/** Collects the calls of modules, node by node. */
export function startCalls(): {
  readonly calls: Calls;
  add(node: ts.Node, module: Module): void;
  /** The tree of a module is let go. */
  left(module: Module, linked: Project["linked"]): void;
} {
  /** Files with calls of a name, once for each call, in order. */
  const files = new Map<string, string[]>();
  const byModule = new WeakMap<Module, ReadonlyMap<string, readonly CallLike[]>>();
  /** What the calls of a name in a file lead to, of trees that were let go: most are not needed again. */
  const ends = new Map<string, readonly End[]>();
  const mayLeadTo = (target: string, name: string, file: string, project: Project): boolean =>
    ends
      .get(`${name}\n${file}`)
      ?.some((end) => end.file === target || (end.name !== undefined && !project.declares(end.file, end.name))) ?? true;
  const callsOf = (module: Module): ReadonlyMap<string, readonly CallLike[]> => {
    let known = byModule.get(module);
    if (!known) {
      known = callsIn(module);
      byModule.set(module, known);
    }
    return known;
  };
  return {
    add(node, { file }) {
      const name = calledName(node);
      if (name === undefined) return;
      const known = files.get(name);
      if (!known) files.set(name, [file]);
      else if (known.length < mostCallers) known.push(file);
    },
    left(module, linked) {
      for (const [name, calls] of callsOf(module)) {
        const own = calls.map((call) => endsOf(name, call, module, linked));
        if (own.every((one) => one !== undefined)) ends.set(`${name}\n${module.file}`, own.flat());
      }
    },
    calls: {
      of(name, target, project) {
        const wanted = files.get(name) ?? [];
        return [...new Set(wanted)].flatMap((file) => {
          const module = mayLeadTo(target, name, file, project) ? project.module(file) : undefined;
          const count = wanted.filter((one) => one === file).length;
          return module ? (callsOf(module).get(name) ?? []).slice(0, count).map((node) => ({ node, module })) : [];
        });
      },
    },
  };
}

function callsIn(module: Module): ReadonlyMap<string, readonly CallLike[]> {
  const found = new Map<string, CallLike[]>();
  walk(module.source, (node) => {
    const name = calledName(node);
    if (name === undefined) return;
    const known = found.get(name);
    if (known) known.push(node as CallLike);
    else found.set(name, [node as CallLike]);
  });
  return found;
}

/** Where a call leads: to a function or class in a file, or to what a file exports by a name. */
interface End {
  readonly file: string;
  readonly name?: string;
}

/** Nothing where a global or something of a package is called; undefined where it cannot be told at a glance. */
function endsOf(name: string, call: CallLike, { file }: Module, linked: Project["linked"]): readonly End[] | undefined {
  const declaration = declarationOf(name, call.expression);
  if (!declaration) return [];
  const isOwn =
    ts.isFunctionDeclaration(declaration) ||
    ts.isClassDeclaration(declaration) ||
    (ts.isVariableDeclaration(declaration) && isConstantFunction(declaration));
  if (isOwn) return [{ file }];
  if (!ts.isImportSpecifier(declaration) && !ts.isImportClause(declaration)) return undefined;
  const from = importOf(declaration);
  const target = linked(file, from.specifier);
  return target === undefined ? [] : [{ file: target, name: from.name }];
}

const calledName = (node: ts.Node): string | undefined =>
  (ts.isCallExpression(node) || ts.isNewExpression(node)) && ts.isIdentifier(node.expression)
    ? node.expression.text
    : undefined;
