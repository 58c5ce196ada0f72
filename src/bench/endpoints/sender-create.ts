import { setMaxListeners } from "node:events";
import { UserError } from "../../errors.js";
import { type Address, addressOf } from "./address.js";
import { type Attempt, type AttemptSettings, attempt } from "./attempt.js";
import type { WireRequest } from "./carrier.js";
import { type Failure, passing, redactor, retryAfter } from "./errors.js";
import { Pool } from "./pool.js";
import { protocols } from "./protocols/index.js";
import type { Outcome } from "./record.js";
import type { Sender } from "./sender.js";
import type { Prompt, RequestLimits, Target } from "./target.js";
import { type CountTokens, outputTokensOf } from "./tokens.js";

/** What a sender may be given beside its target. */
export interface SenderOptions {
  /** Counts output tokens where the server does not. */
  readonly countTokens?: CountTokens;
  /** Certificates in PEM to trust beside those of the system. */
  readonly ca?: string;
}

/** Longest wait before a retry that the server did not ask for, in seconds. */
const longestBackoff = 8;

/**
 * Sends prompts to a target over connections of its own; see `Sender`. Environment variables that name proxies are not
 * looked at.
 * @throws UserError for a URL that is none, and for headers HTTP cannot carry
 */
export function createSender(
  target: Target,
  limits: RequestLimits,
  clock: { now(): number },
  options: SenderOptions = {},
): Sender {
  const address = addressOf(target);
  const row = protocols[target.protocol];
  const headers = headersOf(target, address);
  const now = (): number => clock.now();
  const redact = redactor(target, address);
  const pool = new Pool({ address, http2: target.http2, connectSeconds: limits.connectSeconds, ca: options.ca, now });
  const settings: AttemptSettings = { row, stream: target.stream, limits, redact, now };

  const signals = new WeakSet<AbortSignal>();

  async function send(prompt: Prompt, stop?: AbortSignal): Promise<Outcome> {
    if (stop !== undefined && !signals.has(stop)) {
      // a thousand requests under way listen to it
      signals.add(stop);
      setMaxListeners(0, stop);
    }
    const request: WireRequest = { headers, body: JSON.stringify(row.body(prompt, target)) };
    let retries = 0;
    let reconnected = false;
    let last = await attempt(pool, request, settings, false, stop);
    const firstSent = last.sent;
    for (;;) {
      if (last.untouched && !reconnected && stop?.aborted !== true) {
        // the server had closed a kept connection; that says nothing about how fast it answers
        reconnected = true;
        last = await attempt(pool, request, settings, true, stop);
        continue;
      }
      const wait = retries < limits.retries ? waitFor(last, retries, limits) : null;
      if (wait === null) break;
      if (!(await slept(wait, [stop, pool.stopped]))) {
        last = {
          ...last,
          failure: { kind: "cancelled", message: "cancelled while waiting to send again" },
          done: now(),
        };
        break;
      }
      retries += 1;
      last = await attempt(pool, request, settings, false, stop);
    }
    return outcomeOf(last, { target, firstSent, retries, reconnected, redact, countTokens: options.countTokens });
  }

  return { connect: (connections) => pool.connect(connections), send, close: () => pool.close() };
}

/** Seconds to wait before sending again; null where that is no use, or longer than a request may take. */
function waitFor(last: Attempt, retries: number, limits: RequestLimits): number | null {
  const { failure, head, reading } = last;
  if (failure === null || !passing(failure.kind) || (reading !== null && reading.events.length > 0)) return null;
  const asked = head === null ? null : retryAfter(head.headers, Date.now());
  if (asked !== null) return asked <= limits.totalSeconds ? asked : null;
  return Math.min(longestBackoff, 0.5 * 2 ** retries);
}

