import type { Argument, Call, HostVerdict, Parameter } from "../facts.js";
import { hostOfPython } from "../host.js";
import { hostOfFile } from "./python-clients.js";
import { readDict, readKeywords, shapeOf } from "./python-objects.js";
import type { Resolver } from "./python-resolve.js";
import { lookUp } from "./python-scopes.js";
import { argumentsOf, chainOf, entriesOf, lastName, primitive, unwrap } from "./python-syntax.js";
import { child, codeOf, type PyNode, placeOf, short } from "./python-tree.js";
import type { Found } from "./python-values.js";

/** Calls of so many arguments are tables that machines wrote. */
const mostArguments = 200;

/** Methods of model objects and tokenizers, of which rules ask on what they are called and with what values. */
const ofModels = /bind_|struct|generate|summar|template/i;

/** Can a name lead to what is imported from a package? Not one that is bound as a parameter or defined here. */
function mayBeImported(root: PyNode): boolean {
  if (root.type !== "identifier") return false;
  const bindings = lookUp(codeOf(root), root)?.bindings;
  return !bindings || bindings.some(({ kind }) => kind === "import" || kind === "value" || kind === "item");
}

/** The facts of a call. `parameters` are those of the request it makes, if it makes one. */
export function callFact(node: PyNode, resolver: Resolver, known: readonly Parameter[] | undefined): Call | undefined {
  const callee = child(node, "function");
  if (!callee) return undefined;
  const name = lastName(callee);
  const { list, positional } = argumentsOf(node);
  const { root, names } = chainOf(callee);
  const external = mayBeImported(root) ? resolver.follow(root).find((one) => one.external)?.external : undefined;
  const from = external && packageOf(external, names);
  const host = from && hostOfPython(from.package, from.name);
  const verdict: HostVerdict = host
    ? { host, certainty: "certain", evidence: `${short(callee)} of ${from.package}` }
    : hostOfFile(node.tree);
  const maker =
    callee.type === "attribute" && !external && ofModels.test(name)
      ? makerOf(child(callee, "object"), resolver)
      : undefined;
  const few = (list?.children.length ?? 0) <= mostArguments;
  const dict =
    positional.find((one) => one.type === "dictionary" && one.children.length > 0) ??
    (name === "from_config" ? dictBehind(positional[0], resolver) : undefined);
  const hasKeywords =
    list?.children.some(({ type }) => type === "keyword_argument" || type === "dictionary_splat") ?? false;
  // what the project's own functions are given is followed from the requests they make
  const followed = from !== undefined || ofModels.test(name) ? resolver : undefined;
  const parameters =
    known ??
    (!few
      ? []
      : hasKeywords
        ? readKeywords(node, followed ?? resolver.onTheSpot).parameters
        : dict
          ? ofDict(dict, followed ?? resolver.onTheSpot)
          : []);
  const object = hasKeywords || !dict ? shapeOf(node) : shapeOf(dict);
  return {
    callee: short(callee),
    name,
    isConstruction: /^_*[A-Z]/.test(name),
    ...(from ? { from } : {}),
    ...(maker ? { maker } : {}),
    place: placeOf(node),
    calleePlace: placeOf(callee),
    arguments: few ? (list?.children ?? []).map(argumentFact) : [],
    parameters,
    ...(object ? { object } : {}),
    host: verdict,
  };
}

/** The one dict that a name stands for: `Memory.from_config(config)`. */
function dictBehind(node: PyNode | undefined, resolver: Resolver): PyNode | undefined {
  const [found, ...others] = node?.type === "identifier" ? resolver.follow(node) : [];
  return found?.sure && others.length === 0 && found.node.type === "dictionary" ? found.node : undefined;
}

/** `langchain_deepseek`, `ChatDeepSeek`: also for `import langchain_deepseek as ld; ld.ChatDeepSeek()`. */
function packageOf(
  external: NonNullable<Found["external"]>,
  names: readonly string[],
): { package: string; name: string } {
  if (external.name !== "*") return external;
  const index = names.findIndex((one) => /^[A-Z]/.test(one));
  const end = index < 0 ? names.length - 1 : index;
  return { package: [external.package, ...names.slice(0, Math.max(0, end))].join("."), name: names[end] ?? "*" };
}

function makerOf(object: PyNode | undefined, resolver: Resolver): Call["maker"] {
  if (!object) return undefined;
  const { root } = chainOf(object);
  // literals and results of arithmetic have no maker
  if (root.type !== "identifier" && root.type !== "call") return undefined;
  const [found, ...others] = resolver.follow(object);
  return found && others.length === 0 && found.node.type === "call" && found.environment === undefined
    ? placeOf(found.node)
    : undefined;
}

function ofDict(dict: PyNode, resolver: Resolver): readonly Parameter[] {
  if ((entriesOf(dict)?.length ?? 0) > mostArguments) return [];
  return readDict(dict, resolver, dict)?.parameters ?? [];
}

function argumentFact(node: PyNode): Argument {
  const name = node.type === "keyword_argument" ? child(node, "name") : undefined;
  const value = name ? (child(node, "value") ?? node) : node;
  const literal = primitive(unwrap(value));
  return {
    ...(name ? { name: codeOf(name) } : {}),
    text: short(value),
    place: placeOf(value),
    ...(literal !== undefined ? { literal } : {}),
  };
}
