import type { Command, Span, Word } from "../facts.js";
import { unknownHost } from "../host.js";
import { lastAtMost } from "../lines.js";
import { isDeepSeekId } from "../models.js";
import { isSecret, withoutSecrets } from "../secrets.js";
import { addMention, type Draft } from "./config-facts.js";
import { hostOfId, type Level } from "./config-hosts.js";
import { type ConfigNode, entryOf, type Mapping, type Scalar, type Sequence, stringOf } from "./config-tree.js";
import { readCommands } from "./shell.js";
import { hostOfCommand } from "./shell-values.js";
import type { Script } from "./shell-words.js";

const scriptKeys =
  /^(run|script|before_script|after_script|cmds|bash|pwsh|(postCreate|postStart|onCreate|updateContent|initialize|postAttach)Command)$/;

/** Does the text under a key hold commands? */
export function isScriptKey(key: string): boolean {
  return scriptKeys.test(key);
}

/** Does a mapping say what is started: a container's, or that of a server of tools? */
export function isCommandLine(mapping: Mapping | undefined): boolean {
  const command = entryOf(mapping, "command");
  const args = entryOf(mapping, "args");
  return (
    entryOf(mapping, "image") !== undefined ||
    entryOf(mapping, "entrypoint") !== undefined ||
    (args?.kind === "sequence" && command?.kind !== "mapping")
  );
}

/** Which kind of file it is, by its name. */
function contextOf(file: string): Command["context"] | undefined {
  if (/(^|\/)package\.json$/.test(file)) return "package script";
  if (
    /(^|\/)\.github\/|(^|\/)action\.ya?ml$|gitlab-ci|(^|\/)\.circleci\/|azure-pipelines|bitbucket-pipelines|(^|\/)\.(woodpecker|drone|travis)|cloudbuild|(^|\/)\.?buildkite/.test(
      file,
    )
  ) {
    return "workflow";
  }
  if (/(^|\/)(docker-)?compose[^/]*\.ya?ml$/.test(file)) return "compose";
  return undefined;
}

/** Commands and scripts that a mapping of a configuration file holds. */
export function readCommandsOf(
  draft: Draft,
  mapping: Mapping,
  path: readonly string[],
  levels: readonly Level[],
): void {
  const context = contextOf(draft.file);
  if (context === "package script") {
    if (path.length !== 1 || path[0] !== "scripts") return;
    for (const { value } of mapping.entries) readScript(draft, value, context);
    return;
  }
  for (const { key, value } of mapping.entries) {
    if (scriptKeys.test(key) || (key === "command" && path.at(-1) === "run"))
      readScripts(draft, value, context ?? "shell");
  }
  if (context === "workflow") return;
  const command = entryOf(mapping, "command");
  const entrypoint = entryOf(mapping, "entrypoint");
  const args = entryOf(mapping, "args");
  const image = entryOf(mapping, "image");
  const isService = context === "compose" && path[0] === "services" && path.length === 2;
  if (isService || isCommandLine(mapping)) {
    const kind = context ?? (command?.kind === "scalar" && !image ? "shell" : "kubernetes");
    const parts = [entrypoint, command, kind === "compose" ? undefined : args];
    container(
      draft,
      mapping,
      image,
      parts.flatMap((part) => (part ? [part] : [])),
      kind,
      levels,
    );
  }
}

function readScripts(draft: Draft, node: ConfigNode, context: Command["context"]): void {
  if (node.kind === "scalar") readScript(draft, node, context);
  else if (node.kind === "sequence") for (const item of node.items) readScript(draft, item, context);
}

function readScript(draft: Draft, node: ConfigNode, context: Command["context"]): void {
  const script = scriptOf(draft.text, node);
  if (script) readCommands(draft, script, { context });
}

/** What a container starts: entry point and arguments in one, with its image in front where they name no program. */
function container(
  draft: Draft,
  mapping: Mapping,
  image: ConfigNode | undefined,
  parts: readonly ConfigNode[],
  context: Command["context"],
  levels: readonly Level[],
): void {
  const [first] = parts;
  if (!first) return;
  const nested = parts.flatMap((part) => (part.kind === "sequence" ? shellIn(draft, part) : []));
  if (nested.length > 0) {
    for (const script of nested) readCommands(draft, script, { context });
    return;
  }
  if (parts.length === 1 && first.kind === "scalar" && !String(first.value).trimStart().startsWith("-")) {
    readScript(draft, first, context);
    return;
  }
  const words = parts.flatMap((part) => wordsOf(draft, part));
  const [start] = words;
  if (!start) return;
  const program = start.text.startsWith("-") && image?.kind === "scalar" ? [wordOf(draft, image)] : [];
  const shown = [...program, ...words];
  const line = shown.map(({ text }) => text).join(" ");
  for (const [index, { text, place }] of shown.entries()) {
    const previous = shown[index - 1]?.text ?? "";
    const name = (previous.startsWith("-") ? previous : (shown[0]?.text ?? "")).replace(/^-+/, "");
    const id = text.replace(/^--?[\w-]+=/, "");
    if (!isDeepSeekId(id)) continue;
    const host = hostOfCommand(id, line) ?? hostOfId(id, levels, "", unknownHost);
    addMention(draft, id, "argument", { start: place.end - id.length, end: place.end }, name, host);
  }
  const span: Span = { start: first.span.start, end: parts.at(-1)!.span.end };
  draft.commands.push({
    words: shown,
    place: draft.place(span.start <= span.end ? span : mapping.span),
    context,
  });
}

