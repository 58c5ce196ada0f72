import {
  type Call,
  type Command,
  type Comparison,
  emptyFacts,
  type FileFacts,
  type HistoryItem,
  type HostVerdict,
  type Language,
  type Literal,
  type MemberUse,
  type Mention,
  type NamedFlag,
  type NamedNumber,
  type NamedSymbol,
  type Place,
  type Request,
  type Switch,
} from "../facts.js";
import { unknownHost } from "../host.js";
import type { Sources } from "../sources.js";
import type { View } from "../view.js";
import { callFact } from "./python-calls.js";
import { dotted, pythonImports } from "./python-imports.js";
import { constantUses, flagFact, literalFact, mentionOf, numberFact } from "./python-mentions.js";
import { pythonVersion } from "./python-packages.js";
import { requestOf } from "./python-requests.js";
import { createResolver, type Resolver } from "./python-resolve.js";
import { createProject, type Project } from "./python-scopes.js";
import { commandOf, commentsOf, comparisonsOf, historyOf, memberUses, switchOf, symbolOf } from "./python-structure.js";
import { type ParsePython, type PyNode, type PyTree, placeOf, walk } from "./python-tree.js";
import { directModels, hostOfImporters, hostOfRequests, isOnlyForRequests, settleBy } from "./requests-of-file.js";

/** Python in a file that holds it in another form (a notebook), and the symbols that form has. */
export interface PythonView {
  readonly view: View;
  readonly symbols: readonly NamedSymbol[];
  /** Why it could not be read. */
  readonly error?: string;
}

/**
 * Reads Python files into facts. `paths` are the files to read; what they import is read as far as values lead there.
 * Never throws on broken code: its syntax errors are among the facts. `viewOf` gives the Python of a notebook.
 */
export function readPython(
  sources: Sources,
  paths: readonly string[],
  parse: ParsePython,
  viewOf: (path: string, text: string) => PythonView | undefined,
): readonly FileFacts[] {
  const views = new Map<string, PythonView>();
  const project = createProject(sources, parse, (path, text) => {
    const own = viewOf(path, text);
    if (own) views.set(path, own);
    return own ? own.view.text : text;
  });
  // all files are known before the first value is followed: calls and writes may stand in any of them
  const trees = paths.flatMap((path) => project.tree(path) ?? []);
  const resolver = createResolver(project);
  const raw = trees.map((tree) => readSafely(tree, resolver, sources, views.get(tree.file)));
  const requests = raw.flatMap((file) => file.requests);
  const importers = importersOf(project, raw);
  return raw.map(({ nodes, ...file }) => {
    const host = file.requests.length === 0 ? hostOfImporters(importers.get(file.file) ?? []) : undefined;
    const settled = <Fact extends { readonly host: HostVerdict }>(fact: Fact): Fact =>
      host && fact.host === unknownHost ? { ...fact, host } : fact;
    return {
      ...file,
      numbers: file.numbers.map(settled),
      flags: file.flags.map(settled),
      calls: file.calls.map(settled),
      mentions: file.mentions.map((mention) => ({
        ...settled(mention),
        onlyRequests: isOnlyForRequests(mention, usesOf(nodes.get(mention.place.start), project), requests),
      })),
    };
  });
}

/** The files that import each file. */
function importersOf(project: Project, files: readonly RawFacts[]): ReadonlyMap<string, readonly RawFacts[]> {
  const importers = new Map<string, RawFacts[]>();
  for (const file of files) {
    const tree = project.tree(file.file)!;
    for (const path of pythonImports(file.text)) {
      const target = project.pathOf(tree, dotted(path));
      if (target !== undefined && target !== file.file) importers.set(target, [...(importers.get(target) ?? []), file]);
    }
  }
  return importers;
}

interface RawFacts extends Omit<FileFacts, "mentions"> {
  readonly mentions: readonly Omit<Mention, "onlyRequests">[];
  /** Nodes of the mentions, by offset. */
  readonly nodes: ReadonlyMap<number, PyNode>;
}

/** One file nested beyond what the stack holds (machines write such) must not end the scan of the others. */
function readSafely(tree: PyTree, resolver: Resolver, sources: Sources, view: PythonView | undefined): RawFacts {
  try {
    return readTree(tree, resolver, sources, view);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    const place = { file: tree.file, start: 0, end: 0 };
    return {
      ...emptyFacts(tree.file, languageOf(view), tree.text),
      ...(view ? { view: view.view } : {}),
      mentions: [],
      syntaxErrors: [{ message: "expressions nested too deeply to be read", place }],
      nodes: new Map(),
    };
  }
}