/** Whether the time went by before one of the signals came. */
function slept(seconds: number, stops: readonly (AbortSignal | undefined)[]): Promise<boolean> {
  if (stops.some((stop) => stop?.aborted === true)) return Promise.resolve(false);
  return new Promise((resolve) => {
    const end = (whole: boolean): void => {
      clearTimeout(timer);
      for (const stop of stops) stop?.removeEventListener("abort", cancel);
      resolve(whole);
    };
    const cancel = (): void => end(false);
    const timer = setTimeout(() => end(true), seconds * 1000);
    for (const stop of stops) stop?.addEventListener("abort", cancel, { once: true });
  });
}

interface Told {
  readonly target: Target;
  readonly firstSent: number;
  readonly retries: number;
  readonly reconnected: boolean;
  readonly redact: (text: string) => string;
  readonly countTokens: CountTokens | undefined;
}

function outcomeOf(last: Attempt, told: Told): Outcome {
  const { reading, failure } = last;
  const texts = reading === null ? [] : [reading.reasoning, reading.text, reading.tool];
  const usage = reading?.usage ?? null;
  return {
    sent: last.sent,
    firstSent: told.firstSent,
    firstByte: last.firstByte,
    events: reading?.events ?? [],
    firstAnswer: reading?.firstAnswer ?? null,
    done: last.done,
    streamed: reading?.streamed ?? told.target.stream,
    bytes: last.bytes,
    usage,
    ...outputTokensOf({
      usage,
      events: reading?.events.length ?? 0,
      texts,
      failed: failure !== null,
      countTokens: told.countTokens,
    }),
    firstEventTokens: reading?.firstEventTokens ?? null,
    finish: reading?.finish ?? null,
    status: last.head?.status ?? null,
    error: failure === null ? null : { kind: failure.kind, message: told.redact(failure.message) },
    retries: told.retries,
    protocol: told.target.protocol,
    http: last.http,
    reused: last.reused,
    ...(told.reconnected ? { reconnected: true } : {}),
    text: reading?.text ?? "",
    reasoning: reading?.reasoning ?? "",
  };
}

/** Headers of every request, names in lower case; those of the target win. */
function headersOf(target: Target, address: Address): Readonly<Record<string, string>> {
  const basic: Record<string, string> =
    address.user === null || target.key !== undefined
      ? {}
      : { authorization: `Basic ${Buffer.from(address.user).toString("base64")}` };
  const headers: Record<string, string> = {
    "content-type": "application/json",
    accept: target.stream ? "text/event-stream" : "application/json",
    // packed answers would arrive in lumps
    "accept-encoding": "identity",
    "user-agent": "deepseek-compat",
    ...protocols[target.protocol].headers(target.key),
    ...basic,
  };
  const framing = new Set([
    "host",
    "connection",
    "content-length",
    "transfer-encoding",
    "upgrade",
    "expect",
    "te",
    "trailer",
  ]);
  for (const [name, value] of Object.entries(target.headers)) {
    if (!/^[!#$%&'*+.^_`|~0-9a-z-]+$/i.test(name)) {
      throw new UserError(`Endpoint ${target.label}: ${JSON.stringify(name)} is no name of a header`);
    }
    if (framing.has(name.toLowerCase())) {
      throw new UserError(`Endpoint ${target.label}: the header ${name} is set by the client itself; leave it out`);
    }
    headers[name.toLowerCase()] = value;
  }
  for (const [name, value] of Object.entries(headers)) {
    if (!/^[\t\x20-\x7e]*$/.test(value)) {
      // the value may be a key
      throw new UserError(
        `Endpoint ${target.label}: the value of the header ${name} holds characters that headers cannot`,
      );
    }
  }
  return headers;
}

/** What a first answer says of an endpoint that does not speak the protocol, for a message; null where it may well do. */
export function notCompatible(outcome: Outcome): Failure | null {
  const { error, status } = outcome;
  if (error === null) return null;
  const strange = ["invalid-json", "malformed-sse", "malformed-http"].includes(error.kind);
  return strange || (error.kind === "http-4xx" && status !== null && [404, 405, 406, 415, 501].includes(status))
    ? error
    : null;
}
