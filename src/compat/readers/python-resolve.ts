// Long because following a value is one recursion over the forms of expressions, and its parts call each other.
import type { Value } from "../facts.js";
import { type Binding, bindingsOf, isName, lookUp, type Project, reaching, scopeOf, starsOf } from "./python-scopes.js";
import {
  argumentsOf,
  chainOf,
  classAround,
  classOf,
  decoratorsOf,
  entriesOf,
  isNone,
  isTruthy,
  keyword,
  lastName,
  nameOfParameter,
  statementsOf,
  stringOf,
  stringParts,
  unwrap,
} from "./python-syntax.js";
import { child, codeOf, type PyNode, type PyTree, short, walk } from "./python-tree.js";
import { type Arguments, type Found, stepOf, unknownValue, valueFrom } from "./python-values.js";
import { type ItemWrite, indexWrites, type Writes } from "./python-writes.js";

/** Follows values through a project. */
export interface Resolver {
  /** All the places an expression can lead to; at least one. */
  follow(node: PyNode, from?: Found): readonly Found[];
  /** Where a member of a found object leads; empty where the object is known and has no such member. */
  member(object: Found, name: string): readonly Found[];
  value(node: PyNode, from?: Found): Value;
  /** Follows ways for a few steps only, for facts of which a file has thousands. */
  briefly<Answer>(question: () => Answer): Answer;
  /** Follows nothing: a value is what is written on the spot. */
  readonly onTheSpot: Resolver;
  /** Writes into a dict after it is made, where it has a name. */
  writesInto(object: PyNode): readonly ItemWrite[];
  /** Values given to an attribute of a module: `openai.base_url = ...`. */
  assignedTo(object: string, name: string): readonly Found[];
}

/** Steps followed one after the other before a value counts as unknown. */
const maximumDepth = 24;

/** Down to here a way that was cut short counts as followed. */
const nearDepth = 6;

/** Strings put together from strings, and so on. */
const maximumParts = 4;

/** Ways kept of one question; of more nothing can be said. */
const maximumWays = 40;

/** Steps followed in all for one question; what so many ways lead to is uncertain anyway. */
const maximumSteps = 600;

/** The same for what only few rules ask for. */
const fewSteps = 40;

type From = Pick<Found, "arguments">;

