import {
  type NewDiagnostic,
  needsTypes,
  type TypeFiles,
  type TypeReport,
  type Verifier,
  withoutSecrets,
} from "../fix/verify.js";
import { markupFile } from "../sources.js";
import { loadMorph, loadTypeScript, type ts } from "./typescript-compiler.cjs";

/** Packages whose types decide whether a fix of this program compiles. */
const clientPackages =
  /^(openai|ai|axios|@ai-sdk\/.*|@langchain\/.*|langchain(\/.*)?|@anthropic-ai\/.*|@llamaindex\/.*|llamaindex)$/;

/** One tsconfig with its program, kept from check to check. */
interface Checked {
  readonly name: string;
  readonly options: ts.CompilerOptions;
  program: ts.Program | undefined;
}

interface Diagnostic {
  readonly file: string;
  readonly line: number;
  readonly code: number;
  readonly message: string;
}

/** A verifier that checks changed files with the compiler's own checker; one program a tsconfig. */
export function createTypeVerifier(files: TypeFiles): Verifier {
  const configs = new Map<string, Checked | undefined>();
  const parsed = new Map<string, { readonly text: string; readonly source: ts.SourceFile }>();
  let loaded: ts.ModuleResolutionHost | undefined;
  const libraries = (): ts.ModuleResolutionHost => {
    loaded ??= new (loadMorph().Project)({ useInMemoryFileSystem: true }).getModuleResolutionHost();
    return loaded;
  };
  const overlay = new Map<string, string | undefined>();

  const absolute = (path: string) =>
    path.startsWith("/") || /^[A-Za-z]:\//.test(path) ? path : join(files.root, path);
  const shown = (path: string) => (path.startsWith(`${files.root}/`) ? path.slice(files.root.length + 1) : path);
  const read = (path: string): string | undefined =>
    overlay.has(path)
      ? overlay.get(path)
      : path.startsWith(libraryFolder)
        ? libraries().readFile!(path)
        : files.readFile(path);

  const configOf = (path: string): Checked | undefined => {
    const config = nearestConfig(path, files);
    if (config === undefined) return undefined;
    if (!configs.has(config)) configs.set(config, readConfig(config, files, shown(config)));
    return configs.get(config);
  };

  const hostOf = (options: ts.CompilerOptions): ts.CompilerHost => ({
    getSourceFile(name, languageVersion) {
      const text = read(name);
      if (text === undefined) return undefined;
      const known = parsed.get(name);
      if (known?.text === text) return known.source;
      const source = loadTypeScript().createSourceFile(name, text, languageVersion);
      parsed.set(name, { text, source });
      return source;
    },
    getDefaultLibFileName: () => `${libraryFolder}/${loadTypeScript().getDefaultLibFileName(options)}`,
    getDefaultLibLocation: () => libraryFolder,
    writeFile: () => {},
    getCurrentDirectory: () => files.root,
    getCanonicalFileName: (name) => name,
    useCaseSensitiveFileNames: () => true,
    getNewLine: () => "\n",
    fileExists: (name) =>
      overlay.get(name) !== undefined ||
      (name.startsWith(libraryFolder) ? libraries().fileExists(name) : files.fileExists(name)),
    readFile: read,
    directoryExists: (name) => files.directoryExists(name),
    getDirectories: (name) => [...files.directories(name)],
    realpath: (name) => files.realPath(name),
  });

  const diagnosticsOf = (config: Checked, paths: readonly string[]): readonly Diagnostic[] => {
    const host = hostOf(config.options);
    const program = loadTypeScript().createProgram({
      rootNames: paths.map(absolute),
      options: config.options,
      host,
      ...(config.program ? { oldProgram: config.program } : {}),
    });
    config.program = program;
    return paths.flatMap((path) => {
      const source = program.getSourceFile(absolute(path));
      if (!source) return [];
      return [...program.getSyntacticDiagnostics(source), ...program.getSemanticDiagnostics(source)].map(
        ({ start, code, messageText }): Diagnostic => ({
          file: path,
          line: source.getLineAndCharacterOfPosition(start ?? 0).line + 1,
          code,
          message: loadTypeScript().flattenDiagnosticMessageText(messageText, " ").replace(/\s+/g, " "),
        }),
      );
    });
  };

  return {
    check(before, after, beside = []): TypeReport {
      const checked = new Map<string, string>();
      const unchecked = new Map<string, string>();
      const groups = new Map<Checked, string[]>();
      for (const file of after.keys()) {
        if (markupFile.test(file)) {
          unchecked.set(file, "type checks do not reach into files with markup");
          continue;
        }
        if (!/\.[cm]?[jt]sx?$/.test(file)) continue;
        const found = nearestConfig(absolute(file), files);
        if (found === undefined) {
          if (needsTypes(file)) unchecked.set(file, "no tsconfig.json was found, so types were not checked");
          continue;
        }
        // the compiler takes long to load, and most settings check no JavaScript
        if (!needsTypes(file) && !mayCheckScripts(found, files)) continue;
        const config = configOf(absolute(file));
        if (!config) {
          if (needsTypes(file)) unchecked.set(file, "no tsconfig.json was found, so types were not checked");
          continue;
        }
        if (!needsTypes(file) && !config.options.checkJs) continue;
        groups.set(config, [...(groups.get(config) ?? []), file]);
      }
      // what an earlier check tried is not there any more
      for (const path of overlay.keys()) overlay.set(path, before(shown(path)));
      const diagnostics: NewDiagnostic[] = [];
      for (const [config, paths] of groups) {
        setTexts(
          overlay,
          paths.map((path) => [absolute(path), before(path)]),
        );
        const others = beside.filter(
          (path) => !after.has(path) && !markupFile.test(path) && configOf(absolute(path)) === config,
        );
        const all = [...paths, ...new Set(others)];
        const old = diagnosticsOf(config, all);
        const missing = missingPackage(config, paths.map(absolute), hostOf(config.options));
        if (missing) {
          for (const path of paths)
            unchecked.set(path, `the types of ${missing} are not installed, so types were not checked`);
          continue;
        }
        setTexts(
          overlay,
          paths.map((path) => [absolute(path), after.get(path)]),
        );
        diagnostics.push(...newOnes(old, diagnosticsOf(config, all)));
        for (const path of paths) checked.set(path, config.name);
      }
      return { diagnostics, checked, unchecked };
    },
  };
}

