// Long because the roles in which a name or number can stand are many, and told apart in one pass.
import type { HostVerdict, Literal, Mention, MentionKind, NamedFlag, NamedNumber } from "../facts.js";
import { hostOfModel, hostOfPython } from "../host.js";
import { isDeepSeekId } from "../models.js";
import { externalOf, hostOfFile, isDocumentation } from "./python-clients.js";
import { environmentOf, type Resolver } from "./python-resolve.js";
import { bindingsOf, isName, lookUp, type Project, scopeOf, starsOf } from "./python-scopes.js";
import { argumentsOf, lastName, numberOf, stringOf, stringParts } from "./python-syntax.js";
import { child, codeOf, type PyNode, placeOf, short, walk } from "./python-tree.js";

interface Role {
  readonly kind: MentionKind;
  readonly name: string;
}

/** Strings that belong to a longer one, or to an f-string's format. */
const isPart = (node: PyNode): boolean => node.parent?.type === "concatenated_string";

/** A mention as it stands in the file, before it is known which requests use it. */
export function mentionOf(node: PyNode, resolver: Resolver): Omit<Mention, "onlyRequests"> | undefined {
  const id = isPart(node) ? undefined : stringOf(node);
  if (id === undefined || !isDeepSeekId(id)) return undefined;
  const role = roleOf(node);
  if (!role) return undefined;
  const byId = hostOfModel(id);
  const host: HostVerdict = byId
    ? { host: byId, certainty: "certain", evidence: `the id "${id}"` }
    : (hostOfCall(node, resolver) ?? hostOfFile(node.tree));
  return { id, ...role, place: placeOf(node), host };
}

/** The host of the call that a literal is an argument of, by what is called. */
function hostOfCall(node: PyNode, resolver: Resolver): HostVerdict | undefined {
  const holder = node.parent?.type === "keyword_argument" ? node.parent.parent : node.parent;
  const callee = holder?.type === "argument_list" && holder.parent ? child(holder.parent, "function") : undefined;
  const from = callee && externalOf(callee, resolver);
  const host = from && hostOfPython(from.package, from.name);
  return host && { host, certainty: "certain", evidence: `${short(callee)} of ${from.package}` };
}

/** Climbs over defaults and conditionals to what a literal is for; undefined for docstrings. */
function roleOf(literal: PyNode): Role | undefined {
  let node = literal;
  let byDefault = false;
  for (let up = node.parent; up; up = node.parent) {
    const isOr = up.type === "boolean_operator" && child(up, "operator")?.type === "or";
    if (isOr && node.field === "right") byDefault = true;
    if (!isOr && up.type !== "parenthesized_expression" && up.type !== "conditional_expression") break;
    node = up;
  }
  const up = node.parent;
  if (!up) return undefined;
  const named = (kind: MentionKind, name: string): Role => ({ kind: byDefault ? "default" : kind, name });
  switch (up.type) {
    case "keyword_argument": {
      const name = codeOf(child(up, "name") ?? up);
      return name === "default" && isFieldCall(up.parent?.parent)
        ? { kind: "default", name: ownerName(up) }
        : named("property", name);
    }
    case "pair": {
      if (node.field === "key") return { kind: "table key", name: "" };
      const key = child(up, "key");
      return named("property", (key && (stringOf(key) ?? short(key))) ?? "");
    }
    case "assignment": {
      const left = child(up, "left");
      if (node.field !== "right" || !left) return { kind: "type", name: "" };
      const inClass = scopeOf(up).type === "class_definition";
      return inClass && child(up, "type") ? { kind: "default", name: short(left) } : named("constant", short(left));
    }
    case "default_parameter":
    case "typed_default_parameter":
      return { kind: "default", name: codeOf(child(up, "name") ?? up) };
    case "named_expression":
      return named("constant", codeOf(child(up, "name") ?? up));
    case "comparison_operator": {
      const other = up.children.find((one) => one !== node && one.field !== "operators");
      const operator = child(up, "operators")?.type ?? "";
      const isContained = /in$/.test(operator) && up.children[0] === node;
      return { kind: isContained ? "text test" : "comparison", name: other ? short(other) : "" };
    }
    case "case_pattern":
    case "union_pattern":
    case "list_pattern":
    case "dict_pattern":
      return { kind: "switch case", name: "" };
    case "list":
    case "tuple":
    case "set":
    case "expression_list": {
      const test = up.parent?.type === "comparison_operator" ? up.parent.children[0] : undefined;
      if (test) return { kind: "comparison", name: short(test) };
      const call = up.parent?.type === "argument_list" ? up.parent.parent : undefined;
      if (call && isTextTest(call)) return { kind: "text test", name: calleeOf(call) };
      if (up.parent?.type === "subscript" && up.field !== "value") return ofSubscript(up.parent);
      return { kind: "list", name: listName(up) };
    }
    case "subscript":
      return node.field === "value" ? { kind: "other", name: "" } : ofSubscript(up);
    case "type":
    case "type_parameter":
      return { kind: "type", name: "" };
    case "argument_list":
      return up.parent ? ofArgument(node, up.parent, named) : undefined;
    case "expression_statement":
      return isDocumentation(node) ? undefined : { kind: "other", name: "" };
    default:
      return { kind: "other", name: "" };
  }
}