/** A resolver over the files of a project. */
export function createResolver(project: Project): Resolver {
  const writes = indexWrites();
  const calls = new Map<string, PyNode[]>();
  const indexed = new Set<PyTree>();
  /** Files are added as imports lead to them. */
  const indexNew = (): void => {
    if (indexed.size === project.trees.size) return;
    for (const tree of project.trees.values()) {
      if (indexed.has(tree)) continue;
      indexed.add(tree);
      overridden.clear();
      writes.add(tree);
      indexCalls(tree, calls);
    }
  };
  const active = new Set<PyNode>();
  // maps, not weak ones, which cost the collector of garbage much: the trees live as long as the resolver
  const settled = new Map<PyNode, readonly Found[]>();
  const settledBriefly = new Map<PyNode, readonly Found[]>();
  const exported = new Map<PyTree, Map<string, { readonly found: readonly Found[] | undefined }>>();
  const returns = new Map<PyNode, readonly PyNode[]>();
  const overridden = new Map<PyNode, Map<string, boolean>>();
  let steps = 0;
  let limit = maximumSteps;
  let asking = false;
  /** Strings inside strings that are being put together. */
  let parts = 0;
  /** Times that a way was not followed to its end. */
  let cuts = 0;

  const stop = (node: PyNode, from: From): Found => ({
    node,
    path: [],
    sure: true,
    ...(from.arguments ? { arguments: from.arguments } : {}),
  });
  const unknown = (node: PyNode, from: From): Found => ({ ...stop(node, from), sure: false });
  const unsure = (found: readonly Found[]): readonly Found[] => found.map((one) => ({ ...one, sure: false }));
  const via = (step: string, found: readonly Found[]): readonly Found[] =>
    found.map((one) => ({ ...one, path: [step, ...one.path] }));
  const several = (ways: readonly (readonly Found[])[]): readonly Found[] =>
    ways.length === 1 ? ways[0]! : unsure(distinct(ways.flat()));
  /** Each end once, by whatever way, and not too many: ways that branch again and again multiply. */
  const distinct = (found: readonly Found[]): readonly Found[] => {
    if (found.length < 2) return found;
    const ends = new Map<PyNode, Found[]>();
    const kept = found.filter((one) => {
      const same = ends.get(one.node);
      if (!same) ends.set(one.node, [one]);
      else if (same.some((other) => isSameEnd(one, other))) return false;
      else same.push(one);
      return true;
    });
    const all = kept.length < found.length ? unsure(kept) : kept;
    return all.length > maximumWays ? [...all.slice(0, maximumWays - 1), unknown(all[0]!.node.tree.root, {})] : all;
  };
  const allWrites = (): Writes => {
    indexNew();
    return writes;
  };

  function follow(node: PyNode, from: From, depth: number): readonly Found[] {
    const isBrief = limit === fewSteps;
    const ready = from.arguments ? undefined : (settled.get(node) ?? (isBrief ? settledBriefly.get(node) : undefined));
    if (ready) return ready;
    steps += 1;
    if (depth > maximumDepth || steps > limit || active.has(node)) {
      cuts += 1;
      return [unknown(node, from)];
    }
    active.add(node);
    const before = cuts;
    try {
      const found = distinct(followOnce(unwrap(node), from, depth + 1));
      // what was cut short far down may lead further when it is asked from elsewhere; it says itself that it is unsure
      if (!from.arguments) {
        if (cuts === before || (depth <= nearDepth && !isBrief)) settled.set(node, found);
        else if (isBrief && depth <= nearDepth) settledBriefly.set(node, found);
      }
      return found;
    } finally {
      active.delete(node);
    }
  }

  function followOnce(node: PyNode, from: From, depth: number): readonly Found[] {
    switch (node.type) {
      case "identifier":
        return followName(node, from, depth);
      case "attribute": {
        const [object, name] = [child(node, "object"), child(node, "attribute")];
        return object && name ? followMember(node, object, codeOf(name), from, depth) : [stop(node, from)];
      }
      case "subscript":
        return followItem(node, from, depth);
      case "conditional_expression": {
        const [yes, , no] = node.children;
        return yes && no ? several([follow(yes, from, depth), follow(no, from, depth)]) : [stop(node, from)];
      }
      case "boolean_operator": {
        const [left, right] = [child(node, "left"), child(node, "right")];
        if (!left || !right) return [stop(node, from)];
        if (child(node, "operator")?.type === "and") return unsure(follow(right, from, depth));
        return withDefault(follow(left, from, depth), `${short(left)} or default`, right, from, depth);
      }
      case "named_expression": {
        const value = child(node, "value");
        return value ? follow(value, from, depth) : [stop(node, from)];
      }
      case "call":
        return followCall(node, from, depth);
      default:
        return [stop(node, from)];
    }
  }

  function withDefault(
    left: readonly Found[],
    step: string,
    right: PyNode,
    from: From,
    depth: number,
  ): readonly Found[] {
    if (left.length > 0 && left.every((one) => isTruthy(one.node))) return left;
    const variable = left.find((one) => one.environment)?.environment;
    const kept = left.filter((one) => !isNone(one.node));
    const byDefault = via(step, follow(right, from, depth));
    if (kept.length === 0) return byDefault;
    return [
      ...unsure(kept),
      ...unsure(byDefault).map((one) => (variable && !one.environment ? { ...one, environment: variable } : one)),
    ];
  }

  function followName(node: PyNode, from: From, depth: number): readonly Found[] {
    const name = codeOf(node);
    const found = lookUp(name, node);
    if (found) return followBindings(reaching(found.bindings, found.scope, node), node, from, depth);
    for (const star of starsOf(node.tree)) {
      const target = project.imported(node.tree, star);
      const exported = target && followExport(target, name, depth);
      if (exported) return exported;
    }
    return [stop(node, from)];
  }

  function followBindings(bindings: readonly Binding[], at: PyNode, from: From, depth: number): readonly Found[] {
    // `client = None`, made later
    const isEmpty = (one: Binding) => one.kind === "value" && isNone(unwrap(one.node));
    const made = bindings.filter((one) => !isEmpty(one));
    if (made.length === 0) return [stop(bindings[0]?.kind === "value" ? bindings[0].node : at, from)];
    return several(made.map((one) => followBinding(one, at, from, depth)));
  }

  function followBinding(binding: Binding, at: PyNode, from: From, depth: number): readonly Found[] {
    switch (binding.kind) {
      case "value":
        return via(stepOf(codeOf(binding.at), binding.at), follow(binding.node, from, depth));
      case "item":
        return several(
          follow(binding.node, from, depth).map((one) => {
            const item = isSequence(one.node) ? one.node.children[binding.index] : undefined;
            const found = item ? follow(item, one, depth) : [unknown(at, from)];
            return via(stepOf(codeOf(binding.at), binding.at), one.sure ? found : unsure(found));
          }),
        );
      case "each":
        return unsure(
          follow(binding.node, from, depth).flatMap((one) =>
            isSequence(one.node)
              ? one.node.children
                  .slice(0, 50)
                  .flatMap((item) => via(stepOf(codeOf(binding.at), item), follow(item, one, depth)))
              : [unknown(at, from)],
          ),
        );
      case "parameter":
        return followParameter(binding.node, at, from, depth);
      case "definition":
        return [stop(binding.node, from)];
      case "import":
        return followImport(at, binding.specifier, binding.name, depth);
      default:
        return [unknown(at, from)];
    }
  }

  function followImport(at: PyNode, specifier: string, name: string, depth: number): readonly Found[] {
    // no file is parsed for what few rules ask
    if (limit === fewSteps) {
      const path = project.pathOf(at.tree, specifier);
      if (path !== undefined && path !== at.tree.file && !project.trees.has(path)) {
        cuts += 1;
        return [unknown(at, {})];
      }
    }
    const target = project.imported(at.tree, specifier);
    if (name === "*")
      return target ? [stop(target.root, {})] : [{ ...stop(at, {}), external: { package: specifier, name } }];
    const found = target && followExport(target, name, depth);
    if (found) return found;
    const submodule = project.imported(
      at.tree,
      specifier.endsWith(".") ? `${specifier}${name}` : `${specifier}.${name}`,
    );
    if (submodule) return [stop(submodule.root, {})];
    return [{ ...stop(at, {}), ...(target ? { sure: false } : { external: { package: specifier, name } }) }];
  }

  /** Where a name leads that a file exports; what every file imports is followed once. */
  function followExport(tree: PyTree, name: string, depth: number): readonly Found[] | undefined {
    let known = exported.get(tree);
    if (!known) {
      known = new Map();
      exported.set(tree, known);
    }
    const ready = known.get(name);
    if (ready) return ready.found;
    if (depth > maximumDepth) {
      cuts += 1;
      return undefined;
    }
    const before = cuts;
    const found = followExportOnce(tree, name, depth);
    if (cuts === before) known.set(name, { found });
    return found;
  }

  function followExportOnce(tree: PyTree, name: string, depth: number): readonly Found[] | undefined {
    const bindings = bindingsOf(tree.root).get(name);
    if (bindings) {
      const last = reaching(bindings, tree.root);
      const found = followBindings(last, last[0]?.at ?? tree.root, {}, depth + 1);
      // `config.MODEL = x` from outside
      const isSet = allWrites()
        .assigned(name)
        .some(({ object }) => follow(object, {}, depth + 1).some((one) => one.node === tree.root));
      return isSet ? unsure(found) : found;
    }
    for (const star of starsOf(tree)) {
      const next = project.imported(tree, star);
      const found = next && next !== tree ? followExport(next, name, depth + 1) : undefined;
      if (found) return found;
    }
    return undefined;
  }

  function followParameter(parameter: PyNode, at: PyNode, from: From, depth: number): readonly Found[] {
    const name = nameOfParameter(parameter);
    const given = from.arguments?.get(parameter);
    const step = stepOf(name, parameter);
    if (given) return via(step, [given]);
    if (parameter.type === "dictionary_splat_pattern")
      return unsure([...via(step, callersKeywords(parameter, depth)), unknown(at, from)]);
    if (/splat/.test(parameter.type)) return [unknown(at, from)];
    const found = via(step, callersArguments(parameter, depth).slice(0, maximumWays)).slice();
    const byDefault = child(parameter, "value");
    if (byDefault && !isNone(byDefault)) found.push(...via(`${step} (default)`, follow(byDefault, from, depth)));
    // there may always be callers we do not see
    return unsure(distinct([...found, unknown(at, from)]));
  }

  /** What the callers in the project pass for a parameter. */
  function callersArguments(parameter: PyNode, depth: number): readonly Found[] {
    const owner = parameter.parent?.parent;
    if (owner?.type !== "function_definition") return [];
    if (depth > maximumDepth / 2) {
      cuts += 1;
      return [];
    }
    const holder = classOf(owner);
    const own = codeOf(child(owner, "name") ?? owner);
    const isMaker = holder !== undefined && own === "__init__";
    const name = isMaker ? codeOf(child(holder, "name") ?? holder) : own;
    const wanted = isMaker ? holder : owner;
    const found: Found[] = [];
    for (const call of callsOf(name)) {
      // the unknown end that followParameter adds stands for the rest
      if (found.length > maximumWays || steps > limit) break;
      const argument = argumentFor(parameter, owner, call);
      const callee = child(call, "function");
      if (!argument || !callee) continue;
      if (follow(callee, {}, depth).some((one) => one.node === wanted)) found.push(...follow(argument, {}, depth));
      if (found.length > maximumWays) break;
    }
    return distinct(found);
  }

  /** The argument lists of which a function in the project gets the rest as `**options`. */
  function callersKeywords(parameter: PyNode, depth: number): readonly Found[] {
    const owner = parameter.parent?.parent;
    if (owner?.type !== "function_definition" || depth > maximumDepth / 2) return [];
    const holder = classOf(owner);
    const own = codeOf(child(owner, "name") ?? owner);
    const makers = holder && /^__(init|call)__$/.test(own) ? callsOf(codeOf(child(holder, "name") ?? holder)) : [];
    // an instance is called by the name that holds it
    const calls =
      own === "__call__"
        ? [...new Set(makers.flatMap((one) => holderOf(one)?.name ?? []))].flatMap(callsOf)
        : own === "__init__"
          ? makers
          : callsOf(own);
    const wanted = new Set(own === "__call__" ? makers : own === "__init__" ? [holder] : [owner]);
    const without = new Set((parameter.parent?.children ?? []).map(nameOfParameter));
    return calls.flatMap((call): readonly Found[] => {
      const [callee, list] = [child(call, "function"), child(call, "arguments")];
      if (!callee || !list?.children.some(({ type }) => /^(keyword_argument|dictionary_splat)$/.test(type))) return [];
      return follow(callee, {}, depth).some((one) => wanted.has(one.node)) ? [{ ...stop(list, {}), without }] : [];
    });
  }

  function callsOf(name: string): readonly PyNode[] {
    indexNew();
    return (calls.get(name) ?? []).slice(0, 20);
  }

  function followMember(node: PyNode, object: PyNode, name: string, from: From, depth: number): readonly Found[] {
    const variable = environmentOf(node);
    if (variable !== undefined) return [{ ...unknown(node, from), environment: variable }];
    const inner = unwrap(object);
    const owner = inner.type === "identifier" ? classAround(inner, codeOf(inner)) : undefined;
    if (owner) {
      const found = fieldOf(owner, name, from, depth);
      return found.length > 0 ? found : [stop(node, from)];
    }
    const objects = follow(inner, from, depth);
    // the text of an enum's member
    if (name === "value" && objects.every((one) => stringParts(one.node))) return objects;
    const found = membersOf(objects, name, depth, node);
    return found.length > 0 ? found : [stop(node, from)];
  }

  function membersOf(objects: readonly Found[], name: string, depth: number, at: PyNode): readonly Found[] {
    return several(
      objects.map((object) => {
        const found = memberOf(object, name, depth, at);
        return object.sure ? found : unsure(found);
      }),
    );
  }

  function followItem(node: PyNode, from: From, depth: number): readonly Found[] {
    const [object, key] = [child(node, "value"), child(node, "subscript")];
    if (!object || !key || key.type === "slice") return [stop(node, from)];
    const variable = environmentOf(node);
    if (variable !== undefined) return [{ ...unknown(node, from), environment: variable }];
    const keys = follow(key, from, depth);
    const name = keys.length === 1 ? stringOf(keys[0]!.node) : undefined;
    const objects = follow(object, from, depth);
    if (name !== undefined) {
      const found = membersOf(objects, name, depth, node);
      const all = found.length > 0 ? found : [stop(node, from)];
      return keys[0]!.sure ? all : unsure(all);
    }
    const index = keys.length === 1 && keys[0]!.node.type === "integer" ? Number(codeOf(keys[0]!.node)) : undefined;
    const [only] = objects;
    if (index !== undefined && objects.length === 1 && only && isSequence(only.node)) {
      const item = only.node.children[index];
      const found = item ? follow(item, only, depth) : [];
      const mutable = only.node.type === "list";
      if (found.length > 0) return only.sure && !mutable ? found : unsure(found);
    }
    // a table asked by a key we do not know: any of its rows
    const rows = objects.flatMap((one) =>
      (one.node.type === "dictionary" ? (entriesOf(one.node) ?? []) : []).flatMap((entry) =>
        entry.kind === "entry" ? via(stepOf(entry.name, entry.node), follow(entry.value, one, depth)) : [],
      ),
    );
    return rows.length > 0 && rows.length <= 50 ? unsure(rows) : [unknown(node, from)];
  }

  /** Where a member leads. An object that is known and lacks it gives nothing; all else gives an unknown end. */
  function memberOf(object: Found, name: string, depth: number, at: PyNode): readonly Found[] {
    const { node, external } = object;
    steps += 1;
    if (depth > maximumDepth || steps > limit) {
      cuts += 1;
      return [unknown(at, object)];
    }
    if (external) {
      const isModule = external.name === "*" || /^[a-z_]/.test(external.name);
      const holder = external.name === "*" ? external.package : `${external.package}.${external.name}`;
      return isModule ? [{ ...stop(at, object), external: { package: holder, name } }] : [unknown(at, object)];
    }
    if (node.type === "module") {
      const found = followExport(node.tree, name, depth);
      if (found) return found;
      const submodule = /(^|\/)__init__\.pyi?$/.test(node.tree.file)
        ? project.imported(node.tree, `.${name}`)
        : undefined;
      return submodule ? [stop(submodule.root, {})] : [];
    }
    if (entriesOf(node)) return propertyOf(object, name, depth);
    if (node.type === "class_definition") return fieldOf(node, name, object, depth);
    if (node.type === "call") {
      const callee = child(node, "function");
      for (const made of callee ? follow(callee, object, depth) : []) {
        if (made.node.type === "class_definition") return instanceField(made.node, name, node, object, depth);
        if (made.external && /^(SimpleNamespace|Namespace)$/.test(made.external.name)) {
          const value = keyword(node, name);
          if (value) return follow(value, object, depth);
        }
      }
    }
    return [unknown(at, object)];
  }

  function propertyOf(object: Found, name: string, depth: number): readonly Found[] {
    const found = writtenEntry(object, name, depth);
    const changes = writesInto(object.node).filter(({ key }) => key === undefined || key === name);
    if (changes.length === 0) return found;
    const given = changes.flatMap(({ key, value, node }) =>
      key !== undefined && value ? via(stepOf(name, node), follow(value, {}, depth)) : [],
    );
    const open = changes.some(({ key, value }) => key === undefined || !value);
    return unsure([...found, ...given, ...(open || found.length === 0 ? [unknown(object.node, object)] : [])]);
  }

  function writtenEntry(object: Found, name: string, depth: number): readonly Found[] {
    const pending: Found[] = [];
    for (const entry of [...(entriesOf(object.node) ?? [])].reverse()) {
      if (entry.kind === "unknown") pending.push(unknown(entry.node, object));
      else if (entry.kind === "spread") {
        const inner = membersOf(follow(entry.value, object, depth), name, depth + 1, entry.node);
        if (inner.length > 0 && inner.every((one) => one.sure) && pending.length === 0) return inner;
        pending.push(...unsure(inner));
      } else if (entry.name === name) {
        const found = via(stepOf(name, entry.node), follow(entry.value, object, depth));
        return pending.length > 0 ? unsure([...found, ...pending]) : found;
      }
    }
    return pending;
  }

  function writesInto(object: PyNode): readonly ItemWrite[] {
    const holder = holderOf(object);
    if (!holder) return [];
    const all = allWrites().into(holder.name);
    if (!holder.scope) return all;
    // a local variable is written where it is seen
    return all.filter(({ target }) => {
      if (target.type !== "identifier") return true;
      return lookUp(holder.name, target)?.scope === holder.scope || holder.scope!.type === "module";
    });
  }

  /** A field of an instance that this call made. */
  function instanceField(owner: PyNode, name: string, call: PyNode, from: Found, depth: number): readonly Found[] {
    const init = methodOf(owner, "__init__", depth);
    if (init) return fieldOf(owner, name, { arguments: bound(init, call, from, depth) }, depth);
    const field = declaredField(owner, name);
    if (!field) return fieldOf(owner, name, from, depth);
    const { positional, hasSplat } = argumentsOf(call);
    const given = keyword(call, name) ?? positional[fieldsOf(owner).indexOf(field)];
    if (given) return via(stepOf(name, given), follow(given, from, depth));
    const byDefault = defaultOf(owner, name, from, depth);
    const isSettled = !hasSplat && !isSettings(owner) && !allWrites().isAssigned(name);
    return isSettled ? byDefault : unsure(byDefault);
  }

  const bound = (callee: PyNode, call: PyNode, from: From, depth: number): Arguments => {
    const values = new Map(from.arguments);
    for (const parameter of child(callee, "parameters")?.children ?? []) {
      const argument = argumentFor(parameter, callee, call);
      const { hasSplat } = argumentsOf(call);
      const byDefault = child(parameter, "value");
      const source = argument ?? (hasSplat ? undefined : byDefault);
      if (!source) continue;
      const found = follow(source, argument ? from : {}, depth);
      if (found.length === 1) values.set(parameter, found[0]!);
      else values.delete(parameter);
    }
    return values;
  };

  function methodOf(owner: PyNode, name: string, depth: number, seen = new Set<PyNode>()): PyNode | undefined {
    if (seen.has(owner)) return undefined;
    seen.add(owner);
    const [own] = functionsOf(owner, name);
    if (own) return own;
    for (const base of basesOf(owner, depth)) {
      const found = methodOf(base, name, depth, seen);
      if (found) return found;
    }
    return undefined;
  }

  function basesOf(owner: PyNode, depth: number): readonly PyNode[] {
    if (depth > maximumDepth) {
      cuts += 1;
      return [];
    }
    return (child(owner, "superclasses")?.children ?? []).flatMap((base) =>
      base.type === "keyword_argument"
        ? []
        : follow(base, {}, depth + 1).flatMap(({ node }) => (node.type === "class_definition" ? [node] : [])),
    );
  }

  /** The default that a class gives a field, and its assignments to `self`. */
  function defaultOf(owner: PyNode, name: string, from: From, depth: number): readonly Found[] {
    const found: Found[] = [];
    for (const member of functionsOf(owner, name)) {
      const decorators = decoratorsOf(member);
      if (decorators.some((one) => /(^|\.)(cached_)?property$/.test(one))) {
        found.push(...via(stepOf(name, member), followReturns(member, from, depth)));
      } else if (decorators.every((one) => !/\.setter$/.test(one))) found.push(stop(member, from));
    }
    for (const binding of reaching(bindingsOf(owner).get(name) ?? [], owner)) {
      if (binding.kind === "value") {
        const value = fieldDefault(binding.node);
        if (value && !isNone(unwrap(value))) found.push(...via(stepOf(name, binding.at), follow(value, from, depth)));
        else if (!value) found.push(unknown(binding.node, from));
      } else if (binding.kind !== "definition") found.push(unknown(binding.at, from));
    }
    return found;
  }

  /** A field of a class: what its body or its methods assign. */
  function fieldOf(owner: PyNode, name: string, from: From, depth: number, seen = new Set<PyNode>()): readonly Found[] {
    if (seen.has(owner) || depth > maximumDepth) {
      cuts += 1;
      return [];
    }
    seen.add(owner);
    const found: Found[] = [...defaultOf(owner, name, from, depth)];
    const isDeclared = found.length > 0 && isModel(owner) && declaredField(owner, name) !== undefined;
    if (isDeclared) {
      // a constructor may give another value
      const index = fieldsOf(owner).findIndex((one) => fieldName(one) === name);
      for (const call of callsOf(codeOf(child(owner, "name") ?? owner))) {
        const given = keyword(call, name) ?? (index >= 0 ? argumentsOf(call).positional[index] : undefined);
        const callee = child(call, "function");
        if (given && callee && follow(callee, {}, depth + 1).some(({ node }) => node === owner)) {
          found.push(...via(stepOf(name, given), follow(given, {}, depth + 1)));
        }
      }
      if (isSettings(owner)) {
        const variable = name.toUpperCase();
        return unsure([...found.map((one) => (one.environment ? one : { ...one, environment: variable }))]);
      }
    }
    const assigned = selfAssignments(owner, name).filter(({ value }) => !value || !isNone(unwrap(value)));
    for (const { at, value } of assigned) {
      found.push(...(value ? via(stepOf(`self.${name}`, at), follow(value, from, depth)) : [unknown(at, from)]));
    }
    if (found.length === 0) {
      for (const base of basesOf(owner, depth)) {
        const inherited = fieldOf(base, name, from, depth + 1, seen);
        if (inherited.length > 0) return inherited;
      }
    }
    const isElsewhere = allWrites().isAssigned(name) || isOverridden(owner, name);
    return found.length > 1 || isElsewhere || isDeclared ? unsure(found) : found;
  }

  /** Has a class that extends this one the name too? */
  function isOverridden(owner: PyNode, name: string): boolean {
    indexNew();
    let answers = overridden.get(owner);
    if (!answers) {
      answers = new Map();
      overridden.set(owner, answers);
    }
    let answer = answers.get(name);
    if (answer === undefined) {
      answer = isInHeirs(owner, name, new Set());
      answers.set(name, answer);
    }
    return answer;
  }

  function isInHeirs(owner: PyNode, name: string, seen: Set<PyNode>): boolean {
    return writes.heirs(codeOf(child(owner, "name") ?? owner)).some((heir) => {
      if (seen.has(heir)) return false;
      seen.add(heir);
      return bindingsOf(heir).has(name) || selfAssignments(heir, name).length > 0 || isInHeirs(heir, name, seen);
    });
  }

  function followCall(node: PyNode, from: From, depth: number): readonly Found[] {
    const callee = child(node, "function");
    if (!callee) return [stop(node, from)];
    const { positional } = argumentsOf(node);
    const variable = environmentOf(node);
    if (variable !== undefined) {
      const found: readonly Found[] = [{ ...unknown(node, from), environment: variable }];
      const byDefault = positional[1] ?? keyword(node, "default");
      return byDefault && !isNone(byDefault)
        ? withDefault(found, `${short(callee)}("${variable}") default`, byDefault, from, depth)
        : found;
    }
    const name = callee.type === "identifier" ? codeOf(callee) : "";
    if ((name === "str" || name === "SecretStr") && positional[0]) return follow(positional[0], from, depth);
    if (name === "getattr" && positional[0] && positional[1]) {
      return memberOrDefault(node, positional[0], positional[1], positional[2], from, depth);
    }
    if (callee.type === "attribute") {
      const object = child(callee, "object");
      const method = codeOf(child(callee, "attribute") ?? callee);
      if (object && isTidying(method, positional)) {
        const inner = follow(object, from, depth);
        if (inner.some((one) => one.environment || stringParts(one.node))) {
          return /^(lower|upper|casefold)$/.test(method) ? unsure(inner) : inner;
        }
      }
      if (object && method === "get" && positional[0] && positional.length <= 2) {
        const found = memberOrDefault(node, object, positional[0], positional[1], from, depth);
        if (found[0]?.node !== node) return found;
      }
    }
    if (entriesOf(node)) return [stop(node, from)];
    const targets = follow(callee, from, depth);
    const [target] = targets;
    if (
      targets.length === 1 &&
      target &&
      (target.node.type === "function_definition" || target.node.type === "lambda")
    ) {
      const found = followReturns(target.node, { arguments: bound(target.node, node, from, depth) }, depth);
      if (found.length > 0) return via(stepOf(`${short(callee)}()`, target.node), target.sure ? found : unsure(found));
    }
    return [stop(node, from)];
  }

  /** `table.get(key, default)`, `getattr(object, key, default)`. */
  function memberOrDefault(
    node: PyNode,
    object: PyNode,
    key: PyNode,
    byDefault: PyNode | undefined,
    from: From,
    depth: number,
  ): readonly Found[] {
    const keys = follow(key, from, depth);
    const objects = follow(object, from, depth);
    const name = keys.length === 1 ? stringOf(keys[0]!.node) : undefined;
    const rows = objects.flatMap((one) => (one.node.type === "dictionary" ? (entriesOf(one.node) ?? []) : []));
    const found =
      name !== undefined
        ? membersOf(objects, name, depth, node)
        : rows.length > 0 && rows.length <= 50
          ? unsure(
              rows.flatMap((row) => (row.kind === "entry" ? follow(row.value, from, depth) : [unknown(node, from)])),
            )
          : [unknown(node, from)];
    if (!byDefault || isNone(byDefault)) return found.length > 0 ? found : [stop(node, from)];
    if (found.length > 0 && found.every((one) => one.sure)) return found;
    const other = via(`${short(node).slice(0, 60)} default`, follow(byDefault, from, depth));
    return found.length === 0 ? other : unsure([...found, ...other]);
  }

  function followReturns(callee: PyNode, from: From, depth: number): readonly Found[] {
    const body = child(callee, "body");
    if (!body) return [];
    if (callee.type === "lambda") return follow(body, from, depth);
    const returned = returns.get(body) ?? returnedIn(body);
    returns.set(body, returned);
    return returned.length === 0 ? [] : several(returned.map((one) => follow(one, from, depth)));
  }

  /** One question: the steps are counted anew. */
  const ask = <Answer>(question: () => Answer): Answer => {
    if (asking) return question();
    asking = true;
    steps = 0;
    try {
      return question();
    } finally {
      asking = false;
    }
  };
  const value = (node: PyNode, from?: Found): Value =>
    ask(() => {
      const found = follow(node, from ?? {}, 0);
      steps += 1;
      if (parts >= maximumParts || steps > limit) return unknownValue;
      parts += 1;
      try {
        return valueFrom(found, value);
      } finally {
        parts -= 1;
      }
    });
  const end = (node: PyNode): readonly Found[] => [stop(unwrap(node), {})];
  const onTheSpot: Resolver = {
    follow: end,
    member: () => [],
    value: (node) => valueFrom(end(node), () => unknownValue),
    briefly: (question) => question(),
    writesInto: () => [],
    assignedTo: () => [],
    get onTheSpot() {
      return onTheSpot;
    },
  };
  return {
    onTheSpot,
    follow: (node, from) => ask(() => follow(node, from ?? {}, 0)),
    member: (object, name) => ask(() => membersOf([object], name, 0, object.node)),
    value,
    briefly: (question) => {
      limit = fewSteps;
      try {
        return question();
      } finally {
        limit = maximumSteps;
      }
    },
    writesInto,
    assignedTo: (object, name) =>
      allWrites()
        .assigned(name)
        .filter((one) => codeOf(one.object) === object)
        .flatMap((one) => ask(() => follow(one.value, {}, 0))),
  };
}

