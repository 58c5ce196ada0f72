import type { FileFacts, Span, Value } from "../facts.js";
import { hostOfBaseUrl, hostOfUrl, unknownHost } from "../host.js";
import { isSecret, withoutSecrets } from "../secrets.js";
import type { Sources } from "../sources.js";
import { addComments, type Draft, draftOf, factsOf, isTelling } from "./config-facts.js";
import { maximumText } from "./config-tree.js";
import { isBody, literalValue, requestOf } from "./http-requests.js";
import { holeSign, type JsonTree, joinedValue, parseJson } from "./json-tree.js";
import { pathOf } from "./shell-curl.js";

/** Reads `.http` and `.rest` files as the REST clients of editors write them. */
export function readHttp(sources: Sources, paths: readonly string[]): readonly FileFacts[] {
  return paths.flatMap((path) => {
    const text = sources.read(path);
    return text === undefined ? [] : [readFile(path, text)];
  });
}

interface Line {
  readonly text: string;
  readonly start: number;
}

function readFile(file: string, text: string): FileFacts {
  const draft = draftOf(file, "http", text);
  if (text.length > maximumText) return factsOf(draft);
  const lines = linesOf(text);
  const variables = readVariables(draft, lines);
  let block: Line[] = [];
  for (const line of [...lines, { text: "###", start: text.length }]) {
    if (!line.text.startsWith("###")) {
      block.push(line);
      continue;
    }
    readBlock(draft, block, variables);
    block = [];
  }
  addComments(draft, /^\s*(?:#+|\/\/)/);
  return factsOf(draft);
}

function linesOf(text: string): readonly Line[] {
  let start = 0;
  return text.split("\n").map((line, index) => {
    const skip = index === 0 && line.startsWith("\uFEFF") ? 1 : 0;
    const one = { text: line.slice(skip).replace(/\r$/, ""), start: start + skip };
    start += line.length + 1;
    return one;
  });
}

/** `@name = value`. */
function readVariables(draft: Draft, lines: readonly Line[]): ReadonlyMap<string, Value> {
  const variables = new Map<string, Value>();
  for (const { text, start } of lines) {
    const match = /^@([\w.-]+)\s*=\s*(.*?)\s*$/.exec(text);
    if (!match) continue;
    const [, name, value] = match as unknown as [string, string, string];
    const from = start + text.lastIndexOf(value);
    const span = { start: from, end: from + value.length };
    const nameSpan = { start: start + 1, end: start + 1 + name.length };
    const secret = isSecret(name, value);
    draft.settings.push({
      name,
      path: [name],
      value: secret ? "" : value,
      place: draft.place(span),
      namePlace: draft.place(nameSpan),
      isEnvironment: false,
      isSecret: secret,
    });
    if (isTelling(value) && !secret) {
      draft.literals.push({ value: withoutSecrets(value), kind: "string", place: draft.place(span), name });
    }
    const filled = withHoles(value, span, draft, variables);
    const step = `${name}, ${draft.file}:${draft.line(start)}`;
    variables.set(name, {
      ...filled,
      candidates: filled.candidates.map((one) => ({ ...one, path: [step, ...one.path] })),
    });
  }
  return variables;
}

const hole = /\{\{\s*\$?([\w.$ -]+?)\s*\}\}/g;

function withHoles(text: string, span: Span, draft: Draft, variables: ReadonlyMap<string, Value>): Value {
  const names = [...text.matchAll(hole)].map((match) => match[1]!);
  if (names.length === 0) return literalValue(text, draft.place(span));
  return joinedValue(
    withoutSecrets(text).split(/\{\{[^{}]*\}\}/),
    names.map((name) => valueOfHole(name, variables)),
    draft.place(span),
  );
}

function valueOfHole(name: string, variables: ReadonlyMap<string, Value>): Value {
  const known = variables.get(name);
  if (known) return known;
  const variable = /^(?:processEnv|dotenv|env\.)\s*%?([A-Za-z_]\w*)$/.exec(name)?.[1];
  return { certainty: "unknown", candidates: [], open: true, environment: variable ? [variable] : [] };
}

function readBlock(draft: Draft, block: readonly Line[], variables: ReadonlyMap<string, Value>): void {
  const first = block.findIndex(({ text }) => /^\s*(?:(?:GET|POST|PUT|PATCH|DELETE)\s+\S|https?:\/\/)/.test(text));
  const line = block[first];
  if (!line) return;
  const target = /^\s*(?:[A-Z]+\s+)?(\S+)/.exec(line.text)!;
  const urlStart = line.start + target[0].length - target[1]!.length;
  let empty = block.findIndex(({ text }, index) => index > first && text.trim() === "");
  if (empty < 0) empty = block.length;
  let url = target[1]!;
  let urlEnd = urlStart + url.length;
  // a query may go on over lines
  for (const { text, start } of block.slice(first + 1, empty)) {
    const more = /^\s+([?&/]\S*)/.exec(text);
    if (!more) break;
    url += more[1];
    urlEnd = start + text.trimEnd().length;
  }
  const rest = block.slice(empty + 1);
  const stop = rest.findIndex(({ text }) => /^\s*(>\s|>>|<>|@\w+\s*=)/.test(text));
  const body = stop < 0 ? rest : rest.slice(0, stop);
  const [start, end] = [body[0]?.start ?? line.start, (body.at(-1)?.start ?? 0) + (body.at(-1)?.text.length ?? 0)];
  const source = draft.text.slice(start, Math.max(start, end));
  const isJson = /^\s*\{/.test(source);
  const { tree, isEditable } = isJson
    ? bodyOf(draft, source, start, variables)
    : { tree: undefined, isEditable: false };
  for (const { message, span } of isEditable ? (tree?.errors ?? []) : []) {
    draft.syntaxErrors.push({ message: `the JSON body: ${message}`, place: draft.place(span) });
  }
  if (!tree || !isBody(tree.root)) return;
  const span = { start: line.start, end: tree.root.span.end };
  const baseUrl = withHoles(url, { start: urlStart, end: urlEnd }, draft, variables);
  draft.requests.push(
    requestOf({
      host: hostOfBaseUrl(baseUrl, "URL") ?? hostOfFile(draft),
      place: draft.place(span),
      callee: `${/^\s*([A-Z]+)\s/.exec(line.text)?.[1] ?? "GET"} request`,
      endpoint: pathOf(String(baseUrl.candidates[0]?.value ?? url)),
      baseUrl,
      body: tree.root,
      editable: isEditable,
      at: (one) => draft.place(one),
    }),
  );
  const name = draft.text.slice(span.start, span.end).split("\n")[0]!.trim().slice(0, 80);
  draft.symbols.push({ name, kind: "key", ...span });
}

function hostOfFile({ text }: Draft) {
  const hosts = new Set([...text.matchAll(/https?:\/\/[^\s"'{}]+/g)].map(([url]) => hostOfUrl(url)));
  const [host] = hosts;
  return host && hosts.size === 1 && host !== "unknown"
    ? { host, certainty: "possible" as const, evidence: "the only host in the same file" }
    : unknownHost;
}

/** The body as JSON. Holes in strings keep their length, so that offsets stay. */
function bodyOf(
  draft: Draft,
  source: string,
  start: number,
  variables: ReadonlyMap<string, Value>,
): { tree: JsonTree; isEditable: boolean } {
  const offsets: number[] = [];
  const parts: string[] = [];
  const holes = new Map<number, Value>();
  let inString = false;
  let isEditable = true;
  const add = (text: string, offset: number) => {
    parts.push(text);
    offsets.push(start + offset);
  };
  for (let index = 0; index < source.length; ) {
    const match = source.startsWith("{{", index)
      ? /^\{\{\s*\$?([\w.$% -]+?)\s*\}\}/.exec(source.slice(index, index + 200))
      : null;
    if (match) {
      if (!inString) {
        isEditable = false;
        add('"', index);
      }
      holes.set(parts.length, valueOfHole(match[1]!, variables));
      add(holeSign, index);
      index += match[0].length;
      if (!inString) add('"', index);
      continue;
    }
    const sign = source[index]!;
    add(sign, index);
    index += 1;
    if (inString && sign === "\\" && index < source.length) {
      add(source[index]!, index);
      index += 1;
    } else if (sign === '"') inString = !inString;
  }
  offsets.push(start + source.length);
  const tree = parseJson(parts.join(""), {
    file: draft.file,
    at: (offset) => offsets[Math.min(offset, offsets.length - 1)]!,
    hole: (offset) => holes.get(offset),
  });
  return { tree, isEditable };
}

/** Number of errors in JSON bodies. */
export function countSyntaxErrors(file: string, text: string): number {
  return readFile(file, text).syntaxErrors.length;
}
