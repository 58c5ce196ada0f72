import { readerOf } from "../readers/index.js";
import type { Sources } from "../sources.js";
import { isManifest, type Manifest, readManifest } from "./manifests.js";
import { type ComponentKind, isTelling, kindByPath, type Signal, signalsOf } from "./signals.js";

/** A part of a repository that is built, run or released as one. */
export interface Component {
  readonly name: string;
  /** Its folder; empty for the root. A file where it is declared by one alone: `docker-compose.yaml`. */
  readonly root: string;
  readonly kind: ComponentKind;
  /** What says so: `services/api/package.json:8 depends on fastify`. */
  readonly evidence: readonly string[];
}

/** What a file is there for. */
export interface Role {
  readonly kind: ComponentKind;
  readonly component: Component | undefined;
  readonly evidence: string;
}

export interface Components {
  readonly components: readonly Component[];
  /** What a file is there for, or one line of a file that speaks of several components. */
  roleOf(file: string, line?: number): Role;
  /** Files after those they import, as far as imports are known. */
  inOrder(files: readonly string[]): readonly string[];
  /** How much was looked at. */
  readonly looked: { readonly files: number; readonly read: number; readonly manifests: number };
}

/** Code files read for signals; beyond it only manifests tell. */
const mostRead = 5000;
const mostCharacters = 400_000;

/** Kinds in the order in which they decide what a part with several is. */
const ranking: readonly ComponentKind[] = [
  "inference service",
  "serving",
  "training",
  "data pipeline",
  "evaluation",
  "library",
  "config",
  "test",
  "docs",
];

/** Finds the parts of a repository from what is declared and imported in it; `sources` lists all its files. */
export async function findComponents(sources: Sources): Promise<Components> {
  const texts = new Map<string, string>();
  const signals: Signal[] = [];
  const manifests: Manifest[] = [];
  let read = 0;
  for (const path of sources.paths) {
    const isCode = isTelling(path) && read < mostRead;
    if (!isCode && !isManifest(path)) continue;
    const text = sources.read(path);
    if (text === undefined || text.length > mostCharacters) continue;
    if (isManifest(path)) manifests.push(...(await readManifest(path, text)));
    if (!isCode) continue;
    read += 1;
    if (readerOf(path)?.imports) texts.set(path, text);
    if (kindByPath(path) === undefined) signals.push(...signalsOf(path, text));
  }
  const components = componentsOf(manifests, signals);
  const graph = importGraph(sources, texts);
  const served = reach(
    graph,
    signals.filter(({ kind }) => kind === "inference service").map(({ file }) => file),
  );
  return {
    components,
    looked: { files: sources.paths.length, read, manifests: manifests.length },
    roleOf: (file, line) => {
      const role = roleOf(file, components, signals, served);
      const own = manifests.filter(({ lines }) => lines?.file === file);
      if (own.length === 0) return role;
      const spoken = own.find(({ lines }) => line !== undefined && line >= lines!.first && line <= lines!.last);
      const component = components.find(
        ({ root, name }) => root === spoken?.root && (root !== file || name === spoken?.name),
      );
      return { ...role, component };
    },
    inOrder: (files) => inOrder(files, graph),
  };
}

function componentsOf(manifests: readonly Manifest[], signals: readonly Signal[]): readonly Component[] {
  const parts = new Map<string, { name: string; what: string[]; signals: Signal[]; isContainer: boolean }>();
  for (const { root, name, what, signals: own, isContainer } of manifests) {
    // several services in one compose file are parts of their own
    const key = /\.ya?ml$/.test(root) ? `${root}#${name}` : root;
    const part = parts.get(key) ?? { name, what: [], signals: [], isContainer };
    part.what.push(what);
    part.signals.push(...own);
    parts.set(key, part);
  }
  const folders = [...parts.keys()].filter((key) => !key.includes("#"));
  const strays = new Map<string, Signal[]>();
  for (const signal of signals) {
    const owner = ownerOf(signal.file, folders);
    const part = owner === undefined ? undefined : parts.get(owner);
    const folder = signal.file.slice(0, Math.max(0, signal.file.lastIndexOf("/")));
    const own = part && kindOf(part.signals);
    // a part of another kind in the root's folder stands on its own: training/ beside a service
    const isStray =
      owner === undefined ||
      part!.isContainer ||
      (owner === "" && own !== undefined && own !== signal.kind && own !== "library");
    if (isStray && folder !== "") strays.set(folder, [...(strays.get(folder) ?? []), signal]);
    else if (part) part.signals.push(signal);
    else parts.set("", { name: "the root", what: [], signals: [signal], isContainer: false });
  }
  for (const [folder, own] of strays) parts.set(folder, { name: folder, what: [], signals: own, isContainer: false });
  return [...parts]
    .filter(([, { isContainer, signals: own }]) => !isContainer || own.some(({ kind }) => kind !== "library"))
    .map(([key, { name, what, signals: own }]): Component => {
      const kind = kindOf(own) ?? "library";
      const reasons = own
        .filter((one) => one.kind === kind)
        .map(({ file, line, what: words }) => `${file}:${line} ${words}`);
      return { name, root: key.split("#")[0]!, kind, evidence: [...new Set([...what, ...reasons])].slice(0, 6) };
    })
    .sort((a, b) => (a.root < b.root ? -1 : a.root > b.root ? 1 : a.name < b.name ? -1 : 1));
}

