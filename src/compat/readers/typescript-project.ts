import { resolveSpecifier, type Sources } from "../sources.js";
import { ts } from "./typescript-compiler.cjs";
import { type Module, parseModule } from "./typescript-scopes.js";
import { isConstantFunction } from "./typescript-syntax.js";

/** The modules of a scan, parsed when they are asked for. They are many: those not asked for lately are let go. */
export interface Project {
  /** The module of a file, parsed now if need be; undefined where the file cannot be read. */
  module(file: string): Module | undefined;
  /** The file a specifier means, seen from another; undefined for packages. Parses nothing. */
  linked(from: string, specifier: string): string | undefined;
  /** The module a specifier means, seen from another; undefined for packages. */
  imported(from: Module, specifier: string): Module | undefined;
  /** The modules, of all that were parsed so far, that name a file in an import or export. */
  importersOf(file: string): Iterable<Module>;
  /** Does a file, parsed before, export a function or class of its own by this name? */
  declares(file: string, name: string): boolean;
  /** A file of those to read is done: nothing of the trees is held any more. */
  done(file: string): void;
}

/** Modules that were parsed to be judged, kept for the scan that most likely follows. */
const judged = new Map<string, Module>();
const mostJudged = 64;

/** Parses what a file may become. */
export function parseAhead(file: string, text: string): Module {
  const module = parseModule(file, text);
  if (judged.size >= mostJudged) judged.clear();
  judged.set(file, module);
  return module;
}

/** Syntax errors of a parsed file. */
export function syntaxErrors(module: Module): readonly ts.DiagnosticWithLocation[] {
  // not in the public types, but what every program reports as syntactic diagnostics
  return (module.source as unknown as { parseDiagnostics: ts.DiagnosticWithLocation[] }).parseDiagnostics;
}

/**
 * Characters of code whose trees are kept at a time, of files that are still to be read and of all others: a tree takes
 * some twenty bytes for each.
 */
const mostPending = 8_000_000;
const mostKept = 1_000_000;
/** Characters of code whose trees were let go, after which it is worth while to have the memory collected. */
const worthTidying = 2_000_000;

/** What is known of a file once it was parsed. */
interface Parsed {
  module: Module | undefined;
  readonly length: number;
  /** Names by which it exports functions and classes of its own. */
  readonly declared: ReadonlySet<string>;
  /** What its imports and exports name. */
  readonly specifiers: readonly string[];
  /** One of the files to read, and whether that is still to come. */
  isToRead: boolean;
  pending: boolean;
  /** When it was asked for last, counted in files that are done. */
  used: number;
}

/** Who looks at modules as they come and go. */
export interface Watcher {
  /** A file that is to be read was parsed; this is told of all of them before anything is asked. */
  parsed(module: Module): void;
  /** The tree of one of these is let go. */
  left(module: Module, linked: Project["linked"]): void;
}

/** A project over the files to read. */
export function createProject(sources: Sources, paths: readonly string[], watcher: Watcher): Project {
  const files = new Map<string, Parsed>();
  const links = new Map<string, string | undefined>();
  let time = 0;
  let kept = 0;
  let pending = 0;
  let dropped = 0;
  const parse = (file: string, known: Parsed | undefined): Module | undefined => {
    const text = sources.read(file);
    if (text === undefined) return undefined;
    const ready = judged.get(file);
    judged.delete(file);
    const module = ready?.text === text ? ready : parseModule(file, text);
    if (known) known.module = module;
    else {
      const specifiers = specifiersOf(module.source);
      const declared = declaredIn(module);
      files.set(file, {
        module,
        length: text.length,
        declared,
        specifiers,
        isToRead: false,
        pending: false,
        used: time,
      });
    }
    kept += known?.length ?? text.length;
    return module;
  };
  const module = (file: string): Module | undefined => {
    const known = files.get(file);
    if (known) known.used = time;
    return known?.module ?? parse(file, known);
  };
  const linked = (from: string, specifier: string): string | undefined => {
    const key = `${from}\n${specifier}`;
    if (!links.has(key)) links.set(key, resolveSpecifier(sources, from, specifier));
    return links.get(key);
  };
  const letGo = (one: Parsed): void => {
    if (one.isToRead && one.module) watcher.left(one.module, linked);
    kept -= one.length;
    dropped += one.length;
    one.module = undefined;
  };
  for (const path of paths) {
    const parsed = files.has(path) ? undefined : module(path);
    if (!parsed) continue;
    watcher.parsed(parsed);
    const known = files.get(path)!;
    known.isToRead = true;
    if (pending + known.length > mostPending) letGo(known);
    else {
      pending += known.length;
      kept -= known.length;
      known.pending = true;
    }
  }
  return {
    module,
    linked,
    imported(from, specifier) {
      const file = linked(from.file, specifier);
      return file === undefined ? undefined : module(file);
    },
    *importersOf(file) {
      for (const [from, { specifiers }] of files) {
        const one = specifiers.some((specifier) => linked(from, specifier) === file) ? module(from) : undefined;
        if (one) yield one;
      }
    },
    declares: (file, name) => files.get(file)?.declared.has(name) ?? false,
    done(file) {
      const own = files.get(file);
      if (own?.pending) {
        own.pending = false;
        pending -= own.length;
        kept += own.length;
      }
      if (kept > mostKept) {
        // what the file itself needed stays for the next: the two most likely import the same
        const old = [...files.values()].filter((one) => one.module && !one.pending && one.used < time);
        old.sort((a, b) => a.used - b.used);
        for (const one of old) {
          if (kept <= mostKept / 2) break;
          letGo(one);
        }
        if (dropped > worthTidying) {
          dropped = 0;
          sources.tidy?.();
        }
      }
      time += 1;
    },
  };
}

function specifiersOf(source: ts.SourceFile): readonly string[] {
  const found = new Set<string>();
  for (const statement of source.statements) {
    const specifier =
      (ts.isImportDeclaration(statement) || ts.isExportDeclaration(statement)) && statement.moduleSpecifier;
    if (specifier && ts.isStringLiteral(specifier)) found.add(specifier.text);
  }
  return [...found];
}

/** Names by which a file exports functions and classes of its own. */
function declaredIn({ source, exports }: Module): ReadonlySet<string> {
  const own = new Set<string>();
  for (const statement of source.statements) {
    if (ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement)) own.add(statement.name?.text ?? "");
    if (!ts.isVariableStatement(statement)) continue;
    for (const one of statement.declarationList.declarations) {
      if (ts.isIdentifier(one.name) && isConstantFunction(one)) own.add(one.name.text);
    }
  }
  const names = [...exports].flatMap(([name, target]) =>
    target.kind === "declaration" || (target.kind === "local" && own.has(target.name)) ? [name] : [],
  );
  return new Set(names);
}
