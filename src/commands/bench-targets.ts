import type { Protocol, Target } from "../bench/endpoints/target.js";
import { type ThinkingSwitch, thinkingBody } from "../bench/workload/presets.js";
import type { Host, Options } from "../cli.js";
import { UserError } from "../errors.js";

const protocols: readonly Protocol[] = ["chat", "completions", "anthropic"];
const usage = "write it as <label>=<url>,model=<id>, for example new=https://api.deepseek.com,model=deepseek-flash";

/** What an endpoint may say beside its address, as it is written. */
interface Words {
  model?: string;
  protocol?: string;
  "key-env"?: string;
  http2?: string;
  stream?: string;
  thinking?: string;
}

const known = [
  "model",
  "protocol",
  "key-env",
  "http2",
  "stream",
  "thinking",
] as const satisfies readonly (keyof Words)[];

/** The variable that holds the key of an official host; a key is never sent anywhere unasked. */
function usualKey(url: URL): string | undefined {
  return url.protocol === "https:" && url.hostname === "api.deepseek.com" ? "DEEPSEEK_API_KEY" : undefined;
}

/** How a host is told to think; servers one runs oneself (vLLM, SGLang) take it in their chat template. */
function thinkingOf({ hostname, port, pathname }: URL): ThinkingSwitch {
  if (/(^|\.)deepseek\.com$/.test(hostname) || /\/anthropic(\/|$)/.test(pathname)) return "thinking.type";
  if (/(^|\.)openrouter\.ai$/.test(hostname)) return "reasoning.enabled";
  if (/(^|\.)(siliconflow\.(cn|com)|aliyuncs\.com)$/.test(hostname)) return "enable_thinking";
  return port === "11434" ? "think" : "chat_template_kwargs.thinking";
}

/** The targets of all --endpoint options, with --header, --body and --no-stream laid over them. */
export function targetsOf(host: Host, options: Options): readonly Target[] {
  const texts = options["endpoint"] as readonly string[];
  const usualThinking = options["preset"] === "reasoning" ? "on" : undefined;
  const targets = texts.map((text) => targetOf(host, text, options["stream"] !== false, usualThinking));
  const labels = targets.map(({ label }) => label);
  const twice = labels.find((label, at) => labels.indexOf(label) !== at);
  if (twice !== undefined) throw new UserError(`--endpoint ${twice}=...: this label is given twice; choose another`);
  const headers = ((options["header"] as readonly string[] | undefined) ?? []).map((text) =>
    headerOf(host, text, labels),
  );
  const bodies = ((options["body"] as readonly string[] | undefined) ?? []).map((text) => bodyOf(text, labels));
  const forOne =
    (label: string) =>
    (one: { readonly label: string | undefined }): boolean =>
      one.label === undefined || one.label === label;
  return targets.map((target) => ({
    ...target,
    headers: Object.fromEntries(headers.filter(forOne(target.label)).map(({ name, value }) => [name, value])),
    body: Object.assign({ ...target.body }, ...bodies.filter(forOne(target.label)).map(({ body }) => body)),
  }));
}

