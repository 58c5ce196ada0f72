import type { Facts, FileFacts, HostName, HostVerdict, Parameter, Place, Request } from "./facts.js";
import { hostOfEnvironment, hostOfPackage, hostOfUrl } from "./host.js";

/** Requests that go to the official API, surely or probably. */
export function officialRequests(facts: Facts): readonly Request[] {
  return facts.files.flatMap(({ requests }) => requests.filter(({ host }) => host.host === "official"));
}

/** Is the value, as far as it is known, one string or number, sent in every case? */
export function onlyValue(parameter: Parameter | undefined): string | number | boolean | undefined {
  const [first, ...others] = parameter?.value.candidates ?? [];
  return first && others.length === 0 && !first.partial ? first.value : undefined;
}

/** URLs a request may go to, of which the end is known. Empty where none is known, or another may take its place. */
export function knownUrls({ baseUrl }: Request): readonly string[] {
  if (!baseUrl || baseUrl.open || baseUrl.environment.length > 0) return [];
  const urls = baseUrl.candidates.map(({ value }) => String(value));
  return urls.every((url) => !url.endsWith("…")) ? urls : [];
}

const quiet: readonly HostName[] = ["unknown", "other", "self-hosted"];
const verdicts = new WeakMap<FileFacts, HostVerdict | undefined>();

/**
 * The verdict of a file for code that names no host itself (an error handler, a price table): the official API, where
 * all its requests go there or, in a file without requests, where nothing speaks of another host. Never `certain`.
 */
export function officialFile(file: FileFacts): HostVerdict | undefined {
  if (!verdicts.has(file)) verdicts.set(file, judge(file));
  return verdicts.get(file);
}

function judge(file: FileFacts): HostVerdict | undefined {
  const [request] = file.requests;
  if (request) {
    if (file.requests.some(({ host }) => host.host !== "official")) return undefined;
    return {
      host: "official",
      certainty: "possible",
      evidence: `the requests in the same file: ${request.host.evidence}`,
    };
  }
  const found = new Map<HostName, string>();
  const note = (host: HostName | undefined, words: string) => {
    if (host && !quiet.includes(host) && !found.has(host)) found.set(host, words);
  };
  const urls = [
    ...file.literals.map(({ value }) => value),
    ...file.settings.map(({ value }) => String(value)),
    ...file.commands.flatMap(({ words }) => words.map(({ text }) => text)),
  ];
  for (const url of urls) if (/^\s*(https?:)?\/\//.test(url)) note(hostOfUrl(url.trim()), `"${url.slice(0, 80)}"`);
  for (const { from } of file.calls) if (from) note(hostOfPackage(from.package), `the package ${from.package}`);
  for (const { host } of [...file.calls, ...file.mentions, ...file.numbers]) note(host.host, host.evidence);
  for (const [name] of file.text.matchAll(/\b[A-Z][A-Z0-9_]{4,60}\b/g)) note(hostOfEnvironment(name), name);
  const words = found.get("official");
  if (words === undefined || found.size > 1) return undefined;
  return { host: "official", certainty: "possible", evidence: `${words} in the same file` };
}

/** Lies a place within another? */
export function isWithin(inner: Place, outer: Place): boolean {
  return inner.file === outer.file && outer.start <= inner.start && inner.end <= outer.end;
}
