import { UserError } from "../../errors.js";
import { protocols } from "./protocols/index.js";
import type { Target } from "./target.js";

/** Where the requests of a target go. */
export interface Address {
  readonly tls: boolean;
  /** As sockets want it: an IPv6 address without brackets. */
  readonly host: string;
  readonly port: number;
  /** As the Host header names it: the port only where it is not the usual one. */
  readonly authority: string;
  /** Path and query of the request. */
  readonly path: string;
  /** For messages: without user, password and query, which may be secrets. */
  readonly shown: string;
  /** `user:password` of the URL, decoded; null without. */
  readonly user: string | null;
  /** Values in the query, decoded. */
  readonly query: readonly string[];
}

/**
 * The full address for a base URL, joined as clients do: `https://api.deepseek.com` -> `/chat/completions`,
 * `http://host/v1` -> `/v1/chat/completions`, `.../anthropic` -> `/anthropic/v1/messages`. A full path given stays, and
 * so does a query.
 * @throws UserError for what is no http(s) URL
 */
export function addressOf(target: Pick<Target, "url" | "protocol" | "label">): Address {
  const url = URL.canParse(target.url) ? new URL(target.url) : null;
  if (url === null || (url.protocol !== "http:" && url.protocol !== "https:") || url.hostname === "") {
    throw new UserError(
      `Endpoint ${target.label}: not a URL of HTTP; give one such as https://api.deepseek.com or http://localhost:8000/v1`,
    );
  }
  const tls = url.protocol === "https:";
  const path = protocols[target.protocol].path(url.pathname.replace(/\/+$/, ""));
  const user = url.username === "" && url.password === "" ? null : `${decode(url.username)}:${decode(url.password)}`;
  return {
    tls,
    host: url.hostname.replace(/^\[(.*)\]$/, "$1"),
    port: url.port === "" ? (tls ? 443 : 80) : Number(url.port),
    authority: url.host,
    path: path + url.search,
    shown: url.origin + path,
    user,
    query: [...url.searchParams.values()],
  };
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