export const isSequence = (node: PyNode): boolean => /^(tuple|list|expression_list|set)$/.test(node.type);

/** The environment variable an expression reads: `os.getenv("X")`, `os.environ["X"]`, `os.environ.get("X", d)`. */
export function environmentOf(node: PyNode): string | undefined {
  if (node.type === "subscript") {
    const [object, key] = [child(node, "value"), child(node, "subscript")];
    return object && key && /^(os\.)?environ$/.test(codeOf(object)) ? stringOf(key) : undefined;
  }
  if (node.type !== "call") return undefined;
  const callee = child(node, "function");
  if (!callee || !/^((os\.)?getenv|(os\.)?environ\.get|(decouple\.)?config|env(\.str|\.get)?)$/.test(codeOf(callee)))
    return undefined;
  const [first] = argumentsOf(node).positional;
  const name = first && stringOf(first);
  return name !== undefined && /^[A-Za-z_][A-Za-z0-9_]*$/.test(name) ? name : undefined;
}

function isTidying(method: string, positional: readonly PyNode[]): boolean {
  if (/^(lower|upper|casefold|encode|decode|expandtabs)$/.test(method)) return true;
  const given = positional[0] && stringOf(positional[0]);
  if (/^(strip|rstrip|lstrip)$/.test(method))
    return positional.length === 0 || given === "/" || (given ?? "x").trim() === "";
  return /^remove(suffix|prefix)$/.test(method) && given === "/";
}

