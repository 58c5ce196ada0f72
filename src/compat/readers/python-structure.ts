// Long because it holds all facts that are told from the tree alone: tests, switches, members, messages, commands.
import type { Command, Comment, Comparison, HistoryItem, MemberUse, NamedSymbol, Switch, Word } from "../facts.js";
import { watchedMembers } from "../facts.js";
import type { Resolver } from "./python-resolve.js";
import {
  argumentsOf,
  chainOf,
  classOf,
  entriesOf,
  keyword,
  lastName,
  primitive,
  stringOf,
  stringParts,
  unwrap,
} from "./python-syntax.js";
import { child, codeOf, type PyNode, type PyTree, placeOf, short } from "./python-tree.js";

/** Tests of a comparison against literals: `x == "v"`, `"v" in x`, `x in ("a", "b")`, `x.startswith("v")`. */
export function comparisonsOf(node: PyNode): readonly Comparison[] {
  const place = placeOf(node);
  if (node.type === "comparison_operator") {
    const operators = node.children.filter(({ field }) => field === "operators");
    const operands = node.children.filter(({ field }) => field !== "operators");
    return operators.flatMap((operator, index) => {
      const [left, right] = [operands[index], operands[index + 1]];
      return left && right ? ofOperator(operator.type, left, right, place) : [];
    });
  }
  if (node.type === "call") {
    const callee = child(node, "function");
    const [first, second] = argumentsOf(node).positional;
    if (!callee || !first) return [];
    if (codeOf(callee) === "isinstance" && second)
      return namesOf(second).map((value) => ({ subject: short(first), value, operator: "instance", place }));
    const object = child(callee, "object");
    if (!object || !/^(startswith|endswith|find|index|count|__contains__)$/.test(lastName(callee))) return [];
    return literalsOf(first).map((value) => ({ subject: short(object), value, operator: "contains", place }));
  }
  if (node.type === "except_clause") {
    const value = child(node, "value");
    const caught = value?.type === "as_pattern" ? value.children[0] : value;
    const alias = value?.type === "as_pattern" ? child(value, "alias") : undefined;
    return caught
      ? namesOf(caught).map((one) => ({
          subject: alias ? short(alias) : "",
          value: one,
          operator: "instance",
          place: placeOf(caught),
        }))
      : [];
  }
  if (node.type === "case_pattern") {
    const match = matchOf(node);
    const subject = match && child(match, "subject");
    return patternLiterals(node).map(({ value, node: one }) => ({
      subject: subject ? short(subject) : "",
      value,
      operator: "case",
      place: placeOf(one),
    }));
  }
  return [];
}

function ofOperator(operator: string, left: PyNode, right: PyNode, place: Comparison["place"]): readonly Comparison[] {
  const [a, b] = [primitive(left), primitive(right)];
  switch (operator) {
    case "==":
    case "!=":
    case "<>":
    case "is":
    case "is not": {
      const value = b ?? a;
      if (value === undefined) return [];
      const subject = short(b !== undefined ? left : right);
      return [{ subject, value, operator: operator === "==" || operator === "is" ? "equals" : "differs", place }];
    }
    case "in":
    case "not in":
      if (a !== undefined) return [{ subject: short(right), value: a, operator: "contains", place }];
      return literalsOf(right).map((value) => ({
        subject: short(left),
        value,
        operator: operator === "in" ? "equals" : "differs",
        place,
      }));
    default:
      return [];
  }
}

/** A literal, or those of a list, tuple or set. */
function literalsOf(node: PyNode): readonly (string | number | boolean)[] {
  const plain = unwrap(node);
  const all = /^(list|tuple|set)$/.test(plain.type) ? plain.children : [plain];
  return all.flatMap((one) => {
    const value = primitive(one);
    return value === undefined ? [] : [value];
  });
}

function namesOf(node: PyNode): readonly string[] {
  const plain = unwrap(node);
  const all = plain.type === "tuple" || plain.type === "expression_list" ? plain.children : [plain];
  return all.map((one) => chainOf(one).names.at(-1) ?? codeOf(one)).filter((name) => /^\w+$/.test(name));
}

