// Long because quotes, here-docs and substitutions of the shell nest in each other and are read by one machine.
import type { Span, Value } from "../facts.js";
import { holeSign } from "./json-tree.js";

/** A script as it stands in a file, or as a string of another format holds it. */
export interface Script {
  readonly text: string;
  /** The file's offset of an offset of the script. */
  at(offset: number): number;
  /** The file holds the script's text as it is, but for indentation: what is put into it needs no escapes. */
  readonly isExact: boolean;
}

/** How a word is quoted as a whole. */
export type Quoting = "none" | "single" | "double" | "mixed" | "document";

/** A word: its text without quotes, where each of its characters stands, and what its holes are. */
export interface RawWord {
  readonly text: string;
  /** Offsets in the script, one for each character and one for the end. */
  readonly offsets: readonly number[];
  readonly holes: ReadonlyMap<number, Hole>;
  readonly quoting: Quoting;
  /** Quotes included; offsets in the script. */
  readonly span: Span;
  /** A character is written with an escape. */
  readonly hasEscapes: boolean;
}

/** `$NAME`, `${NAME:-default}`, or what cannot be known (`name` empty). */
export interface Hole {
  readonly name: string;
  readonly fallback?: { readonly text: string; readonly start: number; readonly end: number };
}

/** A command as it is written: assignments before it, words, and what it reads. */
export interface RawCommand {
  readonly assignments: readonly { readonly name: string; readonly nameSpan: Span; readonly value: RawWord }[];
  readonly words: readonly RawWord[];
  /** A here-doc or here-string. */
  readonly input?: RawWord;
  /** It reads what the command before it writes. */
  readonly isPiped: boolean;
  readonly span: Span;
  /** Inside a condition, loop or function. */
  readonly isConditional: boolean;
  /** `for NAME in a b`: each assignment is one of the values. */
  readonly isLoop?: true;
}

export interface RawScript {
  readonly commands: readonly RawCommand[];
  readonly errors: readonly { readonly message: string; readonly span: Span }[];
}

const openers = new Set(["if", "for", "while", "until", "case", "select", "function"]);
const closers = new Set(["fi", "done", "esac"]);
const passed = new Set(["then", "else", "elif", "do", "!", "time", "{", "}", "in"]);
const maximumNesting = 40;