/** Nothing can be learnt from the one that the other does not say. */
const isSameEnd = (one: Found, other: Found): boolean =>
  one.arguments === other.arguments &&
  one.environment === other.environment &&
  one.external?.package === other.external?.package &&
  one.external?.name === other.external?.name;

/** The argument that a call gives a parameter. */
function argumentFor(parameter: PyNode, owner: PyNode, call: PyNode): PyNode | undefined {
  if (/splat/.test(parameter.type)) return undefined;
  const name = nameOfParameter(parameter);
  const given = keyword(call, name);
  if (given) return given;
  const parameters = (child(owner, "parameters")?.children ?? []).filter((one) => !/separator/.test(one.type));
  const splat = parameters.findIndex((one) => one.type === "list_splat_pattern" || one.type === "keyword_separator");
  let index = parameters.indexOf(parameter);
  if (index < 0 || (splat >= 0 && index > splat)) return undefined;
  const isMethod = classOf(owner) !== undefined && !decoratorsOf(owner).includes("staticmethod");
  if (isMethod) index -= 1;
  return index < 0 ? undefined : argumentsOf(call).positional[index];
}

/** The name of the variable, member or key that holds an object from the start. */
function holderOf(object: PyNode): { readonly name: string; readonly scope: PyNode | undefined } | undefined {
  let node = object;
  while (
    node.parent &&
    /^(parenthesized_expression|boolean_operator|conditional_expression|assignment)$/.test(node.parent.type)
  ) {
    const { parent } = node;
    if (parent.type === "assignment") {
      if (node.field !== "right") return undefined;
      const left = child(parent, "left");
      if (left?.type === "identifier") {
        const scope = scopeOf(left);
        return { name: codeOf(left), scope: scope.type === "class_definition" ? undefined : scope };
      }
      if (left?.type === "attribute") return { name: codeOf(child(left, "attribute") ?? left), scope: undefined };
      const key = left?.type === "subscript" ? child(left, "subscript") : undefined;
      const name = key && stringOf(key);
      return name === undefined ? undefined : { name, scope: undefined };
    }
    node = parent;
  }
  const { parent } = node;
  if (parent?.type === "pair" && node.field === "value") {
    const key = child(parent, "key");
    const name = key && stringOf(key);
    return name === undefined ? undefined : { name, scope: undefined };
  }
  if (parent?.type === "keyword_argument") return { name: codeOf(child(parent, "name") ?? parent), scope: undefined };
  return undefined;
}