const ofSubscript = (node: PyNode): Role => {
  const value = child(node, "value");
  const name = value ? short(value) : "";
  return /(^|\.)Literal$/.test(name) ? { kind: "type", name } : { kind: "table key", name };
};

const calleeOf = (call: PyNode): string => short(child(call, "function") ?? call);

const isTextTest = (call: PyNode): boolean =>
  /^(startswith|endswith|find|index|count|search|match|fullmatch|removeprefix)$/.test(
    lastName(child(call, "function") ?? call),
  );

const isFieldCall = (call: PyNode | undefined): boolean =>
  call?.type === "call" &&
  /^(Field|field|Option|Argument|add_argument|Query|Form|attrib)$/.test(lastName(child(call, "function") ?? call));

/** The variable or field that the value around a node is given to. */
function ownerName(node: PyNode): string {
  for (let up = node.parent; up; up = up.parent) {
    if (up.type === "assignment") return short(child(up, "left") ?? up);
    if (/default_parameter$/.test(up.type)) return codeOf(child(up, "name") ?? up);
    if (up.type === "call") {
      const [first] = argumentsOf(up).positional;
      const option = first && stringOf(first);
      if (option?.startsWith("-")) return option.replace(/^-+/, "");
    }
    if (/^(block|module)$/.test(up.type)) break;
  }
  return "";
}

function listName(list: PyNode): string {
  const up = list.parent;
  if (up?.type === "assignment" || up?.type === "keyword_argument")
    return short(child(up, "left") ?? child(up, "name") ?? up);
  const key = up?.type === "pair" ? child(up, "key") : undefined;
  return key ? (stringOf(key) ?? "") : "";
}

function ofArgument(node: PyNode, call: PyNode, named: (kind: MentionKind, name: string) => Role): Role {
  const name = calleeOf(call);
  if (isTextTest(call)) return { kind: "text test", name };
  const { positional } = argumentsOf(call);
  const variable = environmentOf(call);
  if (variable !== undefined) return { kind: positional[0] === node ? "other" : "default", name: variable };
  if (/\.get$/.test(name) || /^getattr$/.test(name)) {
    const index = positional.indexOf(node);
    return { kind: index === positional.length - 1 && index > 0 ? "default" : "table key", name };
  }
  if (/^(Field|field)$/.test(name)) return { kind: "default", name: ownerName(call) };
  return named("argument", name);
}

const limitText = /context length\D{0,20}65,?536|\b65,?536\b tokens/i;

