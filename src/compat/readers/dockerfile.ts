import type { Candidate, FileFacts, HostVerdict, Value, Word } from "../facts.js";
import { isDeepSeekId } from "../models.js";
import type { Sources } from "../sources.js";
import { mapped, scriptOf, wordOf } from "./config-commands.js";
import { addComments, addMention, addVariable, type Draft, draftOf, factsOf } from "./config-facts.js";
import { hostOfId, hostOfTree } from "./config-hosts.js";
import { type Entry, type Mapping, maximumText, stringOf } from "./config-tree.js";
import { parseJson } from "./json-tree.js";
import { readCommands } from "./shell.js";
import { hostOfCommand } from "./shell-values.js";
import { parseShell, type Script } from "./shell-words.js";

/** Reads Dockerfiles and Containerfiles: variables, and the commands of RUN, CMD and ENTRYPOINT in both forms. */
export function readDockerfile(sources: Sources, paths: readonly string[]): readonly FileFacts[] {
  return paths.flatMap((path) => {
    const text = sources.read(path);
    return text === undefined ? [] : [readFile(path, text)];
  });
}

const instructions =
  /^(FROM|RUN|CMD|LABEL|EXPOSE|ENV|ADD|COPY|ENTRYPOINT|VOLUME|USER|WORKDIR|ARG|ONBUILD|STOPSIGNAL|HEALTHCHECK|SHELL|MAINTAINER)$/i;

/** One instruction: its text without the lines' continuations, and where each line of it stands. */
interface Instruction {
  readonly keyword: string;
  readonly script: Script;
  readonly start: number;
  readonly end: number;
}

