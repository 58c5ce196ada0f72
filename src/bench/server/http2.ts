import { constants, createServer, type ServerHttp2Stream } from "node:http2";
import type { Socket } from "node:net";
import { type Exchange, mostBodyBytes, type Serve } from "./exchange.js";

/** Takes connections that speak HTTP/2, over TLS or by prior knowledge. */
export interface Http2 {
  take(socket: Socket, connection: number): void;
}

export function serveHttp2(serve: Serve): Http2 {
  const server = createServer();
  const numbers = new WeakMap<object, { readonly connection: number; turn: number }>();
  server.on("session", (session) => {
    session.on("error", () => {});
  });
  server.on("sessionError", () => {});
  server.on("stream", (stream, fields) => {
    const seen = numbers.get(stream.session!) ?? { connection: -1, turn: 0 };
    numbers.set(stream.session!, seen);
    const parts: Buffer[] = [];
    let size = 0;
    stream.on("error", () => {});
    stream.on("data", (bytes: Buffer) => {
      parts.push(bytes);
      size += bytes.length;
      if (size > mostBodyBytes) stream.close(constants.NGHTTP2_REFUSED_STREAM);
    });
    stream.on("end", () => {
      const headers: Record<string, string> = {};
      for (const [name, value] of Object.entries(fields)) headers[name] = String(value);
      const { [":method"]: method = "GET", [":path"]: path = "/" } = headers;
      const made = exchange(stream, { method, path, headers }, Buffer.concat(parts), seen.connection, seen.turn++);
      stream.on("close", () => made.gone?.());
      serve(made);
    });
  });
  return {
    take(socket, connection) {
      server.once("session", (session) => numbers.set(session, { connection, turn: 0 }));
      server.emit("connection", socket);
    },
  };
}

function exchange(
  stream: ServerHttp2Stream,
  request: Pick<Exchange, "method" | "path" | "headers">,
  body: Buffer,
  connection: number,
  turn: number,
): Exchange {
  return {
    http: "2",
    connection,
    turn,
    ...request,
    body,
    gone: null,
    head(status, fields) {
      const lower = Object.entries(fields).map(([name, value]) => [name.toLowerCase(), value] as const);
      if (!stream.destroyed) stream.respond({ ":status": status, ...Object.fromEntries(lower) });
    },
    write(bytes) {
      return stream.destroyed || bytes.length === 0 ? true : stream.write(bytes);
    },
    frame: (bytes) => bytes,
    writeFramed(bytes) {
      return this.write(bytes);
    },
    end(bytes) {
      stream.end(bytes);
    },
    reset() {
      setTimeout(() => stream.close(constants.NGHTTP2_INTERNAL_ERROR), 5);
    },
    cut() {
      this.reset();
    },
    rubbish() {
      this.reset();
    },
    drained(action) {
      stream.once("drain", action);
    },
  };
}
