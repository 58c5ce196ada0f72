// Long because the three ways in which a file comes to matter follow each other through the same tables.
import { type Reader, readerOf } from "./readers/index.js";
import { bareNamesOf, importSpans, type Look, mayMean, mentionsDeepSeek, type Sources } from "./sources.js";

/** A file that is read in full, and why. */
export interface Selected {
  readonly path: string;
  readonly why: "mentions DeepSeek" | `imports ${string}` | `reads ${string}`;
}

/**
 * Chooses the files to parse: those that mention DeepSeek; code that imports one of them, directly or through others;
 * code that reads an environment variable which a file of settings gives a value of DeepSeek's. In the order of `paths`.
 */
export function selectFiles(sources: Sources, paths: readonly string[]): readonly Selected[] {
  const look = sources.look ?? lookAtTexts(sources, paths);
  const chosen = new Map<string, Selected["why"]>();
  for (const path of look.mentioning) if (sources.read(path) !== undefined) chosen.set(path, "mentions DeepSeek");
  if (chosen.size === 0) return [];
  addImporters(sources, look, chosen);
  addReadersOf(variablesSet(sources, [...look.mentioning]), sources, paths, chosen);
  return paths.flatMap((path) => {
    const why = chosen.get(path);
    return why ? [{ path, why }] : [];
  });
}

/**
 * Follows imports up from the files that matter. What imports one of them, or imports it from a file that hands it on,
 * is taken; what lies further up only where it speaks of models or requests.
 */
function addImporters(sources: Sources, look: Look, chosen: Map<string, Selected["why"]>): void {
  const roots = [...chosen.keys()].filter((path) => isImportable(path, sources));
  // files through which a root's own names can be reached
  const passing = new Set(roots);
  for (let fresh = new Set(roots); fresh.size > 0; ) {
    const stems = new Set([...fresh].flatMap(stemsOf));
    const bare = bareNamesOf(fresh);
    const next = new Set<string>();
    const importers = [...look.importers(stems, (file) => peekAt(sources, file))].flatMap(({ path, specifiers }) => {
      const found = chosen.has(path) ? undefined : importedFrom(path, specifiers, fresh, bare, sources);
      return found ? [{ path, ...found }] : [];
    });
    const counts = new Map<string, number>();
    for (const { target } of importers) counts.set(target, (counts.get(target) ?? 0) + 1);
    for (const { path, target, text } of importers) {
      const isScript = readerOf(path)?.name === "typescript";
      // what everything imports is no table of models, but a package's index or its constants
      if (counts.get(target)! > mostImporters) {
        if (!makesRequests.test(text)) continue;
      } else if (!passing.has(target) && !(isScript ? aboutModels : asksModels).test(text)) continue;
      chosen.set(path, `imports ${target}`);
      next.add(path);
      if (passing.has(target) && (isScript ? handsOn.test(text) : isIndex(path, text))) passing.add(path);
    }
    fresh = next;
  }
}

/** A file that more than this many import is one of which most of them want something else. */
const mostImporters = 60;

/** Words of which code that makes a request, or prepares one for another file, has at least one. */
const aboutModels =
  /model|message|completion|chat|prompt|openai|anthropic|llm|base_?url|api_?key|fetch|axios|temperature|max_?tokens|generate|stream/i;
/**
 * The same for Python, where everything imports everything: what a request, a client or a call that passes the
 * parameters of one has.
 */
