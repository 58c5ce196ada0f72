// Long because names, their declarations and what changes them are one subject.
import type { Sources } from "../sources.js";
import { resolvePython, slashed } from "./python-imports.js";
import { around, nameOfParameter } from "./python-syntax.js";
import { child, childrenIn, codeOf, type ParsePython, type PyNode, type PyTree, walk } from "./python-tree.js";

/** How a name gets its value. `at` is the name where it is bound, `statement` the statement that binds it. */
export type Binding = { readonly at: PyNode; readonly statement: PyNode; readonly isGlobal?: true } & (
  | { readonly kind: "value"; readonly node: PyNode }
  /** One item of a sequence that is taken apart. */
  | { readonly kind: "item"; readonly node: PyNode; readonly index: number }
  /** Each item in turn. */
  | { readonly kind: "each"; readonly node: PyNode }
  | { readonly kind: "parameter"; readonly node: PyNode }
  | { readonly kind: "definition"; readonly node: PyNode }
  /** `name` is "*" for the module itself. */
  | { readonly kind: "import"; readonly specifier: string; readonly name: string }
  | { readonly kind: "unknown" }
);

export type Bindings = ReadonlyMap<string, readonly Binding[]>;

/** Files by path, parsed when they are asked for. */
export interface Project {
  tree(path: string): PyTree | undefined;
  readonly trees: ReadonlyMap<string, PyTree>;
  /** The file that a dotted specifier means: `.config`, `pkg.mod`; undefined for packages from elsewhere. */
  imported(from: PyTree, specifier: string): PyTree | undefined;
  /** The path of that file, which is not read for it. */
  pathOf(from: PyTree, specifier: string): string | undefined;
}

/** A project over sources; `view` gives the Python in a file that holds it in another form. */
export function createProject(
  sources: Sources,
  parse: ParsePython,
  view: (path: string, text: string) => string,
): Project {
  const trees = new Map<string, PyTree>();
  const missing = new Set<string>();
  const resolved = new Map<string, Map<string, string>>();
  const folders = new Map<PyTree, Map<string, string>>();
  /** What is known of the specifiers of a tree's folder. */
  const besides = (from: PyTree): Map<string, string> => {
    let known = folders.get(from);
    if (!known) {
      const folder = from.file.slice(0, from.file.lastIndexOf("/") + 1);
      known = resolved.get(folder) ?? new Map();
      resolved.set(folder, known);
      folders.set(from, known);
    }
    return known;
  };
  const tree = (path: string): PyTree | undefined => {
    const known = trees.get(path);
    if (known || missing.has(path)) return known;
    const text = sources.read(path);
    if (text === undefined) {
      missing.add(path);
      return undefined;
    }
    const read = parse(path, view(path, text));
    trees.set(path, read);
    return read;
  };
  const pathOf = (from: PyTree, specifier: string): string => {
    const known = besides(from);
    let path = known.get(specifier);
    if (path === undefined) {
      path = resolvePython(sources, from.file, slashed(specifier)) ?? "";
      known.set(specifier, path);
    }
    return path;
  };
  return {
    tree,
    trees,
    imported: (from, specifier) => {
      const path = pathOf(from, specifier);
      return path === "" || path === from.file ? undefined : tree(path);
    },
    pathOf: (from, specifier) => pathOf(from, specifier) || undefined,
  };
}

const scopeTypes = new Set([
  "module",
  "function_definition",
  "lambda",
  "class_definition",
  "list_comprehension",
  "dictionary_comprehension",
  "set_comprehension",
  "generator_expression",
]);

/** The scope a node is evaluated in. Defaults of parameters, decorators and base classes belong to the outer one. */
export function scopeOf(node: PyNode): PyNode {
  let inner = node;
  for (let up = node.parent; up; up = up.parent) {
    if (scopeTypes.has(up.type)) {
      const outside =
        (up.type === "function_definition" || up.type === "lambda") && inner.field !== "body"
          ? true
          : up.type === "class_definition" && inner.field !== "body";
      if (!outside) return up;
    }
    inner = up;
  }
  return node.tree.root;
}

/** Where a name is bound, seen from a node: the scope and its bindings; undefined for builtins and unknown names. */
export function lookUp(name: string, from: PyNode): { scope: PyNode; bindings: readonly Binding[] } | undefined {
  let first = true;
  for (let scope = scopeOf(from); ; scope = scopeOf(scope)) {
    // methods do not see the names of their class
    const found = scope.type === "class_definition" && !first ? undefined : bindingsOf(scope).get(name);
    if (found) return { scope, bindings: found };
    if (scope.type === "module" || !scope.parent) return undefined;
    first = false;
  }
}

