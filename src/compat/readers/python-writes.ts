import { argumentsOf, chainOf, classAround, keyword, stringOf } from "./python-syntax.js";
import { child, codeOf, type PyNode, type PyTree, walk } from "./python-tree.js";

/** A write into a dict: `holder["key"] = value`, `holder.update(...)`. */
export interface ItemWrite {
  readonly node: PyNode;
  /** Undefined where any key may be written. */
  readonly key: string | undefined;
  readonly value: PyNode | undefined;
  /** The expression written into. */
  readonly target: PyNode;
}

/** Where objects are changed after they are made. By name, so it errs on the side of doubt. */
export interface Writes {
  add(tree: PyTree): void;
  /** Is an attribute of this name assigned anywhere from outside its class (`x.name = ...`, `setattr`)? */
  isAssigned(name: string): boolean;
  /** Values of `x.name = value` where x is this very code: `openai.base_url`. */
  assigned(name: string): readonly { readonly object: PyNode; readonly value: PyNode }[];
  /** Writes into a dict held by a variable or member of this name. */
  into(holder: string): readonly ItemWrite[];
  /** Classes that extend one of this name. */
  heirs(name: string): readonly PyNode[];
}

/** Collects the writes of files, as they are added. */
export function indexWrites(): Writes {
  const assigned = new Map<string, { object: PyNode; value: PyNode }[]>();
  const inside = new Set<string>();
  const items = new Map<string, ItemWrite[]>();
  const heirs = new Map<string, PyNode[]>();
  const push = <V>(map: Map<string, V[]>, key: string, value: V) => {
    const list = map.get(key);
    if (list) list.push(value);
    else map.set(key, [value]);
  };
  const item = (target: PyNode, write: Omit<ItemWrite, "target">) => {
    const name = holderName(target);
    if (name) push(items, name, { ...write, target });
  };
  const assign = (left: PyNode, value: PyNode | undefined) => {
    if (left.type === "attribute") {
      const [object, name] = [child(left, "object"), child(left, "attribute")];
      if (!object || !name) return;
      if (object.type === "identifier" && classAround(left, codeOf(object))) return;
      push(assigned, codeOf(name), { object, value: value ?? left });
    } else if (left.type === "subscript") {
      const target = child(left, "value");
      const key = child(left, "subscript");
      if (target) item(target, { node: left, key: key && stringOf(key), value });
    } else if (/pattern/.test(left.type)) for (const one of left.children) assign(one, undefined);
  };
  const addTree = (tree: PyTree): void => {
    walk(tree.root, (node) => {
      if (node.type === "assignment") {
        const left = child(node, "left");
        if (left) assign(left, child(node, "right"));
      } else if (node.type === "augmented_assignment") {
        const left = child(node, "left");
        const right = child(node, "right");
        if (!left) return undefined;
        if (left.type !== "identifier") assign(left, undefined);
        if (child(node, "operator")?.type === "|=" && right) item(left, { node, key: undefined, value: right });
      } else if (node.type === "delete_statement") {
        for (const one of node.children)
          for (const left of one.type === "expression_list" ? one.children : [one]) assign(left, undefined);
      } else if (node.type === "class_definition") {
        for (const base of child(node, "superclasses")?.children ?? []) {
          if (base.type === "keyword_argument") continue;
          const { root, names } = chainOf(base);
          push(heirs, names.at(-1) ?? codeOf(root), node);
        }
      } else if (node.type === "call") ofCall(node, item, (name) => inside.add(name));
      return undefined;
    });
  };
  return {
    add: addTree,
    isAssigned: (name) => assigned.has(name) || inside.has(name),
    assigned: (name) => assigned.get(name) ?? [],
    into: (holder) => items.get(holder) ?? [],
    heirs: (name) => heirs.get(name) ?? [],
  };
}

function ofCall(
  node: PyNode,
  item: (target: PyNode, write: Omit<ItemWrite, "target">) => void,
  set: (name: string) => void,
): void {
  const callee = child(node, "function");
  if (!callee) return;
  const { positional, list } = argumentsOf(node);
  if (callee.type === "identifier") {
    const name = codeOf(callee) === "setattr" && positional[1] ? stringOf(positional[1]) : undefined;
    if (name !== undefined) set(name);
    return;
  }
  const object = child(callee, "object");
  const method = codeOf(child(callee, "attribute") ?? callee);
  if (!object) return;
  switch (method) {
    case "update":
      item(object, { node, key: undefined, value: positional[0] ?? list });
      break;
    case "setdefault":
    case "pop":
    case "__setitem__":
      // pop(0) is a list's
      if (positional[0] && positional[0].type !== "integer") {
        item(object, { node, key: stringOf(positional[0]), value: undefined });
      }
      break;
    case "clear":
    case "popitem":
      item(object, { node, key: undefined, value: undefined });
      break;
    default:
      if (keyword(node, "inplace")) item(object, { node, key: undefined, value: undefined });
  }
}

/** The variable or member that an expression names: `config` of `config`, `self.config`, `x["config"]`. */
function holderName(node: PyNode): string | undefined {
  if (node.type === "identifier") return codeOf(node);
  if (node.type === "attribute") return codeOf(child(node, "attribute") ?? node);
  const key = node.type === "subscript" ? child(node, "subscript") : undefined;
  return key && stringOf(key);
}
