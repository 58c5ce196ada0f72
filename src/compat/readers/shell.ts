// Long because one pass over a script yields its variables, commands, model ids and requests together.
import type { FileFacts, HostVerdict, Span, Value, Word } from "../facts.js";
import { hostOfUrl, unknownHost } from "../host.js";
import { isDeepSeekId } from "../models.js";
import { isSecret, isSecretName, withoutSecrets } from "../secrets.js";
import type { Sources } from "../sources.js";
import { addComments, addMention, addVariable, type Draft, draftOf, factsOf, isTelling } from "./config-facts.js";
import { hintsOfPair } from "./config-hosts.js";
import { maximumText } from "./config-tree.js";
import { holeSign } from "./json-tree.js";
import { bodyErrors, curlRequest } from "./shell-curl.js";
import { hostOfCommand, innerOf, type Reading, type ScriptOptions, textOf, unset, wordValue } from "./shell-values.js";
import { parseShell, type RawCommand, type RawWord, type Script, sliceOf } from "./shell-words.js";

/** Reads shell scripts, makefiles, Procfiles and PowerShell scripts. */
export function readShell(sources: Sources, paths: readonly string[]): readonly FileFacts[] {
  return paths.flatMap((path) => {
    const text = sources.read(path);
    return text === undefined ? [] : [readScript(path, text)];
  });
}

