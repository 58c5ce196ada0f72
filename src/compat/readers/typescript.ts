import {
  type Call,
  type Command,
  type Comparison,
  emptyFacts,
  type FileFacts,
  type HistoryItem,
  type HostVerdict,
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
import { importSpecifiers, packageVersion, type Sources } from "../sources.js";
import { directModels, hostOfImporters, hostOfRequests, isOnlyForRequests, settleBy } from "./requests-of-file.js";
import { startCalls } from "./typescript-callers.js";
import { callOf } from "./typescript-calls.js";
import { commandOf, commentsOf, comparisonOf, flagOf, literalOf, switchOf, symbolOf } from "./typescript-code.js";
import { ts } from "./typescript-compiler.cjs";
import { type Constant, constantOf, constantUses, mentionOf, numberFact } from "./typescript-mentions.js";
import { historyOf, memberUseOf } from "./typescript-messages.js";
import { createProject, type Project, parseAhead, syntaxErrors } from "./typescript-project.js";
import { requestOf } from "./typescript-requests.js";
import { createResolver, type Resolver } from "./typescript-resolve.js";
import type { Module } from "./typescript-scopes.js";
import { walk } from "./typescript-syntax.js";
import type { Found } from "./typescript-values.js";
import { startWrites } from "./typescript-writes.js";

/**
 * Reads TypeScript and JavaScript files into facts. `paths` are the files to read; what they import is read as far
 * as values lead there. Never throws on broken code: its syntax errors are among the facts.
 */
export function readTypeScript(sources: Sources, paths: readonly string[]): readonly FileFacts[] {
  const calls = startCalls();
  const writes = startWrites();
  const project = createProject(sources, paths, {
    parsed: (module) =>
      walk(module.source, (node) => {
        calls.add(node, module);
        writes.add(node);
      }),
    left: calls.left,
  });
  const resolver = createResolver(project, calls.calls, writes.writes);
  const raw = paths.flatMap((path) => {
    const module = project.module(path);
    if (!module) return [];
    const facts = readSafely(module, resolver, sources);
    // what is asked again is asked from the same file, nearly always
    resolver.forget();
    project.done(path);
    return [facts];
  });
  const requests = raw.flatMap((file) => file.requests);
  const importers = importersOf(project, raw);
  return raw.map(({ constants, ...file }) => {
    const host = file.requests.length === 0 ? hostOfImporters(importers.get(file.file) ?? []) : undefined;
    const settled = <Fact extends { readonly host: HostVerdict }>(fact: Fact): Fact =>
      host && fact.host === unknownHost ? { ...fact, host } : fact;
    return {
      ...file,
      numbers: file.numbers.map(settled),
      mentions: file.mentions.map((mention) => ({
        ...settled(mention),
        onlyRequests: isOnlyForRequests(mention, usesOf(constants.get(mention.place.start), project), requests),
      })),
    };
  });
}

/** The files that import each file. */
function importersOf(project: Project, files: readonly RawFacts[]): ReadonlyMap<string, readonly RawFacts[]> {
  const importers = new Map<string, RawFacts[]>();
  for (const file of files) {
    for (const specifier of importSpecifiers(file.text)) {
      const target = project.linked(file.file, specifier);
      if (target) importers.set(target, [...(importers.get(target) ?? []), file]);
    }
  }
  return importers;
}

/** Number of syntax errors in a text; what a fix must not raise. */
export function countSyntaxErrors(file: string, text: string): number {
  return syntaxErrors(parseAhead(file, text)).length;
}

interface RawFacts extends Omit<FileFacts, "mentions"> {
  readonly mentions: readonly Omit<Mention, "onlyRequests">[];
  /** The constants that mentions are the values of, by the offset of the mention. */
  readonly constants: ReadonlyMap<number, Constant>;
}

/** One file nested beyond what the stack holds (machines write such) must not end the scan of the others. */
function readSafely(module: Module, resolver: Resolver, sources: Sources): RawFacts {
  try {
    return readModule(module, resolver, sources);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return {
      ...emptyFacts(module.file, module.isTypeScript ? "typescript" : "javascript", module.text),
      mentions: [],
      syntaxErrors: [
        { message: "expressions nested too deeply to be read", place: { file: module.file, start: 0, end: 0 } },
      ],
      constants: new Map(),
    };
  }
}

function readModule(module: Module, resolver: Resolver, sources: Sources): RawFacts {
  const requests: Request[] = [];
  const mentions: Omit<Mention, "onlyRequests">[] = [];
  const numbers: NamedNumber[] = [];
  const rest = {
    flags: [] as NamedFlag[],
    literals: [] as Literal[],
    calls: [] as Call[],
    commands: [] as Command[],
    comparisons: [] as Comparison[],
    switches: [] as Switch[],
    members: [] as MemberUse[],
    history: [] as HistoryItem[],
    symbols: [] as NamedSymbol[],
  };
  const add = <Fact>(list: Fact[], fact: Fact | undefined) => {
    if (fact) list.push(fact);
  };
  const constants = new Map<number, Constant>();
  const at = (node: ts.Node): Found => ({ node, module, path: [], sure: true });
  const lists: ts.Node[] = [];
  const visit = (node: ts.Node): void => {
    // half of all nodes, of which none is a fact
    if (ts.isIdentifier(node)) return;
    if (ts.isCallExpression(node) || ts.isArrayLiteralExpression(node)) lists.push(node);
    if (ts.isCallExpression(node) || ts.isNewExpression(node)) {
      const request = requestOf(node, at(node), resolver);
      if (request) requests.push(withVersion(request, module, sources));
      rest.calls.push(callOf(node, at(node), resolver));
    }
    add(rest.literals, literalOf(node, module));
    add(rest.commands, commandOf(node, module));
    add(rest.flags, flagOf(node, module));
    add(rest.comparisons, comparisonOf(node, module));
    add(rest.switches, switchOf(node, module));
    add(rest.members, memberUseOf(node, module));
    add(rest.symbols, symbolOf(node, module));
    if (ts.isStringLiteralLike(node)) {
      const mention = mentionOf(node, at(node), resolver);
      if (mention) {
        mentions.push(mention);
        const constant = constantOf(node, module);
        if (constant) constants.set(mention.place.start, constant);
      }
    }
    if (ts.isExpression(node)) {
      const number = numberFact(node, at(node));
      if (number) numbers.push(number);
    }
    ts.forEachChild(node, visit);
  };
  visit(module.source);
  // an answer is followed to its request, so all requests have to be known
  for (const node of lists) rest.history.push(...historyOf(node, at(node), resolver, requests));
  const host = hostOfRequests(requests);
  const settled = settleBy(host);
  const direct = directModels(module.file, requests);
  return {
    ...emptyFacts(module.file, module.isTypeScript ? "typescript" : "javascript", module.text),
    requests,
    mentions: mentions.filter(({ place }) => !direct.has(place.start)).map(settled),
    numbers: numbers.map(settled),
    ...rest,
    flags: rest.flags.map(settled),
    calls: rest.calls.map(settled),
    comments: commentsOf(module),
    syntaxErrors: syntaxErrors(module).map((error) => ({
      message: ts.flattenDiagnosticMessageText(error.messageText, " "),
      place: { file: module.file, start: error.start, end: error.start + error.length },
    })),
    constants,
  };
}

function withVersion(request: Request, module: Module, sources: Sources): Request {
  const version = request.package && packageVersion(sources, module.file, request.package);
  return version ? { ...request, packageVersion: version } : request;
}

/** Every place that names a constant. */
const usesOf = (constant: Constant | undefined, project: Project): readonly Place[] | undefined =>
  constant && constantUses(constant, project);
