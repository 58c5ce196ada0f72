import type { FileFacts } from "../facts.js";
import { importSpecifiers, resolveSpecifier, type Sources, scriptFile } from "../sources.js";
import { configReaders } from "./config-readers.js";
import { pythonImports, resolvePython } from "./python-imports.js";

/** A reader whose parser is loaded. */
export interface LoadedReader {
  /** Loads what the reading of these files takes beyond the reader itself; to be awaited before `read`. */
  prepare?(sources: Sources, paths: readonly string[]): Promise<void>;
  /** Reads files into facts. Never throws on broken input: its errors are among the facts. */
  read(sources: Sources, paths: readonly string[]): readonly FileFacts[];
  /** Number of syntax errors in a file's text (its own, not a view's); what a fix must not raise. */
  countSyntaxErrors(file: string, text: string): number;
}

/** A language: which files it takes and how they hang together. Its parser is loaded only where a file matters. */
export interface Reader {
  readonly name: string;
  handles(path: string): boolean;
  load(): Promise<LoadedReader>;
  /** Imports of a file, by a look at its text alone. */
  imports?(text: string): readonly string[];
  /** The file of the scan that an import means; undefined for packages. */
  resolve?(sources: Sources, from: string, specifier: string): string | undefined;
}

/** Every reader; the first that handles a file reads it. */
export const readers: readonly Reader[] = [
  {
    name: "typescript",
    handles: (path) => scriptFile.test(path),
    load: async () => {
      const { readTypeScript, countSyntaxErrors } = await import("./typescript.js");
      return { read: readTypeScript, countSyntaxErrors };
    },
    imports: importSpecifiers,
    resolve: resolveSpecifier,
  },
  {
    name: "python",
    handles: (path) => /\.(pyi?|ipynb)$/.test(path),
    load: async () => {
      const [{ loadPython }, { readPython }, { notebookView }] = await Promise.all([
        import("./python-tree.js"),
        import("./python.js"),
        import("./notebook.js"),
      ]);
      const parse = await loadPython();
      const viewOf = (path: string, text: string) => (path.endsWith(".ipynb") ? notebookView(text) : undefined);
      return {
        read: (sources, paths) => readPython(sources, paths, parse, viewOf),
        countSyntaxErrors: (file, text) => {
          const own = viewOf(file, text);
          return own?.error ? 1 : parse(file, own?.view.text ?? text).errors.length;
        },
      };
    },
    imports: pythonImports,
    resolve: resolvePython,
  },
  ...configReaders,
  {
    name: "markdown",
    handles: (path) => /\.(md|mdx|markdown|mdc)$/i.test(path),
    load: async () => (await import("./markdown.js")).createMarkdownReader(readerOf),
  },
];

/** Endings that alone decide which reader takes a file; the names of other files are looked at as a whole. */
const plainEnding =
  /^\.(?:[cm]?[jt]sx?|py|mdx?|json|map|png|jpe?g|gif|svg|webp|ico|woff2?|css|html|txt|mp[34]|pdf|zip|gz)$/;
/** Names that say what a file is whatever their ending: `.env.json`, `Dockerfile.txt`. */
const tellingName = /^(?:\.env|env\.|docker|container|(?:gnu)?make|proc)/i;
/** Readers by plain ending; null where a file is to be looked at as a whole. */
const byEnding = new Map<string, Reader | undefined | null>();

/** The reader of a file; undefined where none takes it. */
export function readerOf(path: string): Reader | undefined {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const dot = name.lastIndexOf(".");
  if (dot > 0 && !tellingName.test(name)) {
    const ending = name.slice(dot);
    let reader = byEnding.get(ending);
    if (reader === undefined && !byEnding.has(ending)) {
      reader = plainEnding.test(ending) ? readers.find((one) => one.handles(path)) : null;
      byEnding.set(ending, reader);
    }
    if (reader !== null) return reader;
  }
  return readers.find((one) => one.handles(path));
}
