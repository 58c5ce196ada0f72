/** A request of a probe and what came back; nothing of its headers is kept. */
export interface Exchange {
  readonly id: string;
  readonly method: "GET" | "POST";
  /** Below the base URL: `/chat/completions`, `/beta/completions`. */
  readonly path: string;
  readonly body?: Readonly<Record<string, unknown>>;
  /** HTTP status; 0 where no answer came. */
  readonly status: number;
  /** Body of the answer, cut to `mostCharacters`; for status 0 the reason. */
  readonly response: string;
}

/** What a probe saw, schema deepseek-compat/probe@1. Enough to draw the same matrix again without the endpoint. */
export interface Recording {
  readonly schema: "deepseek-compat/probe@1";
  readonly baseUrl: string;
  readonly model: string;
  /** Day of the probe: YYYY-MM-DD. */
  readonly date: string;
  readonly exchanges: readonly Exchange[];
}

const mostCharacters = 16_384;

/** An answer as it may be kept: short, and without the key. */
export function keepable(text: string, secrets: readonly string[]): string {
  const plain = secrets
    .filter((secret) => secret.length > 0)
    .reduce((all, secret) => all.replaceAll(secret, "[redacted]"), text);
  return plain.replace(/\b(sk|key|hf)[-_][\w-]{12,}/g, "[redacted]").slice(0, mostCharacters);
}

/** Reads a recording; undefined where the text is none. */
export function parseRecording(text: string): Recording | undefined {
  let content: unknown;
  try {
    content = JSON.parse(text);
  } catch {
    return undefined;
  }
  const { schema, baseUrl, model, date, exchanges } = record(content);
  if (schema !== "deepseek-compat/probe@1" || typeof baseUrl !== "string" || !URL.canParse(baseUrl)) return undefined;
  if (typeof model !== "string" || typeof date !== "string" || !Array.isArray(exchanges)) return undefined;
  return exchanges.every(isExchange) ? { schema, baseUrl, model, date, exchanges } : undefined;
}

function isExchange(value: unknown): value is Exchange {
  const { id, method, path, status, response, body } = record(value);
  return (
    typeof id === "string" &&
    (method === "GET" || method === "POST") &&
    typeof path === "string" &&
    typeof status === "number" &&
    typeof response === "string" &&
    (body === undefined || (typeof body === "object" && body !== null))
  );
}

/** An object's properties; none where it is no object. */
export function record(value: unknown): Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value) ? (value as Record<string, unknown>) : {};
}

/** What is compared of base URLs: the same host and folder, however `/v1`, `/beta` and slashes are written. */
export function bareUrl(url: string): string {
  if (!URL.canParse(url)) return url;
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname
    .replace(/\/+$/, "")
    .replace(/\/(chat\/completions|completions|responses|messages)$/, "")
    .replace(/\/(v1|beta|anthropic)$/, "")}`;
}