const languageOf = (view: PythonView | undefined): Language => (view ? "notebook" : "python");

function readTree(tree: PyTree, resolver: Resolver, sources: Sources, view: PythonView | undefined): RawFacts {
  const byCall = new Map<PyNode, Request>();
  walk(tree.root, (node) => {
    const request = node.type === "call" ? requestOf(node, resolver) : undefined;
    if (request) byCall.set(node, withVersion(request, tree, sources));
    return undefined;
  });
  const requests = [...byCall.values()];
  const made = new Set(byCall.keys());
  const mentions: Omit<Mention, "onlyRequests">[] = [];
  const nodes = new Map<number, PyNode>();
  const numbers: NamedNumber[] = [];
  const flags: NamedFlag[] = [];
  const literals: Literal[] = [];
  const calls: Call[] = [];
  const comparisons: Comparison[] = [];
  const switches: Switch[] = [];
  const members: MemberUse[] = [];
  const history: HistoryItem[] = [];
  const commands: Command[] = [];
  const symbols: NamedSymbol[] = [...(view?.symbols ?? [])];
  const add = <T>(list: T[], one: T | undefined) => {
    if (one !== undefined) list.push(one);
  };
  walk(tree.root, (node) => {
    switch (node.type) {
      case "string":
      case "concatenated_string": {
        add(literals, literalFact(node));
        add(numbers, numberFact(node));
        const mention = mentionOf(node, resolver);
        if (mention) {
          mentions.push(mention);
          nodes.set(mention.place.start, node);
        }
        return undefined;
      }
      case "integer":
      case "float":
      case "unary_operator":
        add(numbers, numberFact(node));
        return undefined;
      case "true":
      case "false":
        add(flags, flagFact(node));
        return undefined;
      case "binary_operator":
        add(numbers, numberFact(node));
        history.push(...historyOf(node, resolver, made));
        return undefined;
      case "call": {
        add(
          calls,
          resolver.briefly(() => callFact(node, resolver, byCall.get(node)?.parameters)),
        );
        comparisons.push(...comparisonsOf(node));
        members.push(...memberUses(node));
        history.push(...historyOf(node, resolver, made));
        add(commands, commandOf(node));
        return undefined;
      }
      case "attribute":
      case "subscript":
      case "pair":
      case "keyword_argument":
        members.push(...memberUses(node));
        return undefined;
      case "comparison_operator":
        comparisons.push(...comparisonsOf(node));
        members.push(...memberUses(node));
        return undefined;
      case "except_clause":
      case "case_pattern":
        comparisons.push(...comparisonsOf(node));
        return undefined;
      case "if_statement":
      case "match_statement":
        add(switches, switchOf(node));
        return undefined;
      case "augmented_assignment":
        history.push(...historyOf(node, resolver, made));
        return undefined;
      case "list":
      case "tuple":
        history.push(...historyOf(node, resolver, made));
        add(commands, commandOf(node));
        return undefined;
      case "function_definition":
      case "class_definition":
        add(symbols, symbolOf(node));
        return undefined;
      default:
        return undefined;
    }
  });
  const host = hostOfRequests(requests);
  const settled = settleBy(host);
  const direct = directModels(tree.file, requests);
  return {
    ...emptyFacts(tree.file, languageOf(view), tree.text),
    ...(view ? { view: view.view } : {}),
    requests,
    mentions: mentions.filter(({ place }) => !direct.has(place.start)).map(settled),
    numbers: numbers.map(settled),
    flags: flags.map(settled),
    literals,
    calls: calls.map(settled),
    comparisons,
    switches,
    members,
    history,
    commands,
    comments: commentsOf(tree),
    symbols,
    syntaxErrors: view?.error ? [{ message: view.error, place: { file: tree.file, start: 0, end: 0 } }] : tree.errors,
    nodes,
  };
}

function withVersion(request: Request, tree: PyTree, sources: Sources): Request {
  const version = request.package && pythonVersion(sources, tree.file, request.package);
  return version ? { ...request, packageVersion: version } : request;
}

/** Every place that names the constant a literal is the value of. */
function usesOf(literal: PyNode | undefined, project: Project): readonly Place[] | undefined {
  return literal && constantUses(literal, project)?.map(placeOf);
}
