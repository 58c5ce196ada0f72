import { emptyFacts, type FileFacts } from "../facts.js";
import { mentionsDeepSeek, type Sources } from "../sources.js";
import { mapped } from "./config-commands.js";
import { addComments, draftOf } from "./config-facts.js";
import { maximumText } from "./config-tree.js";
import type { LoadedReader, Reader } from "./index.js";

/** Names of fences and the ending of a file that holds such code. */
const endings: Readonly<Record<string, string>> = {
  ts: "ts",
  typescript: "ts",
  mts: "ts",
  tsx: "tsx",
  js: "js",
  javascript: "js",
  mjs: "js",
  cjs: "cjs",
  jsx: "jsx",
  node: "js",
  py: "py",
  python: "py",
  python3: "py",
  pycon: "py",
  sh: "sh",
  bash: "sh",
  zsh: "sh",
  shell: "sh",
  console: "sh",
  "shell-session": "sh",
  shellsession: "sh",
  terminal: "sh",
  curl: "sh",
  powershell: "ps1",
  ps1: "ps1",
  json: "json",
  jsonc: "jsonc",
  json5: "json",
  yaml: "yaml",
  yml: "yaml",
  toml: "toml",
  env: "env",
  ini: "env",
  dotenv: "env",
  dockerfile: "dockerfile",
  docker: "dockerfile",
  http: "http",
  rest: "http",
};

/** One block of code: its text without indentation and prompts, and where its lines stand. */
interface Fence {
  readonly ending: string;
  readonly text: string;
  readonly starts: readonly number[];
  readonly origins: readonly number[];
  /** Line of its first line, counted from 0. */
  readonly line: number;
}

/**
 * The reader of Markdown: blocks of code are read by the readers of their languages, prose is no fact. Which readers
 * that takes is seen in `prepare` only.
 */
export function createMarkdownReader(readerOf: (path: string) => Reader | undefined): LoadedReader {
  const loaded = new Map<string, LoadedReader>();
  return {
    async prepare(sources, paths) {
      for (const path of paths) {
        for (const fence of fencesOf(sources.read(path) ?? "")) {
          const reader = readerOf(`fence.${fence.ending}`);
          if (reader && !loaded.has(reader.name)) loaded.set(reader.name, await reader.load());
        }
      }
    },
    read: (sources, paths) =>
      paths.flatMap((path) => {
        const text = sources.read(path);
        return text === undefined
          ? []
          : [readFile(path, text, (ending) => loaded.get(readerOf(`fence.${ending}`)?.name ?? ""))];
      }),
    countSyntaxErrors: () => 0,
  };
}

