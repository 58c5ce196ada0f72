import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";
import type { Sender } from "../../../src/bench/endpoints/sender.js";
import { createSender, type SenderOptions } from "../../../src/bench/endpoints/sender-create.js";
import type { Prompt, RequestLimits, Target } from "../../../src/bench/endpoints/target.js";

/** A request as the small server got it. */
export interface Got {
  readonly line: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readonly<Record<string, unknown>>;
  /** Which connection, and the how many-th request on it, from 0. */
  readonly connection: number;
  readonly turn: number;
}

export interface SmallServer {
  readonly url: string;
  readonly got: Got[];
  readonly connections: () => number;
  close(): Promise<void>;
}

/** Answers each request by a function that writes raw bytes to the socket. */
export async function smallServer(answer: (socket: Socket, got: Got) => void, tls?: TlsOptions): Promise<SmallServer> {
  const got: Got[] = [];
  const sockets = new Set<Socket>();
  let count = 0;
  const serve = (socket: Socket): void => {
    const connection = count++;
    let turn = 0;
    let held = Buffer.alloc(0);
    sockets.add(socket);
    socket.on("error", () => undefined);
    socket.on("close", () => sockets.delete(socket));
    socket.on("data", (bytes: Buffer) => {
      held = Buffer.concat([held, bytes]);
      for (;;) {
        const end = held.indexOf("\r\n\r\n");
        if (end < 0) return;
        const [line, ...lines] = held.toString("latin1", 0, end).split("\r\n");
        const headers = Object.fromEntries(lines.map((text) => text.split(/: ?(.*)/s).slice(0, 2)));
        const length = Number(headers["content-length"] ?? 0);
        if (held.length < end + 4 + length) return;
        const body = length === 0 ? {} : JSON.parse(held.toString("utf8", end + 4, end + 4 + length));
        held = held.subarray(end + 4 + length);
        const request = { line: line!, headers, body, connection, turn: turn++ };
        got.push(request);
        answer(socket, request);
      }
    });
  };
  const server: Server = tls === undefined ? createServer(serve) : createTlsServer(tls, serve);
  if (tls !== undefined) server.on("tlsClientError", () => undefined);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as { port: number };
  return {
    url: `${tls === undefined ? "http" : "https"}://127.0.0.1:${port}/v1`,
    got,
    connections: () => count,
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

export const prompt: Prompt = { id: "p1", messages: [{ role: "user", content: "hi" }], parameters: { max_tokens: 9 } };

const limits: RequestLimits = {
  connectSeconds: 2,
  totalSeconds: 5,
  idleSeconds: 2,
  bytes: 1_000_000,
  retries: 0,
};

export function targetOf(url: string, more: Partial<Target> = {}): Target {
  return {
    label: "t",
    url,
    protocol: "chat",
    model: "m",
    key: "sk-very-secret-key",
    headers: {},
    body: {},
    stream: true,
    http2: "auto",
    ...more,
  };
}

const clock = { now: (): number => performance.now() / 1000 };

export function senderOf(
  url: string,
  more: Partial<Target> = {},
  changed: Partial<RequestLimits> = {},
  options: SenderOptions = {},
): Sender {
  return createSender(targetOf(url, more), { ...limits, ...changed }, clock, options);
}

/** An event of a chat stream. */
export function event(delta: Readonly<Record<string, unknown>>, more: Readonly<Record<string, unknown>> = {}): string {
  const choice = { index: 0, delta, logprobs: null, finish_reason: null, ...more };
  const chunk = { id: "c1", object: "chat.completion.chunk", created: 1, model: "m", choices: [choice] };
  return `data: ${JSON.stringify(chunk)}\n\n`;
}

export const streamHead =
  "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream; charset=utf-8\r\nTransfer-Encoding: chunked\r\n\r\n";

export function chunk(text: string): string {
  return `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
}

export const lastChunk = "0\r\n\r\n";

/** A whole answer that streams these events. */
export function streamOf(...events: readonly string[]): string {
  return streamHead + events.map(chunk).join("") + lastChunk;
}

export function plainOf(value: unknown, status = "200 OK", headers = ""): string {
  const body = typeof value === "string" ? value : JSON.stringify(value);
  const length = Buffer.byteLength(body);
  return `HTTP/1.1 ${status}\r\nContent-Type: application/json\r\n${headers}Content-Length: ${length}\r\n\r\n${body}`;
}

export const usage = { prompt_tokens: 10, completion_tokens: 7, prompt_cache_hit_tokens: 4 };

/** Two tokens, a finish reason, usage on an extra chunk, the end mark. */
export const goodStream = streamOf(
  event({ role: "assistant", content: "" }),
  event({ content: "Hel" }),
  event({ content: "lo" }),
  event({}, { finish_reason: "stop" }),
  `data: ${JSON.stringify({ choices: [], usage })}\n\n`,
  "data: [DONE]\n\n",
);