const libraryFolder = "/node_modules/typescript/lib";

function join(root: string, path: string): string {
  const parts = root.split("/");
  for (const part of path.split("/")) {
    if (part === "..") parts.pop();
    else if (part !== "." && part !== "") parts.push(part);
  }
  return parts.join("/");
}

function setTexts(
  overlay: Map<string, string | undefined>,
  texts: readonly (readonly [string, string | undefined])[],
): void {
  for (const [path, text] of texts) overlay.set(path, text);
}

function nearestConfig(path: string, files: TypeFiles): string | undefined {
  for (let folder = path; folder.includes("/"); ) {
    folder = folder.slice(0, folder.lastIndexOf("/"));
    const config = `${folder}/tsconfig.json`;
    if (files.fileExists(config)) return config;
  }
  return undefined;
}

/** Files followed from one tsconfig.json to what it extends. */
const mostExtends = 8;

/** May a tsconfig have JavaScript checked? By a look at its text and at what it extends; true where that is not sure. */
function mayCheckScripts(path: string, files: TypeFiles, depth = 0): boolean {
  const text = files.readFile(path);
  // an escape may hide a name, and a reference leads to other settings
  if (text === undefined || depth > mostExtends || /checkJs|references|\\/i.test(text)) return true;
  const extended = [...text.matchAll(/"extends"\s*:\s*("[^"\n]*"|\[[^\]]*\])/g)].map(([, value]) => value!);
  if (extended.length < text.split("extends").length - 1) return true;
  const folder = path.slice(0, path.lastIndexOf("/"));
  return extended
    .flatMap((value) => value.match(/"[^"]*"/g) ?? [])
    .some((quoted) => {
      const target = join(folder, quoted.slice(1, -1));
      const file = quoted.startsWith('".') && [target, `${target}.json`].find((one) => files.fileExists(one));
      return !file || mayCheckScripts(file, files, depth + 1);
    });
}

/** The options of a tsconfig; for one that only refers to others those of the first that is there. */
function readConfig(path: string, files: TypeFiles, name: string): Checked | undefined {
  const read = (file: string) => files.readFile(file);
  const folder = path.slice(0, path.lastIndexOf("/"));
  const { config } = loadTypeScript().readConfigFile(path, read) as {
    config?: { files?: unknown[]; references?: { path?: unknown }[] };
  };
  if (!config) return undefined;
  if (Array.isArray(config.references) && Array.isArray(config.files) && config.files.length === 0) {
    for (const { path: to } of config.references) {
      if (typeof to !== "string") continue;
      const target = join(folder, to);
      const other = target.endsWith(".json") ? target : `${target}/tsconfig.json`;
      if (other !== path && files.fileExists(other))
        return readConfig(other, files, name.replace(/[^/]*$/, other.slice(folder.length + 1)));
    }
  }
  // the files it includes are not asked for: only those that a fix touches are checked
  const host: ts.ParseConfigHost = {
    useCaseSensitiveFileNames: true,
    readDirectory: () => [],
    fileExists: (file) => files.fileExists(file),
    readFile: read,
  };
  const { options } = loadTypeScript().parseJsonConfigFileContent(config, host, folder, undefined, path);
  return {
    name,
    options: {
      ...options,
      noEmit: true,
      skipLibCheck: true,
      composite: false,
      incremental: false,
      ignoreDeprecations: "6.0",
    },
    program: undefined,
  };
}

/** A client's package that some file, or one that it imports, asks for and that has no types here. */
function missingPackage(
  { program, options }: Checked,
  paths: readonly string[],
  host: ts.CompilerHost,
): string | undefined {
  const seen = new Set<string>();
  const queue = [...paths];
  for (let path = queue.pop(); path !== undefined; path = queue.pop()) {
    if (seen.has(path)) continue;
    seen.add(path);
    const source = program?.getSourceFile(path);
    if (!source || source.isDeclarationFile) continue;
    for (const { fileName: specifier } of loadTypeScript().preProcessFile(source.text, true, true).importedFiles) {
      const { resolvedModule } = loadTypeScript().resolveModuleName(specifier, path, options, host);
      const isTyped = resolvedModule !== undefined && /\.[cm]?tsx?$/.test(resolvedModule.resolvedFileName);
      if (clientPackages.test(specifier) && !isTyped) return specifier;
      if (resolvedModule && !resolvedModule.isExternalLibraryImport) queue.push(resolvedModule.resolvedFileName);
    }
  }
  return undefined;
}

/** What the second list has more often than the first; lines may have moved. */
function newOnes(old: readonly Diagnostic[], now: readonly Diagnostic[]): readonly NewDiagnostic[] {
  const key = ({ file, code, message }: Diagnostic) => `${file}\n${code}\n${message}`;
  const counts = new Map<string, number>();
  for (const one of old) counts.set(key(one), (counts.get(key(one)) ?? 0) + 1);
  return now.flatMap((one) => {
    const left = counts.get(key(one)) ?? 0;
    counts.set(key(one), left - 1);
    if (left > 0) return [];
    return [{ file: one.file, line: one.line, message: withoutSecrets(`TS${one.code}: ${one.message}`) }];
  });
}