/** What a function returns, less what functions inside it do. */
function returnedIn(body: PyNode): readonly PyNode[] {
  const returned: PyNode[] = [];
  walk(body, (node) => {
    if (node.type === "function_definition" || node.type === "class_definition" || node.type === "lambda") return false;
    if (node.type === "return_statement" && node.children[0]) returned.push(node.children[0]);
    return undefined;
  });
  return returned;
}

const functions = new WeakMap<PyNode, ReadonlyMap<string, readonly PyNode[]>>();
const noFunctions: readonly PyNode[] = [];

/** The functions of a name in the body of a class. */
function functionsOf(owner: PyNode, name: string): readonly PyNode[] {
  let known = functions.get(owner);
  if (!known) {
    const found = new Map<string, PyNode[]>();
    for (const one of statementsOf(child(owner, "body"))) {
      if (one.type !== "function_definition") continue;
      const own = codeOf(child(one, "name") ?? one);
      found.set(own, [...(found.get(own) ?? []), one]);
    }
    known = found;
    functions.set(owner, known);
  }
  return known.get(name) ?? noFunctions;
}

const baseNames = (owner: PyNode): string =>
  (child(owner, "superclasses")?.children ?? []).map((one) => codeOf(one)).join(" ");

/** Is a field of it set when an instance is made: dataclass, pydantic, NamedTuple, attrs? */
function isModel(owner: PyNode): boolean {
  return (
    /\b(BaseModel|BaseSettings|NamedTuple|SQLModel|Struct|Schema|RootModel)\b|Model\b|Settings\b|Config\b/.test(
      baseNames(owner),
    ) || decoratorsOf(owner).some((one) => /(^|\.)(dataclass|define|attrs|s|frozen|mutable)$/.test(one))
  );
}

