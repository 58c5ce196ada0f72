import { positionAt } from "../lines.js";
import { type Signal, servicePackages, signalsOfCommand } from "./signals.js";

/** What a manifest says of the part of the repository it stands for. */
export interface Manifest {
  /** Folder; empty for the root of the repository. A file where no folder is meant. */
  readonly root: string;
  readonly name: string;
  /** In words: `package.json`, `service llm in docker-compose.yaml`. */
  readonly what: string;
  readonly signals: readonly Signal[];
  /** Only a holder of other packages. */
  readonly isContainer: boolean;
  /** The lines that speak of it, where its file speaks of others too. Counted from 1, both included. */
  readonly lines?: { readonly file: string; readonly first: number; readonly last: number };
}

type Yaml = typeof import("yaml");

const folderOf = (path: string): string => path.slice(0, Math.max(0, path.lastIndexOf("/")));
const nameOf = (path: string): string => path.slice(path.lastIndexOf("/") + 1);

/** Is this a file that declares a part of the repository? */
export function isManifest(path: string): boolean {
  const name = nameOf(path);
  return (
    /^(package\.json|pyproject\.toml|setup\.py|setup\.cfg|requirements[\w.-]*\.txt|Pipfile)$/.test(name) ||
    /^(Dockerfile.*|.*\.Dockerfile)$/.test(name) ||
    /\.ya?ml$/.test(name)
  );
}

/** The parts a manifest declares; none where it declares none or cannot be read. */
export async function readManifest(path: string, text: string): Promise<readonly Manifest[]> {
  const name = nameOf(path);
  if (name === "package.json") return packageJson(path, text);
  if (/Dockerfile/.test(name))
    return [part(folderOf(path), `${name} in ${folderOf(path) || "the root"}`, [], undefined)];
  if (/\.ya?ml$/.test(name))
    return /\b(services|kind|jobs):/.test(text) ? yamlManifests(await import("yaml"), path, text) : [];
  return pythonManifest(path, text);
}

function part(root: string, what: string, signals: readonly Signal[], name: string | undefined): Manifest {
  return { root, name: name || nameOf(root) || "the root", what, signals, isContainer: false };
}

function packageJson(path: string, text: string): readonly Manifest[] {
  let content: Record<string, unknown>;
  try {
    content = JSON.parse(text) as Record<string, unknown>;
  } catch {
    return [];
  }
  if (typeof content !== "object" || content === null) return [];
  const lineOf = (word: string) => positionAt(text, text.indexOf(`"${word}"`)).line;
  const dependencies = Object.keys(record(content["dependencies"]))
    .filter((one) => servicePackages.test(one))
    .map((one): Signal => ({ kind: "inference service", file: path, line: lineOf(one), what: `depends on ${one}` }));
  const scripts = Object.entries(record(content["scripts"])).flatMap(([name, command]) =>
    // what builds and tests a package does not say what it is there for
    /^(start|serve|dev|worker|train|eval)/.test(name) ? signalsOfCommand(String(command), path, lineOf(name)) : [],
  );
  const isLibrary = ["exports", "main", "module", "types"].some((key) => key in content);
  const library: readonly Signal[] = isLibrary
    ? [{ kind: "library", file: path, line: 1, what: "a package that others import" }]
    : [];
  const name = typeof content["name"] === "string" ? content["name"] : undefined;
  const one = part(folderOf(path), path, [...dependencies, ...scripts, ...library], name);
  return [{ ...one, isContainer: "workspaces" in content }];
}

