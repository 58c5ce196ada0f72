import type { Protocol } from "../endpoints/target.js";
import { type Behaviour, type Fault, faultOf } from "./behaviour.js";
import { anthropicDialect, openaiDialect } from "./dialects.js";
import type { Exchange } from "./exchange.js";
import type { Pacer } from "./pacer.js";
import { play, type Ticket } from "./play.js";
import type { PrefixCache } from "./prefixes.js";
import type { Served } from "./served.js";

const paths: Readonly<Record<string, Protocol>> = {
  "/chat/completions": "chat",
  "/v1/chat/completions": "chat",
  "/beta/chat/completions": "chat",
  "/completions": "completions",
  "/v1/completions": "completions",
  "/beta/completions": "completions",
  "/anthropic/v1/messages": "anthropic",
  "/v1/messages": "anthropic",
};

/** A model of the server with what it remembers between requests. */
export interface Model {
  readonly name: string;
  readonly behaviour: Behaviour;
  readonly cache: PrefixCache | null;
  requests: number;
  /** How many got a status instead of an answer. */
  refused: number;
  active: number;
  readonly queue: (() => void)[];
}

/** What answers need of the server they belong to. */
export interface Surroundings {
  readonly models: ReadonlyMap<string, Model>;
  readonly key: string | undefined;
  readonly now: () => number;
  readonly paced: Pacer;
  readonly record: (served: Served) => void;
}

/** What is said at once: an error, or the list of models. */
interface Reply {
  readonly status: number;
  readonly body: object;
}

interface Asked {
  readonly protocol: Protocol;
  readonly model: Model;
  readonly body: Readonly<Record<string, unknown>>;
}

const problem = (status: number, message: string, code: string): Reply => ({
  status,
  body: { error: { message, type: code, param: null, code } },
});

/** Answers a request, now or in its time. */
export function answer(exchange: Exchange, surroundings: Surroundings): void {
  const received = surroundings.now();
  const asked = understand(exchange, surroundings);
  if ("status" in asked) sendJson(exchange, asked);
  else serve(asked, received, exchange, surroundings);
}

function sendJson(exchange: Exchange, { status, body }: Reply, headers: Readonly<Record<string, string>> = {}): void {
  const bytes = Buffer.from(JSON.stringify(body));
  exchange.head(status, { "Content-Type": "application/json", ...headers }, bytes.length);
  exchange.end(bytes);
}

function understand(exchange: Exchange, { models, key }: Surroundings): Asked | Reply {
  const path = exchange.path.replace(/\?.*/, "");
  const { authorization, "x-api-key": apiKey } = exchange.headers;
  if (key !== undefined && authorization !== `Bearer ${key}` && apiKey !== key) {
    return problem(401, "Authentication Fails (no such user)", "authentication_error");
  }
  if (exchange.method === "GET" && (path === "/models" || path === "/v1/models")) {
    const data = [...models.keys()].map((id) => ({ id, object: "model", owned_by: "golden" }));
    return { status: 200, body: { object: "list", data } };
  }
  const protocol = exchange.method === "POST" ? paths[path] : undefined;
  if (protocol === undefined) return problem(404, "Not Found", "not_found");
  const body = parseBody(exchange.body);
  if (body === null) return problem(400, "Failed to parse the request body as JSON", "invalid_request_error");
  const model = models.get(String(body["model"]));
  if (model === undefined) return problem(400, "Model Not Exist", "invalid_request_error");
  return { protocol, model, body };
}

function faultFor({ behaviour }: Model, number: number, header: string | undefined): Fault | null {
  const asked = header === undefined ? null : faultOf(header);
  if (asked !== null || behaviour.fault === null) return asked;
  return number % behaviour.fault.every === behaviour.fault.every - 1 ? behaviour.fault.fault : null;
}

function serve(
  { protocol, model, body }: Asked,
  received: number,
  exchange: Exchange,
  { now, paced, record }: Surroundings,
): void {
  const number = model.requests++;
  // completions know neither reasoning nor tools
  const behaviour =
    protocol === "completions" ? { ...model.behaviour, reasoningTokens: 0, toolCall: null } : model.behaviour;
  const fault = faultFor(model, number, exchange.headers["x-fault"]);
  const prompt = promptOf(body);
  const cachedCharacters = model.cache?.hit(prompt) ?? null;
  const input = Math.ceil(prompt.length / 4);
  const cached = cachedCharacters === null ? null : Math.floor(cachedCharacters / 4);
  const served: Served = {
    model: model.name,
    prompt,
    protocol,
    http: exchange.http,
    connection: exchange.connection,
    turn: exchange.turn,
    streamed: body["stream"] === true,
    fault: fault?.kind ?? null,
    received,
    began: received,
    events: [],
    firstAnswer: null,
    ended: null,
    status: null,
    input,
    cached,
    tokens: 0,
    tokenEvents: 0,
    gone: false,
  };
  record(served);
  if (fault?.kind === "status" && (fault.times === null || model.refused < fault.times)) {
    model.refused += 1;
    served.status = fault.status;
    served.ended = now();
    const after: Record<string, string> = fault.retryAfter === null ? {} : { "Retry-After": String(fault.retryAfter) };
    sendJson(exchange, problem(fault.status, `refused with ${fault.status}`, "refused"), after);
    return;
  }
  const maxTokens = body["max_tokens"] ?? body["max_completion_tokens"];
  const options = body["stream_options"] as { include_usage?: unknown } | undefined;
  const id = `golden-${number}`;
  enter(model, {
    exchange,
    served,
    now,
    paced,
    order: {
      behaviour,
      dialect:
        protocol === "anthropic"
          ? anthropicDialect(id, model.name, { input, cached, output: 0, reasoning: 0 })
          : openaiDialect(id, model.name, behaviour.cachedFields, protocol === "completions"),
      fault,
      number,
      maxTokens: typeof maxTokens === "number" ? maxTokens : null,
      // the other protocol always tells
      usageAsked: protocol === "anthropic" || options?.include_usage === true,
      input,
      cached,
      factor: () => 1 + behaviour.slowdown * Math.max(0, model.active - 1),
    },
  });
}

/** Waits for a place, plays the answer, and lets the next one in. */
function enter(model: Model, ticket: Ticket): void {
  const begin = (): void => {
    model.active += 1;
    play(ticket, () => {
      model.active -= 1;
      model.queue.shift()?.();
    });
  };
  if (model.behaviour.concurrency === null || model.active < model.behaviour.concurrency) begin();
  else {
    model.queue.push(begin);
    ticket.exchange.gone = () => {
      ticket.served.gone = true;
      model.queue.splice(model.queue.indexOf(begin), 1);
    };
  }
}

function parseBody(bytes: Buffer): Readonly<Record<string, unknown>> | null {
  try {
    const value: unknown = JSON.parse(bytes.toString());
    return typeof value === "object" && value !== null ? (value as Readonly<Record<string, unknown>>) : null;
  } catch {
    return null;
  }
}

function promptOf(body: Readonly<Record<string, unknown>>): string {
  const { system, messages, prompt } = body;
  const texts: unknown[] = [
    system,
    ...(Array.isArray(messages) ? messages.map((one) => (one as { content?: unknown })?.content) : [prompt]),
  ];
  return texts
    .filter((text) => text !== undefined)
    .map((text) => (typeof text === "string" ? text : JSON.stringify(text)))
    .join("\n");
}