const isSettings = (owner: PyNode): boolean => /Settings\b/.test(baseNames(owner));

/** Assignments in the body of a class. */
function fieldsOf(owner: PyNode): readonly PyNode[] {
  return statementsOf(child(owner, "body")).flatMap((one) => {
    const inner = one.type === "expression_statement" ? one.children[0] : undefined;
    return inner?.type === "assignment" && child(inner, "left")?.type === "identifier" && child(inner, "type")
      ? [inner]
      : [];
  });
}

const fieldName = (field: PyNode): string => codeOf(child(field, "left") ?? field);

const declaredField = (owner: PyNode, name: string): PyNode | undefined =>
  isModel(owner) ? fieldsOf(owner).find((one) => fieldName(one) === name) : undefined;

/** What `Field(default="x")`, `field(default="x")`, `Field("x")` stand for; undefined where no default is known. */
function fieldDefault(node: PyNode): PyNode | undefined {
  const plain = unwrap(node);
  if (plain.type !== "call" || !/^(Field|field|attrib|PrivateAttr)$/.test(lastName(child(plain, "function") ?? plain)))
    return node;
  const factory = keyword(plain, "default_factory");
  if (factory?.type === "lambda") return child(factory, "body");
  const [first] = argumentsOf(plain).positional;
  return keyword(plain, "default") ?? (first?.type === "ellipsis" ? undefined : first);
}