function targetOf(host: Host, text: string, stream: boolean, usualThinking: "on" | undefined): Target {
  const [first = "", ...rest] = text.split(",");
  const refuse = (problem: string): never => {
    throw new UserError(`--endpoint ${shown(text)}: ${problem}`);
  };
  const labelled = /^([^=:/?#]+)=(.*)$/.exec(first);
  const address = labelled?.[2] ?? first;
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (!url || !/^https?:$/.test(url.protocol)) return refuse(usage);
  if (url.username || url.password) return refuse("leave user and password out; name the key's variable with key-env=");
  const words: Words = {};
  for (const part of rest) {
    const at = part.indexOf("=");
    const name = part.slice(0, Math.max(0, at)).trim();
    const key = known.find((one) => one === name);
    if (!key) {
      const what = name === "" ? "a part without a name" : `"${name.slice(0, 20)}="`;
      return refuse(`${what} is not known; it takes ${known.join(", ")}`);
    }
    words[key] = part.slice(at + 1).trim();
  }
  const protocol = (words.protocol ?? (/\/anthropic(\/|$)/.test(url.pathname) ? "anthropic" : "chat")) as Protocol;
  if (!protocols.includes(protocol)) return refuse(`protocol=${protocol}: it is one of ${protocols.join(", ")}`);
  const { model, http2 = "auto", stream: streams = stream ? "on" : "off", thinking = usualThinking } = words;
  if (!model) return refuse(`model= is missing; ${usage}`);
  if (http2 !== "auto" && http2 !== "on" && http2 !== "off") return refuse("http2= is one of auto, on, off");
  if (streams !== "on" && streams !== "off") return refuse("stream= is one of on, off");
  if (thinking !== undefined && thinking !== "on" && thinking !== "off") return refuse("thinking= is one of on, off");
  const variable = words["key-env"] ?? usualKey(url);
  // a key in its place must not be printed
  if (variable !== undefined && !/^[A-Z_][A-Z0-9_]{0,63}$/i.test(variable)) {
    return refuse("key-env= takes the name of an environment variable, not the key itself");
  }
  const key = variable === undefined ? undefined : host.env[variable];
  if (variable !== undefined && !key) {
    return refuse(
      `the environment variable ${variable} is not set; it must hold the key (another one: key-env=<name>)`,
    );
  }
  const label = labelled?.[1]?.trim() || model;
  return {
    label,
    url: address.replace(/\/+$/, ""),
    protocol,
    model,
    key,
    headers: {},
    body: thinking === undefined ? {} : thinkingBody(thinkingOf(url), thinking === "on"),
    stream: streams === "on",
    http2,
  };
}

/** An endpoint as messages show it, without its fields: they and a query may hold a key. */
function shown(text: string): string {
  return shownUrl(text.replace(/,.*/s, ",...").replace(/\/\/[^/@,]*@/, "//...@"));
}

/** An address as reports and messages show it: its query may hold a key. */
export function shownUrl(url: string): string {
  return url.replace(/[?#].*/s, "?...");
}

/** Extra fields of requests as reports show them: texts under names of secrets are masked. */
export function shownBody(body: Readonly<Record<string, unknown>>): Readonly<Record<string, unknown>> {
  const masked = (name: string, value: unknown) =>
    typeof value === "string" && /key|token|secret|passw|auth|credential|cookie/i.test(name) ? "***" : value;
  return JSON.parse(JSON.stringify(body, masked)) as Readonly<Record<string, unknown>>;
}

/** A text's label, where it begins with one of the endpoints', and the rest. */
function forLabel(text: string, mark: string, labels: readonly string[]) {
  const label = labels.find((one) => text.startsWith(`${one}${mark}`));
  return { label, rest: label === undefined ? text : text.slice(label.length + mark.length).trim() };
}

function headerOf(host: Host, text: string, labels: readonly string[]) {
  const { label, rest } = forLabel(text, ":", labels);
  const at = rest.indexOf(":");
  const name = rest.slice(0, Math.max(0, at)).trim();
  if (!/^[\w!#$%&'*+.^`|~-]+$/.test(name)) {
    // not shown: it may hold the secret
    throw new UserError(
      `--header: write it as "<name>: <value>" or "<label>:<name>: <value>"; secrets as "<name>: env:<variable>"`,
    );
  }
  const written = rest.slice(at + 1).trim();
  const variable = /^env:(\w+)$/.exec(written)?.[1];
  const value = variable === undefined ? written : host.env[variable];
  if (value === undefined) throw new UserError(`--header ${name}: the environment variable ${variable} is not set`);
  if (/[\r\n\0]/.test(value)) throw new UserError(`--header ${name}: its value holds a line break`);
  return { label, name: name.toLowerCase(), value };
}

function bodyOf(text: string, labels: readonly string[]) {
  const { label, rest } = forLabel(text, "=", labels);
  let body: unknown;
  try {
    body = JSON.parse(rest);
  } catch {
    body = undefined;
  }
  if (typeof body === "object" && body !== null && !Array.isArray(body)) {
    return { label, body: body as Readonly<Record<string, unknown>> };
  }
  throw new UserError(
    `--body${label === undefined ? "" : ` ${label}=...`}: it must be a JSON object such as {"thinking":{"type":"enabled"}}, for one endpoint with <label>= before it`,
  );
}
