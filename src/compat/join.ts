import type { Candidate, FileFacts, HostVerdict, Parameter, Request, Setting, Value } from "./facts.js";
import { hostOfBaseUrl, unknownHost } from "./host.js";
import { positionAt } from "./lines.js";
import type { Sources } from "./sources.js";

/** Folders with one of these are packages of their own: what is set in one is not read in its neighbour. */
const manifests = ["package.json", "pyproject.toml", "setup.py", "requirements.txt"];

/**
 * Joins code with configuration: a value that comes from an environment variable gets, as possible values, what the
 * nearest `.env`, compose, Kubernetes or workflow files give the variable. A host that depends on such a URL follows.
 */
export function joinEnvironment(files: readonly FileFacts[], sources: Sources): readonly FileFacts[] {
  const settings = new Map<string, Given[]>();
  for (const file of files) {
    if (file.reportOnly) continue;
    for (const setting of file.settings) {
      if (!setting.isEnvironment || setting.isSecret || !isPlain(setting.value)) continue;
      settings.set(setting.name, [...(settings.get(setting.name) ?? []), { setting, file }]);
    }
  }
  if (settings.size === 0) return files;
  const join = createJoin(settings, sources);
  return files.map((file) => {
    if (file.requests.length === 0 || file.reportOnly) return file;
    const requests = file.requests.map((request) => joinedRequest(request, (value) => join(value, file.file)));
    return requests.every((request, index) => request === file.requests[index]) ? file : { ...file, requests };
  });
}

/** A setting and the file it stands in. */
interface Given {
  readonly setting: Setting;
  readonly file: FileFacts;
}

/** Nothing that leads to yet another variable. */
function isPlain(value: Setting["value"]): boolean {
  return value !== "" && !(typeof value === "string" && /[${]|<.*>/.test(value));
}

type Join = (value: Value, file: string) => Value;

function createJoin(settings: ReadonlyMap<string, readonly Given[]>, sources: Sources): Join {
  const packages = new Map<string, string>();
  const packageOf = (folder: string): string => {
    const known = packages.get(folder);
    if (known !== undefined) return known;
    const here = manifests.some((name) => sources.has(folder === "" ? name : `${folder}/${name}`));
    const found = here || folder === "" || folder === "/" ? folder : packageOf(parentOf(folder));
    packages.set(folder, found);
    return found;
  };
  const candidateOf = ({ setting, file }: Given, step: string | undefined): Candidate => {
    const place = { ...setting.place };
    const quote = file.text[place.start - 1];
    // a literal's place has its quotes in it
    if ((quote === '"' || quote === "'" || quote === "`") && file.text[place.end] === quote) {
      place.start -= 1;
      place.end += 1;
    }
    const own = `${setting.name}, ${file.file}:${positionAt(file.text, setting.place.start).line}`;
    return {
      value: setting.value,
      partial: false,
      place,
      path: step === undefined ? [own] : [step, own],
      environment: setting.name,
    };
  };
  return (value, file) => {
    const added = value.environment.flatMap((variable) => {
      const given = nearest(settings.get(variable) ?? [], file, packageOf);
      const step = value.candidates.find(({ environment, path }) => environment === variable && path.length > 0)
        ?.path[0];
      return given.map((one) => candidateOf(one, step));
    });
    const fresh = added.filter(
      ({ place }) => !value.candidates.some((old) => old.place.file === place.file && old.place.start === place.start),
    );
    if (fresh.length === 0) return value;
    return { ...value, certainty: "possible", candidates: [...value.candidates, ...fresh] };
  };
}

/** The settings nearest to a file: those whose folder shares most of its path, in its own package or above it. */
function nearest(given: readonly Given[], file: string, packageOf: (folder: string) => string): readonly Given[] {
  const folder = parentOf(file);
  let best = -1;
  let found: Given[] = [];
  for (const one of given) {
    if (one.file.file === file) continue;
    const own = parentOf(one.file.file);
    if (!isWithin(folder, packageOf(own))) continue;
    const shared = sharedDepth(folder, own);
    if (shared > best) found = [];
    if (shared < best) continue;
    best = shared;
    found.push(one);
  }
  return found;
}

function parentOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

function isWithin(folder: string, outer: string): boolean {
  return outer === "" || outer === "/" || folder === outer || folder.startsWith(`${outer}/`);
}

function sharedDepth(a: string, b: string): number {
  const [left, right] = [a.split("/"), b.split("/")];
  let depth = 0;
  while (depth < left.length && depth < right.length && left[depth] === right[depth]) depth += 1;
  return a === "" || b === "" ? 0 : depth;
}

function joinedRequest(request: Request, join: (value: Value) => Value): Request {
  const model = request.model && join(request.model);
  const baseUrl = request.baseUrl && join(request.baseUrl);
  const parameters = joinedParameters(request.parameters, join);
  const host = baseUrl && baseUrl !== request.baseUrl ? hostFrom(request.host, baseUrl) : request.host;
  if (
    model === request.model &&
    parameters === request.parameters &&
    host === request.host &&
    baseUrl === request.baseUrl
  )
    return request;
  const modelProperty = request.modelProperty && parameters[request.parameters.indexOf(request.modelProperty)];
  return {
    ...request,
    host,
    model,
    parameters,
    modelProperty: modelProperty ?? request.modelProperty,
    ...(baseUrl ? { baseUrl } : {}),
  };
}

/** Parameters with what their variables may be; the same list where nothing is added. */
function joinedParameters(parameters: readonly Parameter[], join: (value: Value) => Value): readonly Parameter[] {
  let changed = false;
  const joined = parameters.map((parameter) => {
    const value = asWritten(join(parameter.value), parameter.value);
    const inner = parameter.parameters && joinedParameters(parameter.parameters, join);
    const elements = parameter.elements && joinedParameters(parameter.elements, join);
    if (value === parameter.value && inner === parameter.parameters && elements === parameter.elements)
      return parameter;
    changed = true;
    return { ...parameter, value, ...(inner ? { parameters: inner } : {}), ...(elements ? { elements } : {}) };
  });
  return changed ? joined : parameters;
}

/** A variable's text as a number, where its default is one. */
function asWritten(value: Value, before: Value): Value {
  if (value === before || !before.candidates.some((one) => typeof one.value === "number")) return value;
  return {
    ...value,
    candidates: value.candidates.map((one) =>
      typeof one.value === "string" && one.value.trim() !== "" && !Number.isNaN(Number(one.value))
        ? { ...one, value: Number(one.value) }
        : one,
    ),
  };
}

/** The host of a URL that a variable gives: never more than `possible`. */
function hostFrom(before: HostVerdict, baseUrl: Value): HostVerdict {
  const verdict = hostOfBaseUrl({ ...baseUrl, certainty: "possible", open: true }, "base URL");
  if (!verdict) return before;
  if (verdict.host === "unknown") return { ...unknownHost, evidence: verdict.evidence };
  return verdict.host === before.host ? before : verdict;
}
