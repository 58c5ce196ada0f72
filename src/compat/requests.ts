import { clients } from "./clients.js";
import type { ObjectShape, Parameter, Primitive, Request } from "./facts.js";
import { isCurrentId, isRetiredAlias, ownName } from "./models.js";
import type { Severity } from "./rule.js";

/** The models a request may ask for, without the prefix that a framework puts before the official API's own names. */
export function modelsOf({ model, host }: Request): readonly Primitive[] {
  return (model?.candidates ?? []).map(({ value }) => ownName(value, host.host) as Primitive);
}

/** Do all ids a request may ask for belong to the official API, of today or retired? */
export function asksOwnModels(request: Request): boolean {
  const ids = modelsOf(request);
  return ids.length > 0 && ids.every((id) => isRetiredAlias(id) || isCurrentId(id));
}

/** A parameter and the object it stands in; no object where that is used elsewhere too. */
export interface Placed {
  readonly parameter: Parameter;
  readonly holder: ObjectShape | undefined;
}

/**
 * Everything a request tells the API, wherever its client keeps it: beside the model, in an object of settings, or in
 * the one for fields the client does not know.
 */
export function settingsOf(request: Request): readonly Placed[] {
  let placed = settings.get(request);
  if (!placed) {
    placed = readSettings(request);
    settings.set(request, placed);
  }
  return placed;
}

/** Nearly every rule asks for the settings of every request. */
const settings = new WeakMap<Request, readonly Placed[]>();

function readSettings(request: Request): readonly Placed[] {
  const { body, settings: own, isPlain } = clients[request.client];
  const ways = [[], own, ...(isPlain ? [["extra_body"]] : []), body];
  const seen = new Set<string>();
  return ways
    .flatMap((path) => placedAt(request, path))
    .filter(({ parameter: { place } }) => {
      const key = `${place.file}:${place.start}`;
      return !seen.has(key) && seen.add(key);
    });
}

function placedAt(request: Request, path: readonly string[]): readonly Placed[] {
  let level: { parameters: readonly Parameter[]; holder: ObjectShape | undefined; sure: boolean } = {
    parameters: request.parameters,
    holder: request.object,
    sure: true,
  };
  for (const name of path) {
    const next = level.parameters.find((parameter) => parameter.name === name);
    if (!next?.parameters) return [];
    const holder = level.holder && next.direct ? next.object : undefined;
    level = { parameters: next.parameters, holder, sure: level.sure && next.sure };
  }
  return level.parameters.map((parameter) => ({
    parameter: level.sure ? parameter : { ...parameter, sure: false },
    holder: parameter.direct ? level.holder : undefined,
  }));
}

/** A parameter by the API's name or that of a wrapper: `tool_choice`, `toolChoice`. */
export function settingOf(request: Request, pattern: RegExp): Placed | undefined {
  return settingsOf(request).find(({ parameter }) => pattern.test(parameter.name));
}

/** Does a request fill in the middle or complete a prompt (`POST /completions`), not a chat? */
export function isFim(request: Request): boolean {
  const has = (name: string) => request.parameters.some((parameter) => parameter.name === name);
  if (has("messages")) return false;
  if (/(^|\.)completions\.(create|stream)$/.test(request.endpoint))
    return !/(^|\.)chat\.completions\./.test(request.endpoint);
  const urls = request.baseUrl?.candidates.map(({ value }) => String(value)) ?? [];
  if (urls.some((url) => /\/completions\/?$/.test(url)))
    return urls.every((url) => !/\/chat\/completions\/?$/.test(url));
  return has("prompt") && has("suffix");
}

/** Is it asked in the manner of Anthropic's API, whose endpoint maps unknown names instead of refusing them? */
export function isAnthropic({ client }: Request): boolean {
  return client === "anthropic" || client === "anthropic-python";
}

/**
 * Is DeepSeek's own API asked, as far as this can be told: the official host, or a host that is not known and nothing
 * but names of that API? Its Anthropic endpoint is another matter.
 */
export function asksDeepSeek(request: Request): boolean {
  if (isAnthropic(request)) return false;
  return request.host.host === "official" || (request.host.host === "unknown" && asksOwnModels(request));
}

/** A warning where only the name of the model says who is asked, and the rule's own severity where the host does. */
export function severityOf({ host }: Request): { readonly severity?: Severity } {
  return host.host === "official" ? {} : { severity: "warning" };
}