function wordsOf(draft: Draft, part: ConfigNode): readonly Word[] {
  if (part.kind === "sequence") {
    return part.items.flatMap((item, index) =>
      item.kind === "scalar" && item.value !== null ? [wordOf(draft, item, stringOf(part.items[index - 1]))] : [],
    );
  }
  if (part.kind !== "scalar") return [];
  const script = scriptOf(draft.text, part);
  if (!script) return [];
  const inner = { ...draft, commands: [], mentions: [], settings: [], literals: [], requests: [], syntaxErrors: [] };
  readCommands(inner, script, { context: "shell" });
  return inner.commands.flatMap(({ words }: Command) => words);
}

/** One text of a list, or a scalar, as a word. */
export function wordOf(draft: Draft, item: Scalar, previous = ""): Word {
  const text = String(item.value);
  const hidden = isSecret(previous.replace(/^-+/, ""), text) && previous.startsWith("-");
  return { text: hidden ? "…" : withoutSecrets(text), place: draft.place(item.inner) };
}

/** The script of `["sh", "-c", "..."]`. */
function shellIn(draft: Draft, { items }: Sequence): readonly Script[] {
  const [shell, flag, script] = items;
  if (!/(^|\/)(sh|bash|ash|zsh)$/.test(stringOf(shell) ?? "") || !/^-\w*c$/.test(stringOf(flag) ?? "")) return [];
  const found = script && scriptOf(draft.text, script);
  return found ? [found] : [];
}

/** The script that a text of a configuration file holds, with the places of its characters. */
export function scriptOf(text: string, node: ConfigNode): Script | undefined {
  if (node.kind !== "scalar" || typeof node.value !== "string") return undefined;
  const { inner, span, block } = node;
  const source = text.slice(inner.start, inner.end);
  if (block) return blockScript(text, node);
  if (source === node.value)
    return { text: source, at: (offset) => inner.start + offset, isExact: inner.start === span.start };
  return text[span.start] === '"' ? escapedScript(source, inner.start) : undefined;
}

/** A block of lines in YAML, without its indentation. Folded lines are one line with blanks. */
function blockScript(text: string, { inner, block }: Scalar): Script {
  const lines = text.slice(inner.start, inner.end).split("\n");
  const indents = lines.filter((line) => line.trim() !== "").map((line) => /^ */.exec(line)![0].length);
  const indent = indents.length > 0 ? Math.min(...indents) : 0;
  const starts: number[] = [];
  const origins: number[] = [];
  let result = "";
  let from = inner.start;
  for (const [index, line] of lines.entries()) {
    const cut = Math.min(indent, line.length);
    starts.push(result.length);
    origins.push(from + cut);
    const next = lines[index + 1];
    const folds = block === "folded" && line.trim() !== "" && next !== undefined && /^\s*\S/.test(next);
    result += line.slice(cut) + (next === undefined ? "" : folds ? " " : "\n");
    from += line.length + 1;
  }
  return { text: result, at: (offset) => mapped(starts, origins, offset), isExact: true };
}

/** The file's offset of an offset in a text that was put together from stretches. */
export function mapped(starts: readonly number[], origins: readonly number[], offset: number): number {
  const index = lastAtMost(starts, offset);
  return origins[index]! + offset - starts[index]!;
}

/** A text in double quotes with escapes, as JSON and YAML write them. */
function escapedScript(source: string, start: number): Script {
  const parts: string[] = [];
  const offsets: number[] = [];
  const plain: Readonly<Record<string, string>> = { n: "\n", t: "\t", r: "\r", b: "\b", f: "\f", "0": "\0" };
  for (let index = 0; index < source.length; ) {
    offsets.push(start + index);
    if (source[index] !== "\\") {
      parts.push(source[index]!);
      index += 1;
      continue;
    }
    const code = /^\\u([0-9a-fA-F]{4})/.exec(source.slice(index, index + 6));
    const sign = source[index + 1] ?? "";
    parts.push(code ? String.fromCharCode(Number.parseInt(code[1]!, 16)) : (plain[sign] ?? (sign || "\\")));
    index += code ? 6 : 2;
  }
  offsets.push(start + source.length);
  return {
    text: parts.join(""),
    at: (offset) => offsets[Math.min(offset, offsets.length - 1)]!,
    isExact: false,
  };
}