function kindOf(signals: readonly Signal[]): ComponentKind | undefined {
  return ranking.find((kind) => signals.some((signal) => signal.kind === kind));
}

/** The deepest folder that holds a file. */
function ownerOf(file: string, folders: readonly string[]): string | undefined {
  return folders
    .filter((folder) => folder === "" || file === folder || file.startsWith(`${folder}/`))
    .reduce<string | undefined>(
      (best, one) => (best === undefined || one.length > best.length ? one : best),
      undefined,
    );
}

const configFile = /\.(ya?ml|jsonc?|toml|ini|cfg|properties|http)$|(^|\/)(\.env[^/]*|Dockerfile[^/]*)$/;

function roleOf(
  file: string,
  components: readonly Component[],
  signals: readonly Signal[],
  served: ReadonlyMap<string, string>,
): Role {
  const folder = ownerOf(
    file,
    components.map(({ root }) => root),
  );
  const component = components.find(({ root }) => root === folder);
  const found = (kind: ComponentKind, evidence: string): Role => ({ kind, component, evidence });
  const byPath = kindByPath(file);
  if (byPath) return found(byPath, "its name");
  const own = signals.filter((signal) => signal.file === file);
  // what a file does itself tells more than its surroundings
  const kind = [...ranking.slice(1), ranking[0]!].find((one) => own.some((signal) => signal.kind === one));
  const signal = own.find((one) => one.kind === kind);
  if (kind && signal) return found(kind, `line ${signal.line} ${signal.what}`);
  if (configFile.test(file)) return found("config", "its name");
  const server = served.get(file);
  if (server !== undefined) return found("inference service", `${server} imports it`);
  if (component) return found(component.kind, component.evidence.at(-1) ?? component.name);
  return found("library", "nothing says what it is there for");
}

/** Imports between the files that were read: file to those it imports. */
function importGraph(sources: Sources, texts: ReadonlyMap<string, string>): ReadonlyMap<string, readonly string[]> {
  const graph = new Map<string, readonly string[]>();
  for (const [file, text] of texts) {
    const reader = readerOf(file);
    const targets = (reader?.imports?.(text) ?? []).flatMap((one) => {
      const target = reader?.resolve?.(sources, file, one);
      return target === undefined ? [] : [target];
    });
    if (targets.length > 0) graph.set(file, targets);
  }
  return graph;
}

/** All files that some import, directly or through others, with the one that leads to them. */
function reach(graph: ReadonlyMap<string, readonly string[]>, from: readonly string[]): ReadonlyMap<string, string> {
  const found = new Map<string, string>();
  for (const start of from) {
    const waiting = [start];
    for (let file = waiting.pop(); file !== undefined; file = waiting.pop()) {
      for (const next of graph.get(file) ?? []) {
        if (found.has(next) || next === start) continue;
        found.set(next, start);
        waiting.push(next);
      }
    }
  }
  return found;
}

function inOrder(files: readonly string[], graph: ReadonlyMap<string, readonly string[]>): readonly string[] {
  const wanted = new Set(files);
  const done = new Set<string>();
  const order: string[] = [];
  const visit = (start: string): void => {
    // no recursion: chains of imports can be long
    const stack: { file: string; next: number }[] = [{ file: start, next: 0 }];
    done.add(start);
    while (stack.length > 0) {
      const top = stack.at(-1)!;
      const target = (graph.get(top.file) ?? [])[top.next];
      top.next += 1;
      if (target === undefined) {
        stack.pop();
        if (wanted.has(top.file)) order.push(top.file);
      } else if (!done.has(target)) {
        done.add(target);
        stack.push({ file: target, next: 0 });
      }
    }
  };
  for (const file of files) if (!done.has(file)) visit(file);
  return order;
}