function readFile(file: string, text: string): FileFacts {
  const draft = draftOf(file, "dockerfile", text);
  if (text.length > maximumText) return factsOf(draft);
  const variables = new Map<string, Value>();
  const found = split(text);
  const settings = found.filter(({ keyword }) => keyword === "ENV" || keyword === "ARG");
  const entries = settings.flatMap((one) => assignmentsOf(one));
  const root: Mapping = { kind: "mapping", syntax: undefined, entries, span: { start: 0, end: text.length } };
  const host = hostOfTree([root]);
  let stage: Stage = { image: undefined, entryPoint: [] };
  for (const one of found) {
    if (!instructions.test(one.keyword)) {
      const place = draft.place({ start: one.start, end: one.start + one.keyword.length });
      draft.syntaxErrors.push({ message: `${one.keyword.slice(0, 40)} is no instruction`, place });
    } else if (one.keyword === "FROM") stage = { image: imageOf(draft, one), entryPoint: [] };
    else if (one.keyword === "ENV" || one.keyword === "ARG") {
      for (const entry of assignmentsOf(one)) addAssignment(draft, entry, root, variables, host);
    } else if (/^(RUN|CMD|ENTRYPOINT|HEALTHCHECK)$/.test(one.keyword)) {
      const words = execWords(draft, one);
      if (!words) readCommands(draft, one.script, { context: "dockerfile", variables, host });
      else {
        addCommand(draft, one, words, stage, host);
        if (one.keyword === "ENTRYPOINT") stage = { ...stage, entryPoint: words };
      }
    }
    draft.symbols.push({ name: one.keyword, kind: "key", start: one.start, end: one.end });
  }
  addComments(draft, /(?<=^|\s)#/);
  return factsOf(draft);
}

/** From one FROM to the next: the image, and what it starts. */
interface Stage {
  readonly image: Word | undefined;
  readonly entryPoint: readonly Word[];
}

function imageOf(draft: Draft, { script }: Instruction): Word | undefined {
  const [command] = parseShell(script.text).commands;
  const word = command?.words.find(({ text }) => !text.startsWith("--"));
  if (!word) return undefined;
  return { text: word.text, place: draft.place({ start: script.at(word.span.start), end: script.at(word.span.end) }) };
}

/** A command written as a list. Arguments alone follow the entry point, or the image of a server that has one. */
function addCommand(
  draft: Draft,
  { keyword, start, end }: Instruction,
  words: readonly Word[],
  { image, entryPoint }: Stage,
  host: HostVerdict,
): void {
  const isServer = image !== undefined && /vllm|sglang|llama|ollama|lmdeploy|text-generation|trt/i.test(image.text);
  const before = keyword !== "CMD" ? [] : entryPoint.length > 0 ? entryPoint : isServer ? [image] : [];
  const all = [...before, ...words];
  if (words.length === 0) return;
  draft.commands.push({ words: all, place: draft.place({ start, end }), context: "dockerfile" });
  const line = all.map(({ text }) => text).join(" ");
  for (const { text, place } of words) {
    if (!isDeepSeekId(text)) continue;
    const verdict = hostOfCommand(text, line) ?? hostOfId(text, [], "", host);
    const span = { start: place.start - 1, end: place.end + 1 };
    addMention(draft, text, "argument", span, all[0]?.text ?? "", verdict);
  }
}

function addAssignment(
  draft: Draft,
  { key, keySpan, value }: Entry,
  root: Mapping,
  variables: Map<string, Value>,
  host: ReturnType<typeof hostOfTree>,
): void {
  if (value.kind !== "scalar") return;
  const text = String(value.value);
  addVariable(draft, key, text, { value: value.inner, name: keySpan });
  if (isDeepSeekId(text)) {
    addMention(draft, text, "setting", value.span, key, hostOfId(text, [{ mapping: root, key: "" }], key, host));
  }
  const step = `${key}, ${draft.file}:${draft.line(value.span.start)}`;
  const candidate: Candidate = {
    value: text,
    partial: false,
    place: draft.place(value.span),
    path: [step],
    environment: key,
  };
  variables.set(key, { certainty: "possible", open: false, candidates: [candidate], environment: [key] });
}

/** `ENV A=b C="d"`, `ENV A b`, `ARG A=b`. */
function assignmentsOf({ keyword, script }: Instruction): readonly Entry[] {
  const [command] = parseShell(script.text).commands;
  if (!command) return [];
  const span = (start: number, end: number) => ({ start: script.at(start), end: script.at(end) });
  const old = /^\s*([A-Za-z_]\w*)[ \t]+(\S.*?)\s*$/s.exec(script.text);
  if (keyword === "ENV" && command.assignments.length === 0 && old) {
    const nameStart = script.text.indexOf(old[1]!);
    const valueStart = script.text.indexOf(old[2]!, nameStart + old[1]!.length);
    const keySpan = span(nameStart, nameStart + old[1]!.length);
    const inner = span(valueStart, valueStart + old[2]!.length);
    const value = { kind: "scalar" as const, value: old[2]!, span: inner, inner };
    return [{ key: old[1]!, keySpan, keyOuter: keySpan, value, span: { start: keySpan.start, end: inner.end } }];
  }
  return command.assignments.map(({ name, nameSpan, value: word }) => {
    const keySpan = span(nameSpan.start, nameSpan.end);
    const start = word.offsets[0]!;
    const inner = span(start, Math.max(start, word.offsets.at(-1)!));
    const outer = span(nameSpan.end + 1, word.span.end);
    // holes stay as they are written
    const text = word.holes.size > 0 ? script.text.slice(start, word.offsets.at(-1)) : word.text;
    const value = { kind: "scalar" as const, value: text, span: outer, inner };
    return { key: name, keySpan, keyOuter: keySpan, value, span: { start: keySpan.start, end: outer.end } };
  });
}

/** The words of `["vllm", "serve"]`; undefined where the instruction is written for a shell. */
function execWords(draft: Draft, { script }: Instruction): readonly Word[] | undefined {
  if (!/^\s*\[/.test(script.text)) return undefined;
  const { root, errors } = parseJson(script.text, { at: script.at });
  if (root?.kind !== "sequence" || errors.length > 0) return undefined;
  const [shell, flag, line] = root.items;
  if (/(^|\/)(sh|bash|ash)$/.test(stringOf(shell) ?? "") && /^-\w*c$/.test(stringOf(flag) ?? "") && line) {
    const inner = scriptOf(draft.text, line);
    if (inner) readCommands(draft, inner, { context: "dockerfile" });
    return [];
  }
  return root.items.flatMap((item, index) =>
    item.kind === "scalar" ? [wordOf(draft, item, stringOf(root.items[index - 1]))] : [],
  );
}

/** The instructions of a Dockerfile. Lines of comment inside one are left out. */
function split(text: string): readonly Instruction[] {
  const sign = /^#\s*escape=(`|\\)\s*$/im.exec(text.slice(0, 500))?.[1] ?? "\\";
  const found: Instruction[] = [];
  const lines = text.split("\n");
  let at = 0;
  for (let index = 0; index < lines.length; index += 1) {
    const head = /^\uFEFF?\s*(?:ONBUILD\s+)?([A-Za-z]+)(?=\s|$)/.exec(lines[index]!);
    const isBlank = /^\uFEFF?\s*(#|$)/.test(lines[index]!);
    const start = at;
    if (isBlank || !head) {
      at += lines[index]!.length + 1;
      if (!isBlank && !head) {
        const empty = { text: "", at: () => start, isExact: false };
        found.push({ keyword: lines[index]!.trim().slice(0, 20), script: empty, start, end: at - 1 });
      }
      continue;
    }
    const starts: number[] = [];
    const origins: number[] = [];
    let body = "";
    const tags: string[] = [];
    for (let first = true; index < lines.length; index += 1) {
      const line = lines[index]!;
      const cut = first ? head[0].length + flagsOf(line.slice(head[0].length)) : 0;
      const isComment = !first && tags.length === 0 && /^\s*#/.test(line);
      if (!isComment) {
        starts.push(body.length);
        origins.push(at + cut);
        body += `${line.slice(cut)}\n`;
      }
      if (first) tags.push(...[...line.matchAll(/<<-?\s*(["']?)(\w+)\1/g)].map((match) => match[2]!));
      else if (tags[0] !== undefined && line.trim() === tags[0]) tags.shift();
      first = false;
      at += line.length + 1;
      const continues = line.replace(/\s+$/, "").endsWith(sign);
      if (tags.length === 0 && !continues && !isComment) break;
    }
    const end = Math.min(text.length, at - 1);
    const script: Script = {
      text: body,
      at: (offset) => Math.min(text.length, mapped(starts, origins, offset)),
      isExact: true,
    };
    found.push({ keyword: head[1]!.toUpperCase(), script, start, end });
  }
  return found;
}

/** Length of `--mount=... ` before a command. */
const flagsOf = (rest: string): number => /^(\s+--[\w-]+(=\S+)?)*\s*(CMD\s)?/.exec(rest)![0].length;

/** Number of lines that are no instruction, and of open quotes. */
export function countSyntaxErrors(file: string, text: string): number {
  return readFile(file, text).syntaxErrors.length;
}
