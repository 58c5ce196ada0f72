import type { Place, Request, Span, Value } from "../facts.js";
import { hostOfBaseUrl } from "../host.js";
import { isBody, requestOf } from "./http-requests.js";
import { holeSign, type JsonTree, parseJson } from "./json-tree.js";
import { placeIn, type Reading, resolve, textOf, wordValue } from "./shell-values.js";
import { type RawCommand, type RawWord, sliceOf } from "./shell-words.js";

const dataFlags = /^(-d|--data|--data-raw|--data-binary|--data-ascii|--json|--post-data|--body-data|--raw)$/;
/** Flags of curl, wget and httpie that take a value which is neither URL nor body. */
const valueFlags =
  /^(-[XHuoAebFmxKTwCDEcQrtUyYz]|--(request|header|user|output|user-agent|referer|cookie|form|max-time|connect-timeout|proxy|config|retry|retry-delay|retry-max-time|upload-file|write-out|cacert|cert|key|method|timeout|auth|auth-type|output-document|resolve|interface|url-query))$/;

interface Sent {
  readonly program: string;
  readonly url: RawWord | undefined;
  readonly body: RawWord | undefined;
}

/** What a command of curl, wget or httpie sends; undefined for other programs. */
function sentBy({ words, input }: RawCommand, before: RawCommand | undefined): Sent | undefined {
  const first = words.findIndex((one) => !/^(sudo|time|env|exec|command|nohup|timeout|\d+s?|watch)$/.test(one.text));
  const program = /(^|\/)(curl|wget|http|https|xh|xhs|curlie)(\.exe)?$/.exec(words[first]?.text ?? "")?.[2];
  if (!program) return undefined;
  const standard = input ?? (before && printed(before));
  let url: RawWord | undefined;
  let body: RawWord | undefined;
  const isHttpie = /^(http|https|xh|xhs)$/.test(program);
  const take = (word: RawWord | undefined) => {
    if (word) body = /^@-$|^@\/dev\/stdin$/.test(word.text) ? standard : word.text.startsWith("@") ? body : word;
  };
  for (let index = first + 1; index < words.length; index += 1) {
    const word = words[index]!;
    const joined = /^(--[\w-]+)=/.exec(word.text);
    const short = /^(-d|-H|-X|-u|-o)(?=.)/.exec(word.text);
    if (joined && dataFlags.test(joined[1]!)) take(sliceOf(word, joined[0].length));
    else if (short) {
      if (short[1] === "-d") take(sliceOf(word, 2));
    } else if (dataFlags.test(word.text) || /^-[a-zA-Z]+d$/.test(word.text)) {
      index += 1;
      take(words[index]);
    } else if (word.text === "--url") {
      index += 1;
      url = words[index];
    } else if (valueFlags.test(word.text)) index += 1;
    else if (word.text.startsWith("-") || joined) continue;
    else if (isHttpie && /^(GET|POST|PUT|PATCH|DELETE)$/.test(word.text)) continue;
    else url ??= word;
  }
  if (!body && isHttpie) body = standard;
  return { program, url, body };
}

/** What `echo '...'` or `cat <<EOF` hand on. */
function printed({ words, input }: RawCommand): RawWord | undefined {
  const [first, ...others] = words;
  if (first?.text === "cat") return input;
  if (first?.text !== "echo" && first?.text !== "printf") return undefined;
  return others.find((one) => /^\s*\{/.test(one.text));
}

interface Body {
  readonly tree: JsonTree;
  readonly isEditable: boolean;
}

function bodyOf(reading: Reading, word: RawWord): Body | undefined {
  if (!/^\s*\{/.test(word.text)) return undefined;
  const { script, draft } = reading;
  const parts: string[] = [];
  const offsets: number[] = [];
  const holes = new Map<number, Value>();
  const add = (sign: string, offset: number) => {
    parts.push(sign);
    offsets.push(offset);
  };
  let inString = false;
  for (let index = 0; index < word.text.length; index += 1) {
    const sign = word.text[index]!;
    const offset = word.offsets[index]!;
    const hole = sign === holeSign ? word.holes.get(index) : undefined;
    if (hole) {
      // a hole that stands for a number or an object is read as a string of its own
      if (!inString) add('"', offset);
      holes.set(parts.length, resolve(reading, hole));
      add(sign, offset);
      if (!inString) add('"', word.offsets[index + 1]!);
      continue;
    }
    if (inString && sign === "\\" && index + 1 < word.text.length) {
      add(sign, offset);
      index += 1;
      add(word.text[index]!, word.offsets[index]!);
      continue;
    }
    if (sign === '"') inString = !inString;
    add(sign, offset);
  }
  offsets.push(word.offsets.at(-1)!);
  const tree = parseJson(parts.join(""), {
    file: draft.file,
    at: (index) => script.at(offsets[Math.min(index, offsets.length - 1)]!),
    hole: (index) => holes.get(index),
  });
  const [from, to] = [word.offsets[0]!, word.offsets.at(-1)!];
  const isQuoted =
    script.text[from - 1] === "'" &&
    script.text[from - 2] !== "$" &&
    script.text[to] === "'" &&
    !script.text.slice(from, to).includes("'");
  const isPlain = isQuoted || word.quoting === "document";
  return { tree, isEditable: isPlain && script.isExact && holes.size === 0 && !word.hasEscapes };
}

/** The request a command makes; undefined where it asks no model. */
export function curlRequest(
  reading: Reading,
  command: RawCommand,
  before: RawCommand | undefined,
): Request | undefined {
  const sent = sentBy(command, before);
  const body = sent?.body && bodyOf(reading, sent.body);
  if (!sent || !body || !isBody(body.tree.root)) return undefined;
  const baseUrl = sent.url && wordValue(reading, sent.url);
  const url = sent.url ? textOf(reading, sent.url) : "";
  return requestOf({
    host: (baseUrl && hostOfBaseUrl(baseUrl, "URL")) ?? reading.host,
    place: placeIn(reading, command.span),
    callee: sent.program,
    endpoint: pathOf(url),
    ...(baseUrl ? { baseUrl } : {}),
    body: body.tree.root,
    editable: body.isEditable,
    at: (span: Span): Place => reading.draft.place(span),
  });
}

/** Path of a URL, without what stands before it. */
export function pathOf(url: string): string {
  return /^(?:[a-z]+:)?\/\/[^/?#]*([^?#\s]*)/i.exec(url)?.[1] ?? /^[^/]*(\/[^?#\s]*)/.exec(url)?.[1] ?? "";
}

/** Errors in a JSON body without holes. */
export function bodyErrors(
  reading: Reading,
  command: RawCommand,
  before: RawCommand | undefined,
): readonly { readonly message: string; readonly place: Place }[] {
  const word = sentBy(command, before)?.body;
  const body = word && word.holes.size === 0 ? bodyOf(reading, word) : undefined;
  return (body?.tree.errors ?? []).map(({ message, span }) => ({
    message: `the JSON body: ${message}`,
    place: reading.draft.place(span),
  }));
}