function matchOf(node: PyNode): PyNode | undefined {
  let up = node.parent;
  while (up && up.type !== "match_statement") up = up.parent;
  return up;
}

function patternLiterals(pattern: PyNode): readonly { value: string | number | boolean; node: PyNode }[] {
  return pattern.children.flatMap((one) => {
    if (one.type === "union_pattern") return patternLiterals(one);
    const value = primitive(one);
    return value === undefined ? [] : [{ value, node: one }];
  });
}

/** A `match`, or a chain of if and elif that tests one subject at least three times. */
export function switchOf(node: PyNode): Switch | undefined {
  if (node.type === "match_statement") {
    const subject = child(node, "subject");
    const clauses = (child(node, "body")?.children ?? []).filter(({ type }) => type === "case_clause");
    const patterns = clauses.flatMap(({ children }) => children.filter(({ type }) => type === "case_pattern"));
    const cases = patterns.flatMap(patternLiterals).map(({ value, node: one }) => ({ value, place: placeOf(one) }));
    if (!subject || cases.length === 0) return undefined;
    const hasDefault = patterns.some((one) => codeOf(one) === "_" || one.children[0]?.type === "identifier");
    return { subject: short(subject), cases, hasDefault, place: placeOf(node) };
  }
  if (node.type !== "if_statement") return undefined;
  const clauses = [node, ...node.children.filter(({ type }) => type === "elif_clause")];
  if (clauses.length < 3) return undefined;
  const tests = clauses.flatMap((clause) => {
    const condition = child(clause, "condition");
    return condition ? comparisonsOf(unwrap(condition)).filter(({ operator }) => operator === "equals") : [];
  });
  const subject = tests[0]?.subject;
  const own = tests.filter((one) => one.subject === subject);
  if (subject === undefined || own.length < 3) return undefined;
  return {
    subject,
    cases: own.map(({ value, place }) => ({ value, place })),
    hasDefault: node.children.some(({ type }) => type === "else_clause"),
    place: placeOf(node),
  };
}

/** Reads, removals and writes of watched members. */
export function memberUses(node: PyNode): readonly MemberUse[] {
  const use = (name: string | undefined, form: MemberUse["form"], object: PyNode | undefined): readonly MemberUse[] =>
    name !== undefined && watchedMembers.has(name)
      ? [{ name, form, object: object ? short(object) : "", place: placeOf(node) }]
      : [];
  switch (node.type) {
    case "attribute":
    case "subscript": {
      const key = child(node, node.type === "attribute" ? "attribute" : "subscript");
      const object = child(node, node.type === "attribute" ? "object" : "value");
      const name = key && (node.type === "attribute" ? codeOf(key) : stringOf(key));
      const isCallee = node.field === "function";
      return isCallee ? [] : use(name, formOf(node), object);
    }
    case "call": {
      const callee = child(node, "function");
      const [first, second] = argumentsOf(node).positional;
      if (!callee || !first) return [];
      const name = codeOf(callee);
      if (name === "getattr" || name === "hasattr") return second ? use(stringOf(second), "read", first) : [];
      if (name === "setattr" || name === "delattr")
        return second ? use(stringOf(second), name === "setattr" ? "write" : "remove", first) : [];
      const method = callee.type === "attribute" ? lastName(callee) : "";
      if (method === "get" || method === "pop")
        return use(stringOf(first), method === "get" ? "read" : "remove", child(callee, "object"));
      return [];
    }
    case "pair": {
      const key = child(node, "key");
      return node.parent?.type === "dictionary" ? use(key && stringOf(key), "write", undefined) : [];
    }
    case "keyword_argument": {
      const name = child(node, "name");
      const callee = node.parent?.parent && child(node.parent.parent, "function");
      return use(name && codeOf(name), "write", callee);
    }
    case "comparison_operator": {
      // {k: v for k, v in m.items() if k != "reasoning_content"}
      const [left, operator, right] = node.children;
      const comprehension = node.parent?.type === "if_clause" ? node.parent.parent : undefined;
      if (
        !left ||
        !right ||
        !/^(!=|not in)$/.test(operator?.type ?? "") ||
        !/comprehension$/.test(comprehension?.type ?? "")
      )
        return [];
      const source = comprehension?.children.find(({ type }) => type === "for_in_clause");
      const iterated = source && child(source, "right");
      const callee = iterated?.type === "call" ? child(iterated, "function") : undefined;
      const object = (callee && child(callee, "object")) ?? iterated;
      const names = /^(list|tuple|set)$/.test(right.type) ? right.children : [right];
      return names.flatMap((one) => use(stringOf(one), "remove", object));
    }
    default:
      return [];
  }
}