const assignments = new WeakMap<PyNode, ReadonlyMap<string, readonly { at: PyNode; value: PyNode | undefined }[]>>();

/** Assignments to `self.name` in the methods of a class. */
function selfAssignments(
  owner: PyNode,
  name: string,
): readonly { readonly at: PyNode; readonly value: PyNode | undefined }[] {
  let known = assignments.get(owner);
  if (!known) {
    const found = new Map<string, { at: PyNode; value: PyNode | undefined }[]>();
    walk(child(owner, "body") ?? owner, (node) => {
      if (node.type === "class_definition") return false;
      if (node.type !== "assignment" && node.type !== "augmented_assignment") return undefined;
      const left = child(node, "left");
      const targets = left && /pattern/.test(left.type) ? left.children : left ? [left] : [];
      for (const target of targets) {
        const { root, names } = chainOf(target);
        if (target.type !== "attribute" || names.length !== 1 || !isName(root)) continue;
        if (classAround(target, codeOf(root)) !== owner) continue;
        let value = target === left && node.type === "assignment" ? child(node, "right") : undefined;
        while (value?.type === "assignment") value = child(value, "right");
        found.set(names[0]!, [...(found.get(names[0]!) ?? []), { at: target, value }]);
      }
      return undefined;
    });
    known = found;
    assignments.set(owner, known);
  }
  return known.get(name) ?? [];
}

function indexCalls(tree: PyTree, index: Map<string, PyNode[]>): void {
  walk(tree.root, (node) => {
    const callee = node.type === "call" ? child(node, "function") : undefined;
    const name = callee ? lastName(callee) : "";
    if (!name) return undefined;
    const calls = index.get(name);
    if (calls) calls.push(node);
    else index.set(name, [node]);
    return undefined;
  });
}