function readFile(file: string, text: string, readerFor: (ending: string) => LoadedReader | undefined): FileFacts {
  const draft = draftOf(file, "markdown", text);
  addComments(draft, /<!--|\/\/|(?<=^|\s)#/);
  let facts: FileFacts = { ...emptyFacts(file, "markdown", text), reportOnly: true, comments: draft.comments };
  for (const fence of fencesOf(text)) {
    const reader = readerFor(fence.ending);
    if (reader) facts = joined(facts, readFence(file, fence, reader));
  }
  return facts;
}

/** The lists of facts that code in documentation adds to. Its symbols are the block's own, its errors nobody's. */
const lists = [
  "requests",
  "mentions",
  "numbers",
  "flags",
  "literals",
  "calls",
  "comparisons",
  "switches",
  "members",
  "history",
  "commands",
  "settings",
] as const;

function joined(into: FileFacts, found: FileFacts | undefined): FileFacts {
  if (!found) return into;
  const added = Object.fromEntries(lists.map((name) => [name, [...into[name], ...found[name]]]));
  return { ...into, ...added };
}

function readFence(file: string, fence: Fence, reader: LoadedReader): FileFacts | undefined {
  const folder = file.slice(0, file.lastIndexOf("/") + 1);
  const name = `${folder}${file.slice(folder.length)}.fence.${fence.ending}`;
  // empty lines in front keep the lines that evidence names
  const source = "\n".repeat(fence.line) + fence.text;
  const inner: Sources = {
    paths: [name],
    has: (path) => path === name,
    read: (path) => (path === name ? source : undefined),
  };
  const [facts] = reader.read(inner, [name]);
  if (!facts || facts.view) return undefined;
  return moved(facts, (offset) => mapped(fence.starts, fence.origins, Math.max(0, offset - fence.line)), name, file);
}

/** Facts at the places of the document. */
function moved<Fact>(fact: Fact, at: (offset: number) => number, from: string, to: string): Fact {
  const move = (value: unknown): unknown => {
    if (typeof value === "string") return value.includes(from) ? value.replaceAll(from, to) : value;
    if (Array.isArray(value)) return value.map(move);
    if (typeof value !== "object" || value === null) return value;
    const isSpan = "start" in value && "end" in value;
    return Object.fromEntries(
      Object.entries(value).map(([key, one]) => [
        key,
        isSpan && (key === "start" || key === "end") && typeof one === "number"
          ? at(one)
          : key === "text"
            ? one
            : move(one),
      ]),
    );
  };
  return move(fact) as Fact;
}

const opening = /^((?:[ \t]|> ?)*)(`{3,}|~{3,})\s*\{?\.?([\w+-]*)[^\n`]*$/;

/** The blocks of code in languages that have a reader, as far as they mention DeepSeek. */
function fencesOf(text: string): readonly Fence[] {
  if (text.length > maximumText || !mentionsDeepSeek(text)) return [];
  const found: Fence[] = [];
  const lines = text.split("\n");
  let at = 0;
  let open: { indent: number; sign: string; language: string; line: number; start: number } | undefined;
  for (const [index, line] of lines.entries()) {
    const bare = line.replace(/\r$/, "");
    if (open) {
      const close = /^(?:[ \t]|> ?)*(`{3,}|~{3,})\s*$/.exec(bare)?.[1];
      if (close?.startsWith(open.sign)) {
        add(found, lines.slice(open.line, index), open);
        open = undefined;
      }
    } else {
      const head = opening.exec(bare);
      if (head) {
        const start = at + line.length + 1;
        open = { indent: head[1]!.length, sign: head[2]!, language: head[3]!.toLowerCase(), line: index + 1, start };
      }
    }
    at += line.length + 1;
  }
  return found;
}

function add(
  found: Fence[],
  lines: readonly string[],
  open: { readonly indent: number; readonly language: string; readonly line: number; readonly start: number },
): void {
  const ending = Object.hasOwn(endings, open.language) ? endings[open.language]! : undefined;
  if (!ending || !lines.some(mentionsDeepSeek)) return;
  const prompt =
    ending === "sh"
      ? /^\s*(?:\(\w+\) )?(?:[\w.-]*(?:@[\w.-]+)?:[^\s$%]*)?[$%➜❯] /
      : ending === "py"
        ? /^(>>>|\.\.\.)( |$)/
        : undefined;
  const isSession = prompt !== undefined && lines.some((line) => prompt.test(line));
  const starts: number[] = [];
  const origins: number[] = [];
  let text = "";
  let from = open.start;
  let continues = false;
  for (const line of lines) {
    let cut = Math.min(open.indent, /^(?:[ \t]|> ?)*/.exec(line)![0].length);
    const sign = isSession ? prompt.exec(line.slice(cut)) : null;
    // what a session prints is no code
    const isOutput: boolean = isSession && !sign && !continues;
    if (sign) cut += sign[0].length;
    starts.push(text.length);
    origins.push(from + cut);
    const own: string = isOutput ? " ".repeat(line.length - cut) : line.slice(cut);
    continues = !isOutput && (/\\\r?$/.test(own) || isInQuotes(text, own));
    text += `${own}\n`;
    from += line.length + 1;
  }
  found.push({ ending, text, starts, origins, line: open.line });
}

/** Is a quote open at the end of a session's command, so that the next line belongs to it? */
function isInQuotes(text: string, line: string): boolean {
  const command = text.slice(Math.max(0, text.length - 5000)) + line;
  return (command.split("'").length - 1) % 2 === 1;
}
