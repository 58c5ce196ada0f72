import {
  type Command,
  type Comment,
  emptyFacts,
  type FileFacts,
  type HostVerdict,
  type Language,
  type Literal,
  type Mention,
  type NamedFlag,
  type NamedNumber,
  type NamedSymbol,
  type Place,
  type Request,
  type Setting,
  type Span,
} from "../facts.js";
import { positionAt } from "../lines.js";
import { isSecret, withoutSecrets } from "../secrets.js";

/** What a reader of configuration, shell or HTTP files puts together while it goes through one file. */
export interface Draft {
  readonly file: string;
  readonly language: Language;
  readonly text: string;
  readonly requests: Request[];
  readonly mentions: Mention[];
  readonly numbers: NamedNumber[];
  readonly flags: NamedFlag[];
  readonly literals: Literal[];
  readonly commands: Command[];
  readonly settings: Setting[];
  readonly comments: Comment[];
  readonly symbols: NamedSymbol[];
  readonly syntaxErrors: { readonly message: string; readonly place: Place }[];
  /** Line of an offset, counted from 1. */
  line(offset: number): number;
  place(span: Span): Place;
}

/** An empty draft. */
export function draftOf(file: string, language: Language, text: string): Draft {
  return {
    file,
    language,
    text,
    requests: [],
    mentions: [],
    numbers: [],
    flags: [],
    literals: [],
    commands: [],
    settings: [],
    comments: [],
    symbols: [],
    syntaxErrors: [],
    line: (offset) => positionAt(text, offset).line,
    place: ({ start, end }) => ({ file, start, end }),
  };
}

/** Syntax errors of one file that are kept. */
const maximumErrors = 100;

/** The finished facts. An anchor that is used twice is mentioned once. */
export function factsOf(draft: Draft): FileFacts {
  const { line: _line, place: _place, ...lists } = draft;
  const inRequests = new Set(
    draft.requests.flatMap(({ model }) => model?.candidates ?? []).map(({ place }) => place.start),
  );
  return {
    ...emptyFacts(draft.file, draft.language, draft.text),
    ...lists,
    mentions: once(draft.mentions).filter(
      ({ place, kind }) => kind === "setting" || kind === "constant" || !inRequests.has(place.start),
    ),
    numbers: once(draft.numbers),
    flags: once(draft.flags),
    literals: once(draft.literals),
    // rubbish has as many errors as characters
    syntaxErrors: draft.syntaxErrors.slice(0, maximumErrors),
  };
}

function once<Fact extends { readonly place: Place }>(facts: readonly Fact[]): readonly Fact[] {
  const seen = new Set<number>();
  return facts.filter(({ place }) => !seen.has(place.start) && seen.add(place.start));
}

/** Records that an environment variable is given a value. A secret's value stays behind. */
export function addVariable(
  draft: Draft,
  name: string,
  value: string,
  spans: { readonly value: Span; readonly name: Span },
  path: readonly string[] = [name],
): void {
  const secret = isSecret(name, value);
  draft.settings.push({
    name,
    path,
    value: secret ? "" : withoutSecrets(value),
    place: draft.place(spans.value),
    namePlace: draft.place(spans.name),
    isEnvironment: true,
    isSecret: secret,
  });
}

/** Records a DeepSeek id. */
export function addMention(
  draft: Draft,
  id: string,
  kind: Mention["kind"],
  span: Span,
  name: string,
  host: HostVerdict,
): void {
  draft.mentions.push({ id, kind, place: draft.place(span), name, host, onlyRequests: false });
}

/** Texts with a URL or with the signs of chat templates are kept for rules to look at. */
export function isTelling(value: string): boolean {
  return value.length <= 20_000 && /:\/\/|<[|｜]|\{\{|\{%|<\/?think>/.test(value);
}

/** Comments that speak to this program; `isCode` says whether an offset lies in a value instead. */
export function addComments(draft: Draft, opener: RegExp, isCode: (offset: number) => boolean = () => false): void {
  const { text } = draft;
  for (let at = text.indexOf("deepseek-compat-ignore"); at >= 0; at = text.indexOf("deepseek-compat-ignore", at + 1)) {
    const lineStart = text.lastIndexOf("\n", at) + 1;
    const found = [...text.slice(lineStart, at).matchAll(new RegExp(opener, "g"))].at(-1);
    if (!found || isCode(at)) continue;
    const start = lineStart + found.index;
    const lineEnd = text.indexOf("\n", at);
    const line = text.slice(at, lineEnd < 0 ? text.length : lineEnd).replace(/\r$/, "");
    const close = found[0].startsWith("<!--")
      ? line.indexOf("-->")
      : found[0].startsWith("/*")
        ? line.indexOf("*/")
        : -1;
    const from = start + found[0].length;
    const to = at + (close < 0 ? line.length : close);
    const end = close < 0 ? to : to + (found[0].startsWith("<!--") ? 3 : 2);
    draft.comments.push({ text: text.slice(from, to).trim(), place: draft.place({ start, end }) });
    at = to;
  }
}