function readScript(file: string, text: string): FileFacts {
  const draft = draftOf(file, "shell", text);
  if (text.length > maximumText) return factsOf(draft);
  const script = { text: scriptOf(file, text), at: (offset: number) => offset, isExact: true };
  readCommands(draft, script, { context: "shell", isPowerShell: /\.psm?1$/i.test(file) });
  addComments(draft, /(?<=^|\s)#/);
  return factsOf(draft);
}

/** A file's commands at their own places: of makefiles the recipes, of Procfiles what stands behind the names. */
function scriptOf(file: string, text: string): string {
  const blank = (found: string) => found.replace(/[^\r\n]/g, " ");
  const start = text.charCodeAt(0) === 0xfeff ? ` ${text.slice(1)}` : text;
  if (/(^|\/)Procfile[^/]*$/.test(file)) return start.replace(/^[\w-]+:/gm, blank);
  if (!/(^|\/)(GNUm|m|M)akefile[^/]*$|\.mk$/.test(file)) return start;
  return start
    .replace(/^(?![\t]|export\b|[A-Za-z_]\w*\s*[:?]?=)[^\n]*$/gm, blank)
    .replace(/^([A-Za-z_]\w*)(\s*[:?]?=\s*)([^\n#"'$]*)/gm, (whole, name: string, sign: string, value: string) =>
      // `MODEL ?= x` is an assignment as the shell writes it, without the blanks
      sign === "=" ? whole : `${" ".repeat(sign.length - 1)}${name}=${value}`,
    )
    .replace(/^\t[@+-]+/gm, blank)
    .replace(/\$\(([A-Za-z_]\w*)\)/g, "$" + "{$1}")
    .replace(/\$\$/g, " $");
}

/** Number of syntax errors of a script: open quotes, here-docs and JSON bodies. */
export function countSyntaxErrors(file: string, text: string): number {
  return readScript(file, text).syntaxErrors.length;
}

/** Adds what a script does to the facts of the file that holds it. */
export function readCommands(draft: Draft, script: Script, options: ScriptOptions): void {
  const { commands, errors } = parseShell(script.text, options.isPowerShell);
  const span = ({ start, end }: Span): Span => ({ start: script.at(start), end: script.at(end) });
  for (const error of errors) {
    draft.syntaxErrors.push({ message: error.message, place: draft.place(span(error.span)) });
  }
  const reading: Reading = {
    draft,
    script,
    options,
    variables: new Map([...(options.variables ?? [])].map(([name, value]) => [name, [value]])),
    span,
    host: options.host && options.host.host !== "unknown" ? options.host : hostOfScript(script.text),
  };
  let before: RawCommand | undefined;
  for (const command of commands) {
    readCommand(reading, command, command.isPiped ? before : undefined);
    before = command;
  }
}

function hostOfScript(text: string): HostVerdict {
  const found = new Map<string, string>();
  for (const [url] of text.matchAll(/https?:\/\/[\w.:-]+/g)) {
    const host = hostOfUrl(url);
    if (!["unknown", "other", "self-hosted"].includes(host)) found.set(host, `"${url}"`);
  }
  for (const [variable] of text.matchAll(/\b[A-Z][A-Z0-9_]{5,}\b/g)) {
    for (const { host, evidence } of hintsOfPair(variable, "")) if (!found.has(host)) found.set(host, evidence);
  }
  const [first, ...others] = found;
  if (!first || others.length > 0) return unknownHost;
  return { host: first[0] as HostVerdict["host"], certainty: "possible", evidence: `${first[1]} in the same script` };
}

function readCommand(reading: Reading, command: RawCommand, before: RawCommand | undefined): void {
  const { draft, span } = reading;
  const words = command.words;
  const program = words[0] ? textOf(reading, words[0]) : "";
  const exports = /^(export|declare|typeset|local|readonly|set|setenv)$/.test(program);
  for (const { name, nameSpan, value } of command.assignments) {
    const isEnvironment = words.length > 0 || /^[A-Z][A-Z0-9_]*$/.test(name);
    assign(reading, name, nameSpan, value, isEnvironment, command);
  }
  if (exports) {
    for (const one of words.slice(1)) {
      const match = /^([A-Za-z_]\w*)=/.exec(one.text);
      if (!match) continue;
      const name = match[1]!;
      const start = one.offsets[0]!;
      assign(
        reading,
        name,
        { start, end: start + name.length },
        sliceOf(one, match[0].length),
        program !== "local",
        command,
      );
    }
    return;
  }
  if (words.length === 0) return;
  const shown = words.map((one, index) => wordOf(reading, one, textOf(reading, words[index - 1])));
  draft.commands.push({ words: shown, place: draft.place(span(command.span)), context: reading.options.context });
  const request = curlRequest(reading, command, before);
  if (request) draft.requests.push(request);
  for (const error of bodyErrors(reading, command, before)) draft.syntaxErrors.push(error);
  for (const [index, one] of words.entries()) mention(reading, one, textOf(reading, words[index - 1]), shown);
  for (const one of command.input ? [...words, command.input] : words) mentionInCode(reading, one);
}

function assign(
  reading: Reading,
  name: string,
  nameSpan: Span,
  word: RawWord,
  isEnvironment: boolean,
  command: RawCommand,
): void {
  const { draft, span, variables } = reading;
  const inner = span(innerOf(word));
  const text = textOf(reading, word);
  const value = wordValue(reading, word);
  const step = `${name}, ${draft.file}:${draft.line(inner.start)}`;
  const own: Value = {
    ...value,
    certainty: command.isConditional && value.certainty === "certain" ? "possible" : value.certainty,
    candidates: value.candidates.map((one) => ({ ...one, path: [step, ...one.path] })),
  };
  variables.set(name, command.isConditional ? [...(variables.get(name) ?? [unset(name)]), own] : [own]);
  if (isEnvironment && !command.isLoop && !word.text.includes(holeSign)) {
    addVariable(draft, name, text, { value: inner, name: span(nameSpan) });
  }
  const fallback = [...word.holes.values()].find((hole) => hole.fallback && isDeepSeekId(hole.fallback.text))?.fallback;
  if (fallback) {
    addMention(draft, fallback.text, "default", span(fallback), name, hostOfWord(reading, fallback.text, ""));
  } else if (isDeepSeekId(word.text)) {
    const kind = command.isLoop ? "list" : isEnvironment ? "setting" : "constant";
    addMention(draft, word.text, kind, span(word.span), name, hostOfWord(reading, word.text, ""));
  }
  literal(reading, word, name);
}

const secretFlags = /^(-{1,2}(api-?key|token|password|secret|hf-?token|auth)|-u)$/i;

function wordOf(reading: Reading, word: RawWord, previous: string): Word {
  const text = textOf(reading, word);
  const named = /^([\w-]+)=(.+)$/s.exec(text);
  const isHidden = secretFlags.test(previous) && !word.text.startsWith(holeSign);
  const shown = isHidden
    ? "…"
    : named && (isSecret(named[1]!.replace(/^-+/, ""), named[2]!) || isSecretFlag(named[1]!)) && word.holes.size === 0
      ? `${named[1]}=…`
      : withoutSecrets(text);
  return { text: shown, place: reading.draft.place(reading.span(innerOf(word))) };
}

const isSecretFlag = (name: string): boolean => name.startsWith("-") && isSecretName(name.replace(/^-+/, ""));

/** Flags of programs that start others. */
const passing = /^(-e|--env|--build-arg|env|--(set|update)-env-vars)$/;

function mention(reading: Reading, word: RawWord, previous: string, shown: readonly Word[]): void {
  const { draft, span } = reading;
  // httpie's fields: http POST url model=deepseek-chat
  const isField = /^(https?|xhs?)$/.test(shown[0]?.text ?? "");
  const flag = /^(--?[\w-]+)=/.exec(word.text) ?? (isField ? /^(model)=/.exec(word.text) : null);
  const value = flag ? sliceOf(word, flag[0].length) : word;
  const variable = /^([A-Za-z_]\w*)=/.exec(word.text);
  literal(reading, word, flag?.[1] ?? (previous.startsWith("-") ? previous : ""));
  if (
    (variable && passing.test(previous)) ||
    (flag && passing.test(flag[1]!) && /^[^=]*=[A-Za-z_]\w*=/.test(word.text))
  ) {
    passedOn(reading, word, /env-vars$/.test(flag?.[1] ?? previous));
    return;
  }
  if (!isDeepSeekId(value.text)) return;
  const name = (flag?.[1] ?? (previous.startsWith("-") ? previous : (shown[0]?.text ?? ""))).replace(/^-+/, "");
  const line = shown.map(({ text }) => text).join(" ");
  const place = flag ? innerOf(value) : word.span;
  addMention(draft, value.text, "argument", span(place), name, hostOfWord(reading, value.text, line));
}

/** `model: "deepseek-chat"` in a program for jq or Python, or in a body that goes into a file. */
function mentionInCode(reading: Reading, word: RawWord): void {
  if (word.text.length > 100_000) return;
  for (const match of word.text.matchAll(/\bmodel["']?\s*[:=]\s*(["'])([\w.:/-]*deepseek[\w.:/-]*)\1/gi)) {
    const id = match[2]!;
    if (!isDeepSeekId(id)) continue;
    const end = match.index + match[0].length;
    const span = { start: word.offsets[end - id.length - 2]!, end: word.offsets[end]! };
    addMention(reading.draft, id, "property", reading.span(span), "model", hostOfWord(reading, id, ""));
  }
}

/** The variables that a word sets for another program: `-e NAME=value`, `--set-env-vars A=b,C=d`. */
function passedOn(reading: Reading, word: RawWord, isList: boolean): void {
  const { draft, span } = reading;
  const flag = /^--?[\w-]+=(?=[A-Za-z_]\w*=)/.exec(word.text)?.[0].length ?? 0;
  const pairs = isList ? /(?:^|,)([A-Za-z_]\w*)=([^,]*)/g : /^([A-Za-z_]\w*)=(.*)$/gs;
  for (const match of word.text.slice(flag).matchAll(pairs)) {
    const at = flag + match.index + (match[0].startsWith(",") ? 1 : 0);
    const [name, value] = [match[1]!, match[2]!];
    const from = at + name.length + 1;
    const offset = (index: number) => word.offsets[index]!;
    const inner = span({ start: offset(from), end: offset(from + value.length) });
    const text = textOf(reading, { ...sliceOf(word, from), text: value });
    addVariable(draft, name, text, { value: inner, name: span({ start: offset(at), end: offset(at + name.length) }) });
    if (isDeepSeekId(value)) addMention(draft, value, "setting", inner, name, hostOfWord(reading, value, ""));
  }
}

function hostOfWord(reading: Reading, id: string, line: string): HostVerdict {
  return hostOfCommand(id, line) ?? reading.host;
}

function literal({ draft, span }: Reading, word: RawWord, name: string): void {
  const value = word.text.replaceAll(holeSign, "…");
  if (!isTelling(value) || isSecret(name, value)) return;
  const kind = word.holes.size > 0 ? "template" : "string";
  draft.literals.push({ value: withoutSecrets(value), kind, place: draft.place(span(word.span)), name });
}