const asksModels =
  /\b(?:model(?:_name|_id)?|temperature|max_(?:completion_|output_)?tokens|tool_choice|response_format|base_url|api_base|api_key)["']?\s*[=:]|\b(?:completions|messages|responses)\.(?:create|parse|stream)\b|\breasoning_content\b/;
/** What code has that makes a client or a request itself. */
const makesRequests =
  /\b(?:completions|messages|responses)\.(?:create|parse|stream)\b|\b(?:Async)?(?:Azure)?(?:OpenAI|Anthropic)\(|\bChat(?:OpenAI|DeepSeek)\b|\ba?completion\(|\bcreate(?:OpenAI|DeepSeek|OpenAICompatible)\b|\b(?:generate|stream)(?:Text|Object)\(|\bfetch\(|\b(?:axios|requests|httpx|session)\.(?:post|request)\(/;
/** A package's index, or a module that only takes things in: what it imports can be imported from it. */
function isIndex(path: string, text: string): boolean {
  return /(?:^|\/)__init__\.pyi?$/.test(path) || !/^(?:async[ \t]+)?(?:def|class)[ \t]/m.test(text);
}
/** A script that may export what it imports. */
const handsOn = /\bexport\s*(?:\*|\{|default\b)|\bexports\b/;

/** The one of some files that another imports, and the other's text; undefined where it imports none of them. */
function importedFrom(
  path: string,
  specifiers: readonly string[],
  files: ReadonlySet<string>,
  bare: ReadonlySet<string>,
  sources: Sources,
): { readonly target: string; readonly text: string } | undefined {
  const reader = readerOf(path);
  if (!reader?.resolve) return undefined;
  const isScript = reader.name === "typescript";
  // read only where a specifier does mean one of them
  let text: string | undefined;
  let values: ReadonlySet<string> | undefined;
  for (const specifier of specifiers) {
    if (isScript && !mayMean(path, specifier, bare)) continue;
    const target = reader.resolve(sources, path, specifier);
    if (target === undefined || !files.has(target)) continue;
    text ??= sources.read(path);
    if (text === undefined) return undefined;
    values ??= new Set(reader.imports?.(withoutTypeImports(text)));
    if (values.has(specifier)) return { target, text };
  }
  return undefined;
}

/** Types bring no value with them, so nothing that a rule rests on. */
function withoutTypeImports(text: string): string {
  return /\b(?:import|export)\s+type\b/.test(text)
    ? text.replace(/\b(?:import|export)\s+type\s[^"';]*?\bfrom\s*["'][^"'\n]+["']/g, "")
    : text;
}

/** Can other files take anything of DeepSeek's from this one? Not where only comments speak of it. */
function isImportable(path: string, sources: Sources): boolean {
  const reader = readerOf(path);
  if (!reader?.imports) return false;
  if (reader.name !== "typescript") return true;
  const text = sources.read(path) ?? "";
  return /\bexports?\b/.test(text) && mentionsDeepSeek(text.replace(wholeLineComments, ""));
}

/** Comments that begin a line: whatever stands before one on its line may be a string with `//` in it. */
const wholeLineComments = /^[ \t]*(?:\/\/[^\n]*|\/\*(?:[^*]|\*(?!\/))*\*\/)/gm;

function peekAt(sources: Sources, path: string): string | undefined {
  return sources.peek ? sources.peek(path) : sources.read(path);
}

/** Adds code that reads one of some environment variables. */
function addReadersOf(
  variables: ReadonlyMap<string, string>,
  sources: Sources,
  paths: readonly string[],
  chosen: Map<string, Selected["why"]>,
): void {
  if (variables.size === 0) return;
  const read = new RegExp(`\\b(?:${[...variables.keys()].join("|")})\\b`);
  for (const path of paths) {
    if (chosen.has(path) || !readerOf(path)?.imports) continue;
    const variable = read.exec(peekAt(sources, path) ?? "")?.[0];
    if (variable) chosen.set(path, `reads ${variable}, set in ${variables.get(variable)}`);
  }
}

/** Environment variables that files of settings give a value of DeepSeek's, each with the file. */
function variablesSet(sources: Sources, mentioning: readonly string[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const path of mentioning) {
    if (!isSettings(path)) continue;
    for (const name of variablesThatMatter(sources.read(path) ?? "")) if (!found.has(name)) found.set(name, path);
  }
  return found;
}

/** Configuration, shell and container files: all that are read and are neither code with imports nor prose. */
function isSettings(path: string): boolean {
  const reader = readerOf(path);
  return reader !== undefined && !reader.imports && !/\.(mdx?|ipynb|rst|txt|html?)$/i.test(path);
}

/**
 * Names in a text of settings that are given a value which mentions DeepSeek: `NAME=value`, `NAME: value`,
 * `"NAME": "value"`, and a Kubernetes `name:` with its `value:` on the next line. Names that mention it themselves are
 * left out: who reads those mentions it too.
 */
export function variablesThatMatter(text: string): readonly string[] {
  const direct =
    /^[ \t]*(?:-[ \t]*)?(?:export |set |ENV |ARG )?[ \t]*["']?([A-Z][A-Z0-9_]{2,})["']?[ \t]*[:= ][^\n]*/gm;
  const paired = /\bname:[ \t]*["']?([A-Z][A-Z0-9_]{2,})["']?[ \t]*\r?\n[ \t]*value:[^\n]*/g;
  const names = [...text.matchAll(direct), ...text.matchAll(paired)].flatMap(([whole, name]) =>
    mentionsDeepSeek(whole) && !mentionsDeepSeek(name!) ? [name!] : [],
  );
  return [...new Set(names)];
}

/** A look that is fed with one file after the other. */
export interface Looking extends Look {
  /** Takes in a file, of which only the ASCII characters are trusted; true where it mentions DeepSeek. */
  add(path: string, text: string, reader?: Reader): boolean;
}

/**
 * Starts a look. What files import is noted from the first hit in code on, each specifier once, so that no text is
 * kept; the files before it are read again if it ever comes to that. A repository without a hit is only searched for
 * the word.
 */
export function startLook(): Looking {
  const mentioning = new Set<string>();
  const noted = startNotes();
  const early: string[] = [];
  let hasHit = false;
  return {
    mentioning,
    add(path, text, reader = readerOf(path)) {
      if (mentionsDeepSeek(text)) {
        mentioning.add(path);
        hasHit ||= reader?.imports !== undefined;
        return true;
      }
      if (!reader?.imports) return false;
      if (hasHit) noted.add(path, text, reader);
      else early.push(path);
      return false;
    },
    importers(stems, read) {
      for (const path of early.splice(0)) {
        const text = read(path);
        if (text !== undefined) noted.add(path, text, readerOf(path)!);
      }
      return noted.importers(stems);
    },
  };
}

/** What files import, as pairs of numbers: tens of thousands of files import a few thousand different specifiers. */
function startNotes() {
  const ids = new Map<string, number>();
  const specifiers: { readonly text: string; readonly stems: readonly string[] }[] = [];
  const files: string[] = [];
  const importer: number[] = [];
  const imported: number[] = [];
  const add = (specifier: string): void => {
    let id = ids.get(specifier);
    if (id === undefined) {
      id = specifiers.length;
      // a slice would keep the whole text it was cut from
      ids.set(` ${specifier}`.slice(1), id);
      const text = asUtf8(` ${specifier}`.slice(1));
      specifiers.push({ text, stems: stemsOfSpecifier(text) });
    }
    importer.push(files.length);
    imported.push(id);
  };
  return {
    add(path: string, text: string, reader: Reader): void {
      if (reader.name === "typescript") importSpans(text, (start, end) => add(text.slice(start, end)));
      else for (const specifier of reader.imports!(text)) add(specifier);
      files.push(path);
    },
    /** Files with a specifier that has one of some stems, with these specifiers. */
    importers(
      stems: ReadonlySet<string>,
    ): readonly { readonly path: string; readonly specifiers: readonly string[] }[] {
      const wanted = specifiers.map((specifier) => specifier.stems.some((stem) => stems.has(stem)));
      const found = new Map<number, string[]>();
      imported.forEach((id, index) => {
        if (!wanted[id]) return;
        const file = importer[index]!;
        const known = found.get(file);
        if (known) known.push(specifiers[id]!.text);
        else found.set(file, [specifiers[id]!.text]);
      });
      return [...found].map(([file, list]) => ({ path: files[file]!, specifiers: list }));
    },
  };
}

/** A specifier out of UTF-8 bytes that were read as Latin-1; as it is where it was read right. */
function asUtf8(text: string): string {
  let isAscii = true;
  for (let index = 0; index < text.length; index += 1) {
    const code = text.charCodeAt(index);
    if (code > 0xff) return text;
    isAscii &&= code < 0x80;
  }
  if (isAscii) return text;
  try {
    return decodeURIComponent(escapedBytes(text));
  } catch {
    // no UTF-8
    return text;
  }
}

const escapedBytes = (text: string): string =>
  [...text].map((letter) => `%${letter.charCodeAt(0).toString(16).padStart(2, "0")}`).join("");

function lookAtTexts(sources: Sources, paths: readonly string[]): Look {
  const look = startLook();
  for (const path of paths) {
    const text = peekAt(sources, path);
    if (text !== undefined) look.add(path, text);
  }
  return look;
}

const codeEnding = /\.(?:[cm]?[jt]sx?|pyi?|ipynb|vue|svelte|astro)$/;

/** Last part of a path without its ending. */
function stemOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1).replace(codeEnding, "");
}

/** Names a file may be imported by: an index file goes by the name of its folder too. */
function stemsOf(path: string): readonly string[] {
  const stem = stemOf(path);
  if (stem !== "index" && stem !== "__init__") return [stem];
  return [stem, ".", "..", "", stemOf(path.slice(0, Math.max(0, path.lastIndexOf("/"))))];
}

/** What an import names, by which most are ruled out: `./llm.js` and `app.llm` both may mean a file `llm`. */
function stemsOfSpecifier(specifier: string): readonly string[] {
  const stem = stemOf(specifier);
  const dot = stem.lastIndexOf(".");
  return dot > 0 || (dot === 0 && stem.length > 1) ? [stem, stem.slice(dot + 1)] : [stem];
}