/** A number with a name, or one that is compared; those without either from 1000 on. */
export function numberFact(node: PyNode): NamedNumber | undefined {
  if (node.type === "string" || node.type === "concatenated_string") {
    if (isPart(node) || isDocumentation(node) || node.end - node.start > 2000 || !limitText.test(codeOf(node)))
      return undefined;
    return { ...numberBase(node), name: "error text", value: 65_536, form: "error text", owner: undefined };
  }
  const up = node.parent;
  // the whole of a sum or product counts
  if (!up || up.type === "binary_operator" || up.type === "unary_operator" || up.type === "parenthesized_expression")
    return undefined;
  const value = numberOf(node);
  if (value === undefined) return undefined;
  const fact = (name: string, form: NamedNumber["form"]): NamedNumber => ({
    ...numberBase(node),
    name,
    value,
    form,
    owner: ownerOf(node),
  });
  const large = Math.abs(value) >= 1000;
  switch (up.type) {
    case "keyword_argument":
      return fact(codeOf(child(up, "name") ?? up), "property");
    case "pair": {
      const key = child(up, "key");
      return node.field === "value" && key ? fact(stringOf(key) ?? short(key), "property") : undefined;
    }
    case "assignment":
    case "augmented_assignment": {
      const left = child(up, "left");
      if (node.field !== "right" || !left) return undefined;
      const inClass = scopeOf(up).type === "class_definition";
      const isConstant = left.type === "identifier" && up.type === "assignment";
      return fact(short(left), inClass && isConstant ? "property" : isConstant ? "constant" : "assignment");
    }
    case "default_parameter":
    case "typed_default_parameter":
      return fact(codeOf(child(up, "name") ?? up), "property");
    case "comparison_operator": {
      const other = up.children.find((one) => one !== node && one.field !== "operators");
      return fact(other ? short(other) : "", "comparison");
    }
    case "case_pattern": {
      const match = up.parent?.parent?.parent;
      const subject = match && child(match, "subject");
      return fact(subject ? short(subject) : "", "switch case");
    }
    case "argument_list":
      return large ? fact("", "argument") : undefined;
    case "list":
    case "tuple":
    case "set":
      return large ? fact(listName(up), "list") : undefined;
    default:
      return undefined;
  }
}

const numberBase = (node: PyNode) => ({ text: short(node), place: placeOf(node), host: hostOfFile(node.tree) });

/** A boolean with a name. */
export function flagFact(node: PyNode): NamedFlag | undefined {
  if (node.type !== "true" && node.type !== "false") return undefined;
  const role = roleOf(node);
  if (!role?.name || !/^(property|constant|default)$/.test(role.kind) || node.field === "key") return undefined;
  return {
    name: role.name,
    value: node.type === "true",
    place: placeOf(node),
    owner: ownerOf(node),
    host: hostOfFile(node.tree),
  };
}

/** Strings longer than this are left out of the facts. */
const longest = 20_000;

/** A string written out. */
export function literalFact(node: PyNode): Literal | undefined {
  if (isPart(node) || node.end - node.start > longest) return undefined;
  const parts = stringParts(node);
  if (!parts) return undefined;
  const role = isDocumentation(node) ? undefined : roleOf(node);
  const value = parts.map((part) => (typeof part === "string" ? part : "…")).join("");
  const call = node.parent?.type === "argument_list" ? node.parent.parent : undefined;
  const callee = call && child(call, "function");
  const isPattern = callee && /^(re|regex)\.\w+$/.test(codeOf(callee)) && argumentsOf(call).positional[0] === node;
  return {
    value,
    kind: isPattern ? "regex" : parts.every((part) => typeof part === "string") ? "string" : "template",
    place: placeOf(node),
    name: role && /^(property|constant|default|list)$/.test(role.kind) ? role.name : "",
    ...(isDocumentation(node) ? { isDocumentation: true as const } : {}),
  };
}

const idNames = /^(id|model|model_id|model_name|name|value|key|slug)$/;