function formOf(node: PyNode): MemberUse["form"] {
  const up = node.parent;
  if (up?.type === "delete_statement" || up?.parent?.type === "delete_statement") return "remove";
  return up?.type === "assignment" && node.field === "left" ? "write" : "read";
}

const wholeMessage =
  /choices(\[\s*0\s*\]|"\]\[0\]|'\]\[0\]|\.0)\s*(\.message|\[["']message["']\]|\.get\(["']message["']\))$/;

/** Messages put into a list: `messages.append(x)`, `messages += [x]`, `messages = messages + [x]`, `[*messages, x]`. */
export function historyOf(node: PyNode, resolver: Resolver, requests: ReadonlySet<PyNode>): readonly HistoryItem[] {
  const item = (list: PyNode, one: PyNode): readonly HistoryItem[] => {
    const found = resolver.briefly(() => itemOf(one, resolver, requests));
    return found ? [{ list: short(list), place: placeOf(one), text: short(one), ...found }] : [];
  };
  if (node.type === "call") {
    const callee = child(node, "function");
    const list = callee && child(callee, "object");
    if (!callee || !list) return [];
    const { positional } = argumentsOf(node);
    const method = lastName(callee);
    if (method === "append" && positional[0]) return item(list, positional[0]);
    if (method === "insert" && positional[1]) return item(list, positional[1]);
    if (method === "extend" && positional[0]?.type === "list")
      return positional[0].children.flatMap((one) => item(list, one));
    return [];
  }
  if (node.type === "augmented_assignment") {
    const [left, right] = [child(node, "left"), child(node, "right")];
    return left && right?.type === "list" ? right.children.flatMap((one) => item(left, one)) : [];
  }
  if (node.type === "binary_operator" && child(node, "operator")?.type === "+") {
    const [left, right] = [child(node, "left"), child(node, "right")];
    return left && left.type !== "list" && right?.type === "list"
      ? right.children.flatMap((one) => item(left, one))
      : [];
  }
  if (node.type === "list") {
    const spread = node.children.find(({ type }) => type === "list_splat");
    const list = spread?.children[0];
    return list ? node.children.filter(({ type }) => type !== "list_splat").flatMap((one) => item(list, one)) : [];
  }
  return [];
}

function itemOf(
  node: PyNode,
  resolver: Resolver,
  requests: ReadonlySet<PyNode>,
): Pick<HistoryItem, "kind" | "names" | "request"> | undefined {
  const entries = node.type === "dictionary" || node.type === "call" ? entriesOf(node) : undefined;
  const role = entries?.find((one) => one.kind === "entry" && one.name === "role");
  if (entries && role?.kind === "entry") {
    const names = entries.flatMap((one) => (one.kind === "entry" ? [one.name] : []));
    const content = entries.find((one) => one.kind === "entry" && one.name === "content");
    // what is written out is an example, no answer
    const isCopied = content?.kind === "entry" && stringOf(unwrap(content.value)) === undefined;
    return stringOf(unwrap(role.value)) === "assistant" && isCopied ? { kind: "rebuilt", names } : undefined;
  }
  let [found] = resolver.follow(node);
  for (let level = 0; level < 2 && found?.node.type === "call"; level += 1) {
    const callee = child(found.node, "function");
    if (!callee) return undefined;
    const isDump = callee.type === "attribute" && /^(model_dump|dict|to_dict|copy|model_copy)$/.test(lastName(callee));
    const inner = isDump
      ? child(callee, "object")
      : codeOf(callee) === "dict"
        ? argumentsOf(found.node).positional[0]
        : undefined;
    if (!inner) return undefined;
    [found] = resolver.follow(inner, found);
  }
  if (!found || !wholeMessage.test(codeOf(found.node).slice(-200))) return undefined;
  const request = requestBehind(found.node, resolver, requests);
  return { kind: "response", names: [], ...(request ? { request } : {}) };
}

/** The request whose answer a message is part of. */
function requestBehind(message: PyNode, resolver: Resolver, requests: ReadonlySet<PyNode>): HistoryItem["request"] {
  let node = message;
  for (let level = 0; level < 8; level += 1) {
    const inner =
      child(node, "object") ?? child(node, "value") ?? (node.type === "call" ? child(node, "function") : undefined);
    if (!inner || node.type === "identifier") break;
    node = inner;
  }
  const [found, ...others] = resolver.follow(node);
  const made = found && others.length === 0 ? found.node : undefined;
  return made?.type === "call" && requests.has(made) ? placeOf(made) : undefined;
}

const programs =
  /^(python[\d.]*|uv|vllm|sglang|ollama|llama-server|llama-cli|lmdeploy|trtllm-serve|docker|podman|curl|aider|litellm|tgi|text-generation-launcher|huggingface-cli|hf|npx|node|bash|sh|torchrun|accelerate|ktransformers)$/;

/** A command that code starts: a list of words, or the text given to a shell. */
export function commandOf(node: PyNode): Command | undefined {
  if (node.type === "list" || node.type === "tuple") {
    const [first] = node.children;
    const program = first && stringOf(first);
    const isProgram = program !== undefined && programs.test(program.split("/").at(-1)!);
    const isPython = first !== undefined && codeOf(first) === "sys.executable";
    if (node.children.length < 2 || !(isProgram || isPython)) return undefined;
    return { words: node.children.map(wordOf), place: placeOf(node), context: "list" };
  }
  if (node.type !== "call") return undefined;
  const callee = child(node, "function");
  if (
    !callee ||
    !/(^|\.)(system|popen|run|Popen|call|check_call|check_output|getoutput|create_subprocess_shell)$/.test(
      codeOf(callee),
    )
  )
    return undefined;
  const first = argumentsOf(node).positional[0] ?? keyword(node, "args");
  const parts = first && (first.type === "string" ? stringParts(first) : undefined);
  if (!first || parts?.length !== 1 || typeof parts[0] !== "string") return undefined;
  const content = first.children.find(({ type }) => type === "string_content");
  if (!content || content.children.length > 0) return undefined;
  const words = [...codeOf(content).matchAll(/"[^"]*"|'[^']*'|[^\s"']+/g)].map((match): Word => {
    const quoted = /^["']/.test(match[0]);
    const start = content.start + match.index + (quoted ? 1 : 0);
    const text = quoted ? match[0].slice(1, -1) : match[0];
    return { text, place: { file: node.tree.file, start, end: start + text.length } };
  });
  return words.length > 0 ? { words, place: placeOf(first), context: "shell" } : undefined;
}

function wordOf(node: PyNode): Word {
  const parts = stringParts(node);
  const text = parts ? parts.map((part) => (typeof part === "string" ? part : "…")).join("") : "…";
  const content = node.children.filter(({ type }) => type === "string_content");
  const [only] = content;
  return { text, place: only && content.length === 1 ? placeOf(only) : placeOf(node) };
}

/** Comments that speak to this program. */
export function commentsOf(tree: PyTree): readonly Comment[] {
  return tree.comments
    .filter((one) => codeOf(one).includes("deepseek-compat-ignore"))
    .map((one) => ({
      text: codeOf(one)
        .replace(/^#+\s*/, "")
        .trimEnd(),
      place: placeOf(one),
    }));
}

/** A function, class or method. */
export function symbolOf(node: PyNode): NamedSymbol | undefined {
  if (node.type !== "function_definition" && node.type !== "class_definition") return undefined;
  const name = child(node, "name");
  if (!name) return undefined;
  const owner = node.type === "function_definition" ? classOf(node) : undefined;
  const whole = node.parent?.type === "decorated_definition" ? node.parent : node;
  const holder = owner && child(owner, "name");
  return {
    name: holder ? `${codeOf(holder)}.${codeOf(name)}` : codeOf(name),
    kind: owner ? "method" : node.type === "class_definition" ? "class" : "function",
    start: whole.start,
    end: whole.end,
  };
}