const known = new WeakMap<PyNode, Bindings>();

/** The names bound in a scope. */
export function bindingsOf(scope: PyNode): Bindings {
  const ready = known.get(scope);
  if (ready) return ready;
  const found = new Map<string, Binding[]>();
  known.set(scope, found);
  const globals = new Set<string>();
  const add = (at: PyNode, binding: Binding): void => {
    const name = codeOf(at);
    const list = found.get(name);
    if (list) list.push(binding);
    else found.set(name, [binding]);
  };
  const parameters = child(scope, "parameters");
  if (parameters && scope.type !== "class_definition") {
    for (const node of parameters.children) {
      const name = nameOfParameter(node);
      if (name) found.set(name, [{ kind: "parameter", at: node, statement: node, node }]);
    }
  }
  collect(scope, add, globals);
  for (const name of globals) if (scope.type !== "module") found.delete(name);
  if (scope.type === "module") {
    walk(scope, (node) => {
      if (node.type !== "global_statement") return;
      const owner = around(node, "function_definition");
      const names = new Set(node.children.map(codeOf));
      if (!owner) return;
      collect(
        owner,
        (at, binding) => {
          if (names.has(codeOf(at))) add(at, { ...binding, isGlobal: true });
        },
        new Set(),
      );
    });
  }
  return found;
}

type Add = (at: PyNode, binding: Binding) => void;

function collect(scope: PyNode, add: Add, globals: Set<string>): void {
  const visit = (node: PyNode): boolean | undefined => {
    if (node === scope) return;
    switch (node.type) {
      case "function_definition":
      case "class_definition": {
        const name = child(node, "name");
        const outer = node.parent?.type === "decorated_definition" ? node.parent : node;
        if (name) add(name, { kind: "definition", at: name, statement: outer, node });
        return false;
      }
      case "lambda":
        return false;
      case "list_comprehension":
      case "dictionary_comprehension":
      case "set_comprehension":
      case "generator_expression":
        return false;
      case "global_statement":
      case "nonlocal_statement":
        for (const one of node.children) globals.add(codeOf(one));
        return false;
      case "assignment": {
        const left = child(node, "left");
        let value = child(node, "right");
        while (value?.type === "assignment") value = child(value, "right");
        if (left && value) bindTarget(left, value, add);
        return;
      }
      case "augmented_assignment": {
        const left = child(node, "left");
        // `d |= {...}` and `list += [...]` keep the object; they count as writes to it
        if (left?.type === "identifier" && child(node, "operator")?.type !== "|=") {
          add(left, { kind: "unknown", at: left, statement: statementOf(left) });
        }
        return;
      }
      case "named_expression": {
        const [name, value] = [child(node, "name"), child(node, "value")];
        if (name && value) add(name, { kind: "value", at: name, statement: node, node: value });
        return;
      }
      case "for_statement":
      case "for_in_clause": {
        const [left, right] = [child(node, "left"), child(node, "right")];
        if (left?.type === "identifier" && right) add(left, { kind: "each", at: left, statement: node, node: right });
        else if (left) bindUnknown(left, node, add);
        return;
      }
      case "as_pattern": {
        const [value, target] = [node.children[0], child(node, "alias")?.children[0]];
        if (target?.type === "identifier" && value) {
          const isWith = around(node, "with_item", "except_clause", "case_clause")?.type === "with_item";
          const statement = statementOf(node);
          add(
            target,
            isWith ? { kind: "value", at: target, statement, node: value } : { kind: "unknown", at: target, statement },
          );
        }
        return;
      }
      case "import_statement":
      case "import_from_statement":
        bindImport(node, add);
        return false;
      case "case_pattern":
        walk(node, (one) => {
          if (one.type === "identifier") add(one, { kind: "unknown", at: one, statement: node });
          return undefined;
        });
        return;
      default:
        return;
    }
  };
  for (const one of scope.children) {
    if (scope.type === "function_definition" && one.field !== "body") continue;
    if (scope.type === "class_definition" && one.field !== "body") continue;
    walk(one, visit);
  }
}

function bindTarget(left: PyNode, value: PyNode, add: Add): void {
  const statement = statementOf(left);
  if (left.type === "identifier") add(left, { kind: "value", at: left, statement, node: value });
  else if (left.type === "pattern_list" || left.type === "tuple_pattern" || left.type === "list_pattern") {
    const starred = left.children.some((one) => one.type === "list_splat_pattern");
    left.children.forEach((one, index) => {
      if (one.type === "identifier" && !starred) add(one, { kind: "item", at: one, statement, node: value, index });
      else bindUnknown(one, statement, add);
    });
  }
}

