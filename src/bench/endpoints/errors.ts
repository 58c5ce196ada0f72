import type { Address } from "./address.js";
import { errorOf, fieldsOf, messageOf } from "./protocols/protocol.js";
import type { ErrorKind } from "./record.js";
import type { Target } from "./target.js";

/** Why a request failed. */
export interface Failure {
  readonly kind: ErrorKind;
  readonly message: string;
}

/** What requests under way come to when their sender is closed. */
export const closedFailure: Failure = { kind: "cancelled", message: "the connections were closed" };

/** Most characters a message takes over from a server. */
const mostCharacters = 200;

const kinds: Readonly<Record<string, ErrorKind>> = {
  ECONNREFUSED: "refused",
  EHOSTUNREACH: "unreachable",
  ENETUNREACH: "unreachable",
  ENETDOWN: "unreachable",
  EHOSTDOWN: "unreachable",
  // no local address or port left, or none of that family
  EADDRNOTAVAIL: "unreachable",
  EAFNOSUPPORT: "unreachable",
  EACCES: "unreachable",
  EPERM: "unreachable",
  EMFILE: "unreachable",
  ENFILE: "unreachable",
  ENOBUFS: "unreachable",
  ETIMEDOUT: "connect-timeout",
};

const words: Readonly<Record<string, string>> = {
  EADDRNOTAVAIL: "no local port or address left to connect from",
  EMFILE: "too many open files in this process; raise `ulimit -n` or ask for fewer streams",
  ENFILE: "too many open files on this machine",
};

/** Host and port, for messages. */
export function placeOf({ host, port }: Address): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

function codeOf(error: unknown): string {
  const code = fieldsOf(error)["code"];
  return typeof code === "string" ? code : "";
}

/** Why no connection came about. `secured`: the TCP connection stood already, so that TLS failed. */
export function connectFailure(error: unknown, address: Address, secured: boolean): Failure {
  const code = codeOf(error);
  const place = placeOf(address);
  if (/^(ENOTFOUND|EAI_|ENODATA|ESERVFAIL)/.test(code)) {
    return { kind: "dns", message: `no address found for ${address.host} (${code})` };
  }
  if (secured) return { kind: "tls", message: `TLS with ${place}: ${tlsReason(error, code)}` };
  const kind = kinds[code] ?? "unreachable";
  const reason = words[code] ?? (kind === "refused" ? "connection refused" : "no connection");
  return { kind, message: `${place}: ${reason}${code === "" ? "" : ` (${code})`}` };
}

function tlsReason(error: unknown, code: string): string {
  if (code === "ECONNRESET" || code === "EPIPE") return "the server ended the connection during the handshake";
  if (/WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG|HTTP_REQUEST/.test(code))
    return `the server does not speak TLS (${code})`;
  const message = error instanceof Error ? error.message : String(error);
  // OpenSSL's messages carry a thread id and source lines
  const short = /:SSL routines:[^:]*:([^:]+):/.exec(message)?.[1] ?? message;
  return code === "" ? clip(short) : `${clip(short)} (${code})`;
}

/** Why a connection that stood ended before the answer did. */
export function lostFailure(error: unknown): Failure {
  const code = codeOf(error);
  return {
    kind: "reset",
    message: `the connection ended before the answer did${code === "" ? "" : ` (${code})`}`,
  };
}

/** An answer with a status that is not 2xx. `body` may be cut. */
export function statusFailure(status: number, headers: ReadonlyMap<string, string>, body: string): Failure {
  if (status >= 300 && status < 400) {
    const location = headers.get("location")?.replace(/\?.*/s, "");
    const place = location === undefined ? "elsewhere" : `to ${location}`;
    return { kind: "http-4xx", message: clip(`answered ${status}, redirected ${place}: redirects are not followed`) };
  }
  const kind: ErrorKind =
    status === 429
      ? "rate-limited"
      : status === 401 || status === 403
        ? "unauthorized"
        : status >= 500
          ? "http-5xx"
          : "http-4xx";
  const said = clip(serverMessage(body));
  return { kind, message: `status ${status}${said === "" ? "" : `: ${said}`}` };
}

/** The words of an error answer, or its beginning where it is none of the known forms. */
function serverMessage(body: string): string {
  let value: unknown;
  try {
    value = JSON.parse(body);
  } catch {
    return body.replace(/<(script|style)\b.*?<\/\1>/gis, " ").replace(/<[^>]*>/g, " ");
  }
  return errorOf(value) ?? messageOf(fieldsOf(value)) ?? body;
}

/** What an endpoint answered that is not of the protocol: the message that lets a user see what stands there. */
export function strangeAnswer(status: number, type: string | undefined, body: string): string {
  const start = clip(body, 120);
  return `answered with ${status} ${type ?? "no content type"}: ${start === "" ? "nothing" : start}`;
}

/** One line without control characters, cut. */
export function clip(text: string, most = mostCharacters): string {
  // a server's text may be megabytes long
  const line = text
    .slice(0, most * 8)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
    .replace(/[\s\u0000-\u001f\u007f-\u009f\u2028\u2029]+/g, " ")
    .trim();
  if (line.length <= most) return line;
  // no half of a surrogate pair at the end
  return `${line.slice(0, most - 3).replace(/[\ud800-\udbff]$/, "")}...`;
}

/** Takes the target's secrets out of a text: key, header values, password, values of the query. */
export function redactor(target: Pick<Target, "key" | "headers">, address: Address): (text: string) => string {
  const secrets = [target.key ?? "", ...Object.values(target.headers), ...address.query]
    .concat(address.user === null ? [] : [address.user, ...address.user.split(":")])
    .flatMap((value) => [value, value.replace(/^(bearer|basic)\s+/i, "")])
    .filter((value) => value.length >= 5)
    .sort((first, second) => second.length - first.length);
  return (text) => {
    let clean = text;
    for (const secret of secrets) clean = clean.replaceAll(secret, "***");
    return clean.replace(/\b(sk-|bearer\s+)[\w.~+/-]{6,}=*/gi, "$1***");
  };
}

/** Seconds a Retry-After header asks for: a number of seconds or a date; null without or for nonsense. */
export function retryAfter(headers: ReadonlyMap<string, string>, epochMilliseconds: number): number | null {
  const milliseconds = headers.get("retry-after-ms");
  if (milliseconds !== undefined && /^\d+(\.\d+)?$/.test(milliseconds)) return Number(milliseconds) / 1000;
  const value = headers.get("retry-after")?.trim();
  if (value === undefined || value === "") return null;
  if (/^\d+(\.\d+)?$/.test(value)) return Number(value);
  const date = Date.parse(value);
  return Number.isNaN(date) ? null : Math.max(0, (date - epochMilliseconds) / 1000);
}

/** Whether the same request may go better a moment later. */
export function passing(kind: ErrorKind): boolean {
  return ["rate-limited", "http-5xx", "reset", "refused", "unreachable", "connect-timeout", "dns"].includes(kind);
}