/** The DeepSeek id or name that a number or flag belongs to; the nearest entry decides. */
function ownerOf(node: PyNode): string | undefined {
  for (let up: PyNode = node; up.parent; up = up.parent) {
    const holder = up.parent;
    if (holder.type === "dictionary" || holder.type === "argument_list") {
      for (const one of holder.children) {
        const key = child(one, "key");
        const name = one.type === "keyword_argument" ? child(one, "name") : undefined;
        const known = key ? stringOf(key) : name && codeOf(name);
        const value = known !== undefined && idNames.test(known) ? child(one, "value") : undefined;
        const text = value && stringOf(value);
        if (text !== undefined) return /deepseek/i.test(text) ? text : undefined;
      }
      if (holder.type === "argument_list" && holder.parent?.type === "call") {
        const [first] = argumentsOf(holder.parent).positional;
        const text = first && stringOf(first);
        if (text !== undefined && /deepseek/i.test(text)) return text;
      }
    }
    if (holder.type === "pair" && up.field === "value") {
      const key = child(holder, "key");
      const name = key && stringOf(key);
      if (name !== undefined) {
        if (/deepseek/i.test(name)) return name;
        // another row of a table of models
        if (/[-/.\d]/.test(name)) return undefined;
      }
    }
    if (holder.type === "assignment") {
      const left = child(holder, "left");
      if (left && /deep_?seek/i.test(codeOf(left))) return short(left);
      const key = left?.type === "subscript" ? child(left, "subscript") : undefined;
      const text = key && stringOf(key);
      if (text !== undefined && /deepseek/i.test(text)) return text;
    }
    if (holder.type === "class_definition") {
      const name = codeOf(child(holder, "name") ?? holder);
      if (/deepseek/i.test(name)) return name;
    }
    if (/^(if_statement|elif_clause|case_clause)$/.test(holder.type) && up.field === "consequence") {
      const test = child(holder, "condition") ?? holder.children.find(({ type }) => type === "case_pattern");
      const word = test && /["']([^"']*deepseek[^"']*)["']/i.exec(codeOf(test))?.[1];
      if (word) return word;
    }
  }
  return undefined;
}

/** The constant a literal is the value of, and every place in the project that names it; undefined for other literals. */
export function constantUses(literal: PyNode, project: Project): readonly PyNode[] | undefined {
  let node = literal;
  while (
    node.parent &&
    /^(parenthesized_expression|boolean_operator|conditional_expression|argument_list|call)$/.test(node.parent.type)
  ) {
    const { parent } = node;
    // a default of os.getenv() is the constant's value too; that of another call is not
    if (parent.type === "call" && environmentOf(parent) === undefined) return undefined;
    node = parent;
  }
  const left = node.parent?.type === "assignment" && node.field === "right" ? child(node.parent, "left") : undefined;
  if (left?.type !== "identifier") return undefined;
  const scope = scopeOf(left);
  const name = codeOf(left);
  if (scope.type === "class_definition" || bindingsOf(scope).get(name)?.length !== 1) return undefined;
  const uses = usesIn(scope, name, scope);
  if (scope.type !== "module") return uses;
  for (const tree of project.trees.values()) {
    if (tree === literal.tree) continue;
    if (starsOf(tree).some((star) => project.imported(tree, star) === literal.tree)) return undefined;
    for (const [local, bindings] of bindingsOf(tree.root)) {
      for (const binding of bindings) {
        if (binding.kind !== "import") continue;
        const whole =
          binding.name === "*"
            ? binding.specifier
            : binding.specifier + (binding.specifier.endsWith(".") ? "" : ".") + binding.name;
        // a module that is imported whole leads further than we look
        if (project.imported(tree, whole) === literal.tree) return undefined;
        if (binding.name === name && project.imported(tree, binding.specifier) === literal.tree) {
          uses.push(...usesIn(tree.root, local, tree.root));
        }
      }
    }
    // imports inside functions
    if (importsInside(tree.root, name, literal, project)) return undefined;
  }
  return uses;
}

function importsInside(root: PyNode, name: string, literal: PyNode, project: Project): boolean {
  let found = false;
  walk(root, (node) => {
    if (found || node.type !== "import_from_statement" || scopeOf(node).type === "module") return undefined;
    const from = child(node, "module_name");
    const names = node.children.filter(({ field }) => field === "name").map((one) => codeOf(child(one, "name") ?? one));
    if (from && names.includes(name) && project.imported(root.tree, codeOf(from)) === literal.tree) found = true;
    return undefined;
  });
  return found;
}

function usesIn(root: PyNode, name: string, scope: PyNode): PyNode[] {
  const uses: PyNode[] = [];
  walk(root, (node) => {
    if (!isName(node) || codeOf(node) !== name || node.parent?.type === "aliased_import") return undefined;
    const bound = lookUp(name, node);
    if (bound?.scope === scope && !bound.bindings.some(({ at }) => at === node)) uses.push(node);
    return undefined;
  });
  return uses;
}