function pythonManifest(path: string, text: string): readonly Manifest[] {
  const name = /^\s*name\s*=\s*["']?([\w.-]+)/m.exec(text)?.[1];
  const words = [...text.matchAll(/^[\s"']*([A-Za-z][\w.-]*)|["']([A-Za-z][\w.-]*)/gm)].map(
    (match) => match[1] ?? match[2]!,
  );
  const service = words.find((word) => servicePackages.test(word));
  const signals: readonly Signal[] = service
    ? [
        {
          kind: "inference service",
          file: path,
          line: positionAt(text, text.indexOf(service)).line,
          what: `depends on ${service}`,
        },
      ]
    : [];
  return [part(folderOf(path), path, signals, name)];
}

/** Compose files, Kubernetes manifests and workflow files. */
function yamlManifests(yaml: Yaml, path: string, text: string): readonly Manifest[] {
  if (text.length > 500_000) return [];
  let documents: readonly unknown[];
  try {
    documents = yaml
      .parseAllDocuments(text, { logLevel: "silent" })
      .map((one) => one.toJS({ maxAliasCount: 100 }) as unknown);
  } catch {
    return [];
  }
  return documents.flatMap((one) => {
    const content = record(one);
    if (/(^|\/)(docker-)?compose[^/]*$/.test(path)) return composeServices(path, text, content);
    if (/(^|\/)\.github\/workflows\//.test(path)) return workflow(path, text, content);
    return kubernetes(path, text, content);
  });
}

function composeServices(path: string, text: string, content: Record<string, unknown>): readonly Manifest[] {
  const services = Object.entries(record(content["services"]));
  const starts = services.map(([name]) => {
    const at = new RegExp(`^[ \\t]+["']?${escaped(name)}["']?[ \\t]*:`, "m").exec(text);
    return at ? positionAt(text, at.index).line : 1;
  });
  return services.flatMap(([name, one], index) => {
    const service = record(one);
    const line = starts[index]!;
    const last = Math.min(...starts.filter((start) => start > line), Number.MAX_SAFE_INTEGER) - 1;
    const lines = { file: path, first: line, last };
    const command = [service["image"], ...list(service["entrypoint"]), ...list(service["command"])].join(" ");
    const signals = signalsOfCommand(command, path, line);
    const what = `service ${name} in ${path}`;
    const build = record(service["build"])["context"] ?? service["build"];
    if (typeof build === "string") return [{ ...part(joined(folderOf(path), build), what, signals, undefined), lines }];
    return signals.length > 0 ? [{ ...part(path, what, signals, name), lines }] : [];
  });
}

function kubernetes(path: string, text: string, content: Record<string, unknown>): readonly Manifest[] {
  const kind = String(content["kind"] ?? "");
  if (!/^(Deployment|StatefulSet|DaemonSet|Job|CronJob|Pod|InferenceService|RayService)$/.test(kind)) return [];
  const name = record(content["metadata"])["name"];
  const line = positionAt(text, text.indexOf(`kind: ${kind}`)).line;
  const schedule = kind === "CronJob" ? [{ kind: "data pipeline" as const, file: path, line, what: "a CronJob" }] : [];
  const signals = [...signalsOfCommand(JSON.stringify(content).replaceAll('","', " "), path, line), ...schedule];
  return signals.length > 0 ? [part(path, `${kind} ${String(name)} in ${path}`, signals, String(name))] : [];
}

function workflow(path: string, text: string, content: Record<string, unknown>): readonly Manifest[] {
  const signals = Object.values(record(content["jobs"]))
    .flatMap((job) => list(record(job)["steps"]))
    .flatMap((step) => {
      const run = record(step)["run"];
      if (typeof run !== "string") return [];
      return signalsOfCommand(run, path, positionAt(text, text.indexOf(run.split("\n")[0] ?? run)).line);
    });
  // yaml 1.1 readers take "on" for true; this one does not
  const scheduled = "schedule" in record(content["on"]) && /deep_?seek/i.test(text);
  const timed = scheduled
    ? [
        {
          kind: "data pipeline" as const,
          file: path,
          line: positionAt(text, text.indexOf("schedule")).line,
          what: "runs by the clock",
        },
      ]
    : [];
  const all = signals.length > 0 ? signals : timed;
  return all.length > 0 ? [part(path, `workflow ${path}`, all, nameOf(path).replace(/\.ya?ml$/, ""))] : [];
}

const record = (value: unknown): Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
const list = (value: unknown): readonly unknown[] =>
  Array.isArray(value) ? value : value === undefined ? [] : [value];
const escaped = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");

function joined(folder: string, path: string): string {
  const parts: string[] = [];
  for (const one of `${folder}/${path}`.split("/")) {
    if (one === "..") parts.pop();
    else if (one !== "" && one !== ".") parts.push(one);
  }
  return parts.join("/");
}