/** Takes a script apart into commands, those in substitutions included. Never throws. */
export function parseShell(text: string, isPowerShell = false, continuation = isPowerShell ? "`" : "\\"): RawScript {
  const commands: RawCommand[] = [];
  const errors: { message: string; span: Span }[] = [];
  const pending: { word: (document: RawWord) => void; end: string; quoted: boolean; tabs: boolean }[] = [];
  let at = 0;
  let nesting = 0;
  let functions = 0;

  /** Reads commands up to a closing sign of a substitution. */
  function list(close: ")" | "`" | undefined): void {
    let words: RawWord[] = [];
    let assignments: { name: string; nameSpan: Span; value: RawWord }[] = [];
    let input: RawWord | undefined;
    let start = -1;
    let end = 0;
    let isPiped = false;
    let depth = 0;
    const finish = (pipes: boolean): void => {
      if (words.length > 0 || assignments.length > 0) {
        const holder = { input };
        const command: RawCommand & { input?: RawWord } = {
          assignments,
          words,
          isPiped,
          span: { start, end },
          isConditional: depth + functions > 0 || nesting > 0,
        };
        if (holder.input) command.input = holder.input;
        commands.push(command);
        for (const one of pending) if (!claimed.has(one)) claim(one, command);
      }
      words = [];
      assignments = [];
      input = undefined;
      start = -1;
      isPiped = pipes;
    };
    while (at < text.length) {
      const sign = text[at]!;
      if (sign === close) {
        finish(false);
        at += 1;
        return;
      }
      if (sign === "\n") {
        finish(isPiped && words.length === 0 && assignments.length === 0);
        at += 1;
        documents();
        continue;
      }
      if (sign === " " || sign === "\t" || sign === "\r") {
        at += 1;
        continue;
      }
      if (sign === continuation && /^\r?\n/.test(text.slice(at + 1, at + 3))) {
        at = text.indexOf("\n", at) + 1;
        continue;
      }
      if (sign === "#") {
        const lineEnd = text.indexOf("\n", at);
        at = lineEnd < 0 ? text.length : lineEnd;
        continue;
      }
      if (sign === ";" || sign === "&" || sign === "|" || sign === "(" || sign === ")") {
        if (sign === "(" && words.length === 1 && /^[ \t]*\)/.test(text.slice(at + 1, at + 20))) {
          // a function's head
          words = [];
          functions += 1;
          at = text.indexOf(")", at) + 1;
          continue;
        }
        const twice = text[at + 1] === sign;
        if (sign === "&" && text[at + 1] === ">") {
          at += 2;
          continue;
        }
        finish(sign === "|" && !twice);
        at += twice ? 2 : 1;
        continue;
      }
      const redirection = /^(\d?)(<<<|<<-?|<&|>&|>>|>\||<>|<|>)/.exec(text.slice(at, at + 5));
      if (redirection) {
        at += redirection[0].length;
        const form = redirection[2]!;
        while (text[at] === " " || text[at] === "\t") at += 1;
        if (form === "<<" || form === "<<-") {
          const tag = /^(?:'([^'\n]*)'|"([^"\n]*)"|\\?([\w.!@%^-]+))/.exec(text.slice(at, at + 200));
          if (!tag) continue;
          at += tag[0].length;
          pending.push({
            end: tag[1] ?? tag[2] ?? tag[3]!,
            quoted: tag[3] === undefined || tag[0].startsWith("\\"),
            tabs: form === "<<-",
            word: () => undefined,
          });
          end = at;
        } else {
          const target = word(close);
          if (form === "<<<") input = target;
          end = Math.max(end, at);
        }
        continue;
      }
      const from = at;
      const one = word(close);
      if (at === from) {
        at += 1;
        continue;
      }
      end = at;
      if (start < 0) start = from;
      if (words.length === 0 && one.quoting === "none") {
        if (openers.has(one.text)) depth += 1;
        if (closers.has(one.text)) depth = Math.max(0, depth - 1);
        if (one.text === "}") functions = Math.max(0, functions - 1);
        const loop = one.text === "for" ? /^[ \t]+([A-Za-z_]\w*)[ \t]+in\b/.exec(text.slice(at, at + 200)) : null;
        if (loop) {
          loopOver(loop, close);
          start = -1;
          continue;
        }
        if (one.text === "for" || one.text === "case" || one.text === "select" || one.text === "function") {
          // what follows on the line is no command
          const stop = /[;\n]|\bin\b/.exec(text.slice(at));
          if (one.text !== "function" && stop) at += stop.index;
          start = -1;
          continue;
        }
        if (openers.has(one.text) || closers.has(one.text) || passed.has(one.text)) {
          if (assignments.length === 0) start = -1;
          continue;
        }
      }
      const assigned = words.length === 0 ? assignment(one) : undefined;
      if (assigned) assignments.push(assigned);
      else words.push(one);
    }
    finish(false);
    documents();
  }

  function loopOver(loop: RegExpExecArray, close: ")" | "`" | undefined): void {
    const start = at;
    const name = loop[1]!;
    const nameStart = at + loop[0].indexOf(name);
    at += loop[0].length;
    const values: RawWord[] = [];
    while (at < text.length && !/[;\n]/.test(text[at]!)) {
      const from = at;
      const one = word(close);
      if (at === from) at += 1;
      else values.push(one);
    }
    const nameSpan = { start: nameStart, end: nameStart + name.length };
    commands.push({
      assignments: values.map((value) => ({ name, nameSpan, value })),
      words: [],
      isPiped: false,
      span: { start, end: at },
      isConditional: true,
      isLoop: true,
    });
  }

  const claimed = new Set<object>();
  function claim(one: { word: (document: RawWord) => void }, command: RawCommand & { input?: RawWord }): void {
    claimed.add(one);
    one.word = (document) => {
      command.input = document;
    };
  }

  /** Reads the here-docs whose bodies begin on this line. */
  function documents(): void {
    for (const one of pending.splice(0)) {
      const start = at;
      let end = at;
      let found = false;
      while (at < text.length) {
        const lineEnd = text.indexOf("\n", at);
        const stop = lineEnd < 0 ? text.length : lineEnd;
        const line = text.slice(at, stop).replace(/\r$/, "");
        end = at;
        at = lineEnd < 0 ? text.length : lineEnd + 1;
        if ((one.tabs ? line.replace(/^\t+/, "") : line) === one.end) {
          found = true;
          break;
        }
        end = at;
      }
      if (!found)
        errors.push({ message: `the here-document ${one.end} does not end`, span: { start, end: text.length } });
      one.word(document(start, end, one.quoted));
    }
  }

  function document(start: number, end: number, quoted: boolean): RawWord {
    const build = builder();
    const back = at;
    at = start;
    while (at < end) {
      const sign = text[at]!;
      if (!quoted && sign === "\\" && /[$`\\\n]/.test(text[at + 1] ?? "")) {
        build.escaped();
        if (text[at + 1] !== "\n") build.add(text[at + 1]!, at);
        at += 2;
      } else if (!quoted && (sign === "$" || sign === "`")) expansion(build);
      else {
        build.add(sign, at);
        at += 1;
      }
    }
    at = Math.max(back, end);
    return build.word("document", { start, end });
  }

  function word(close: ")" | "`" | undefined): RawWord {
    const start = at;
    const build = builder();
    const kinds = new Set<Quoting>();
    while (at < text.length) {
      const sign = text[at]!;
      if (sign === close || /[\s;&|<>()]/.test(sign)) break;
      if (sign === "'" || (sign === "$" && text[at + 1] === "'")) {
        kinds.add(sign === "$" ? "mixed" : "single");
        single(build);
      } else if (sign === '"') {
        kinds.add("double");
        double(build);
      } else if (sign === "$" || (sign === "`" && !isPowerShell)) {
        kinds.add("none");
        expansion(build);
      } else if (sign === continuation) {
        if (text[at + 1] === undefined || /^\r?\n/.test(text.slice(at + 1, at + 3))) {
          at = text[at + 1] === undefined ? at + 1 : text.indexOf("\n", at) + 1;
          continue;
        }
        kinds.add("none");
        build.escaped();
        build.add(text[at + 1]!, at);
        at += 2;
      } else {
        kinds.add("none");
        build.add(sign, at);
        at += 1;
      }
    }
    const [kind] = kinds;
    return build.word(kinds.size === 1 ? kind! : kinds.size === 0 ? "none" : "mixed", { start, end: at });
  }

  function single(build: Builder): void {
    const start = at;
    at += text[at] === "$" ? 2 : 1;
    while (at < text.length && text[at] !== "'") {
      if (text[start] === "$" && text[at] === "\\") {
        build.escaped();
        at += 1;
      }
      if (at < text.length) build.add(text[at]!, at);
      at += 1;
    }
    if (at >= text.length) errors.push({ message: "a quote is not closed", span: { start, end: start + 1 } });
    build.endsAt(at);
    at = Math.min(text.length, at + 1);
  }

  function double(build: Builder): void {
    const start = at;
    at += 1;
    while (at < text.length && text[at] !== '"') {
      const sign = text[at]!;
      if (sign === continuation && /["$`\\\n]/.test(text[at + 1] ?? "")) {
        build.escaped();
        if (text[at + 1] !== "\n") build.add(text[at + 1]!, at);
        at += 2;
      } else if (sign === "$" || (sign === "`" && !isPowerShell)) expansion(build);
      else {
        build.add(sign, at);
        at += 1;
      }
    }
    if (at >= text.length) errors.push({ message: "a quote is not closed", span: { start, end: start + 1 } });
    build.endsAt(at);
    at = Math.min(text.length, at + 1);
  }

  /** `$NAME`, `${...}`, `$(...)`, backquotes, `${{ ... }}` of workflows. */
  function expansion(build: Builder): void {
    const start = at;
    const workflow = /^\$\{\{\s*([^}]*?)\s*\}\}/.exec(text.slice(at, at + 300));
    if (workflow) {
      at += workflow[0].length;
      build.hole({ name: /^(?:env|vars|secrets)\.(\w+)$/.exec(workflow[1]!)?.[1] ?? "" }, start);
      return;
    }
    if (text[at] === "`" || text.startsWith("$(", at)) {
      const isArithmetic = text.startsWith("$((", at);
      const close = text[at] === "`" ? "`" : ")";
      at += text[at] === "`" ? 1 : 2;
      if (isArithmetic || nesting >= maximumNesting) {
        const end = text.indexOf(isArithmetic ? "))" : close, at);
        at = end < 0 ? text.length : end + (isArithmetic ? 2 : 1);
      } else {
        nesting += 1;
        const outer = pending.splice(0);
        list(close);
        pending.unshift(...outer);
        nesting -= 1;
      }
      build.hole({ name: "" }, start);
      return;
    }
    if (isPowerShell) {
      const name = /^\$(?:env:)?(\w+)/i.exec(text.slice(at, at + 100));
      at += name ? name[0].length : 1;
      if (name) build.hole({ name: name[1]! }, start);
      else build.add("$", start);
      return;
    }
    const braced = /^\$\{([A-Za-z_]\w*)(?::?[-=]([^{}$`"'\\]*))?\}/.exec(text.slice(at, at + 400));
    if (braced) {
      const [whole, name, fallback] = braced as unknown as [string, string, string | undefined];
      at += whole.length;
      const end = at - 1;
      build.hole(
        fallback ? { name, fallback: { text: fallback, start: end - fallback.length, end } } : { name },
        start,
      );
      return;
    }
    if (text[at + 1] === "{") {
      const end = text.indexOf("}", at);
      at = end < 0 ? text.length : end + 1;
      build.hole({ name: "" }, start);
      return;
    }
    const plain = /^\$([A-Za-z_]\w*|[0-9@*#?!$-])/.exec(text.slice(at, at + 100));
    at += plain ? plain[0].length : 1;
    if (plain) build.hole({ name: /^\w/.test(plain[1]!) && !/^\d/.test(plain[1]!) ? plain[1]! : "" }, start);
    else build.add("$", start);
  }

  list(undefined);
  // a stray closing sign ends the outermost list early only where a substitution is open
  return { commands, errors };
}

function assignment(one: RawWord): { name: string; nameSpan: Span; value: RawWord } | undefined {
  const match = /^(?:env:)?([A-Za-z_]\w*)\+?=/.exec(one.text);
  if (!match || match[0].includes(holeSign)) return undefined;
  const length = match[0].length;
  const start = one.offsets[0]!;
  // a name in quotes is an argument
  if (one.offsets[length - 1]! !== start + length - 1) return undefined;
  return {
    name: match[1]!,
    nameSpan: { start, end: start + match[1]!.length },
    value: sliceOf(one, length),
  };
}

/** The rest of a word from one of its characters on. */
export function sliceOf(one: RawWord, from: number): RawWord {
  return {
    ...one,
    text: one.text.slice(from),
    offsets: one.offsets.slice(from),
    holes: new Map([...one.holes].flatMap(([index, hole]) => (index >= from ? [[index - from, hole] as const] : []))),
    span: { start: one.offsets[from] ?? one.span.end, end: one.span.end },
  };
}

interface Builder {
  add(sign: string, offset: number): void;
  hole(hole: Hole, offset: number): void;
  escaped(): void;
  endsAt(offset: number): void;
  word(quoting: Quoting, span: Span): RawWord;
}

function builder(): Builder {
  const parts: string[] = [];
  const offsets: number[] = [];
  const holes = new Map<number, Hole>();
  let hasEscapes = false;
  let lastEnd: number | undefined;
  return {
    add(sign, offset) {
      parts.push(sign);
      offsets.push(offset);
      lastEnd = undefined;
    },
    hole(hole, offset) {
      holes.set(offsets.length, hole);
      parts.push(holeSign);
      offsets.push(offset);
      lastEnd = undefined;
    },
    escaped() {
      hasEscapes = true;
    },
    endsAt(offset) {
      lastEnd = offset;
    },
    word: (quoting, span) => ({
      text: parts.join(""),
      offsets: [...offsets, lastEnd ?? span.end],
      holes,
      quoting,
      span,
      hasEscapes,
    }),
  };
}

/** What a variable's value is, or that of a hole in a word. */
export type Resolve = (hole: Hole) => Value;