function bindUnknown(target: PyNode, statement: PyNode, add: Add): void {
  if (target.type === "identifier") add(target, { kind: "unknown", at: target, statement });
  else if (/pattern/.test(target.type)) for (const one of target.children) bindUnknown(one, statement, add);
}

function bindImport(node: PyNode, add: Add): void {
  const from = child(node, "module_name");
  for (const one of childrenIn(node, "name")) {
    const path = one.type === "aliased_import" ? child(one, "name") : one;
    const alias = one.type === "aliased_import" ? child(one, "alias") : undefined;
    const first = path?.children[0];
    if (!path || !first) continue;
    const whole = codeOf(path).replace(/\s/g, "");
    if (from) {
      add(alias ?? path, {
        kind: "import",
        at: alias ?? path,
        statement: node,
        specifier: specifierOf(from),
        name: whole,
      });
    } else if (alias) add(alias, { kind: "import", at: alias, statement: node, specifier: whole, name: "*" });
    else add(first, { kind: "import", at: first, statement: node, specifier: codeOf(first), name: "*" });
  }
}

const specifierOf = (node: PyNode): string => codeOf(node).replace(/\s/g, "");

const stars = new WeakMap<PyTree, readonly string[]>();

/** Modules of which a module takes every name: `from x import *`. Asked for every name that is bound nowhere. */
export function starsOf(tree: PyTree): readonly string[] {
  const ready = stars.get(tree);
  if (ready) return ready;
  const found: string[] = [];
  stars.set(tree, found);
  for (const node of tree.root.children) {
    if (node.type !== "import_from_statement" || !node.children.some((one) => one.type === "wildcard_import")) continue;
    const from = child(node, "module_name");
    if (from) found.push(specifierOf(from));
  }
  return found;
}

/** The statement around a node: what stands directly in a block. */
export function statementOf(node: PyNode): PyNode {
  let one = node;
  while (one.parent && one.parent.type !== "block" && one.parent.type !== "module") one = one.parent;
  return one;
}

const isAround = (outer: PyNode, inner: PyNode): boolean => outer.start <= inner.start && inner.end <= outer.end;

/** The bindings of a name that can be in force at a node; at the end of the scope where no node is given. */
export function reaching(bindings: readonly Binding[], scope: PyNode, at?: PyNode): readonly Binding[] {
  if (bindings.length < 2 || bindings.some(({ isGlobal }) => isGlobal)) return bindings;
  if (!at) {
    let last = 0;
    bindings.forEach(({ statement }, index) => {
      if (
        statement.parent === scope ||
        (scope.type === "class_definition" && statement.parent === child(scope, "body"))
      ) {
        last = index;
      }
    });
    return bindings.slice(last);
  }
  if (scopeOf(at) !== scope) return bindings;
  const loops: PyNode[] = [];
  for (let up = at.parent; up && up !== scope; up = up.parent)
    if (/^(for|while)_statement$/.test(up.type)) loops.push(up);
  const usable = bindings.filter(
    ({ statement, at: name }) =>
      name === at ||
      statement.end <= at.start ||
      isAround(statement, at) ||
      loops.some((loop) => isAround(loop, statement)),
  );
  let last = 0;
  usable.forEach(({ statement, kind }, index) => {
    const block = statement.parent;
    if (!block || !/^(block|module)$/.test(block.type) || !isAround(block, at)) return;
    const inBody = /^(with|for)_statement$/.test(statement.type) && isAround(statement, at);
    if (inBody || (statement.end <= at.start && kind !== "each")) last = index;
  });
  const own = usable
    .slice(last)
    .filter(
      ({ statement, kind }) =>
        kind === "each" || kind === "parameter" || !isOwnAssignment(statement, at) || loops.length > 0,
    );
  return own.length > 0 ? own : usable;
}

/** Is a node on the right of the very assignment that binds it: `x = x.strip()`? */
function isOwnAssignment(statement: PyNode, at: PyNode): boolean {
  const inner = statement.children[0];
  if (statement.type !== "expression_statement" || inner?.type !== "assignment") return false;
  const right = child(inner, "right");
  return right !== undefined && isAround(right, at);
}

/** Identifiers below a node that name a variable (not members, keywords or the names of imports). */
export function isName(node: PyNode): boolean {
  if (node.type !== "identifier") return false;
  const { parent } = node;
  return !(
    (parent?.type === "attribute" && node.field === "attribute") ||
    (parent?.type === "keyword_argument" && node.field === "name") ||
    parent?.type === "dotted_name"
  );
}
