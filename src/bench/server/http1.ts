import type { Socket } from "node:net";
import { type Exchange, mostBodyBytes, type Serve } from "./exchange.js";

const reasons: Readonly<Record<number, string>> = {
  200: "OK",
  400: "Bad Request",
  401: "Unauthorized",
  404: "Not Found",
  429: "Too Many Requests",
  500: "Internal Server Error",
  503: "Service Unavailable",
};

const crlf = Buffer.from("\r\n");
const lastChunk = Buffer.from("0\r\n\r\n");

interface Head {
  readonly method: string;
  readonly path: string;
  readonly headers: Readonly<Record<string, string | undefined>>;
}

function parseHead(text: string): Head | null {
  const [first = "", ...lines] = text.split("\r\n");
  const [method, path, version] = first.split(" ");
  if (method === undefined || path === undefined || version !== "HTTP/1.1") return null;
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const colon = line.indexOf(":");
    if (colon > 0) headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
  }
  return { method, path, headers };
}

/** The body of a request with chunked encoding and where it ends; null until it is all there. */
function chunkedBody(bytes: Buffer): { readonly body: Buffer; readonly end: number } | null {
  const parts: Buffer[] = [];
  let place = 0;
  for (;;) {
    const line = bytes.indexOf(crlf, place);
    if (line < 0) return null;
    const size = Number.parseInt(bytes.toString("latin1", place, line), 16);
    const end = line + 2 + size + 2;
    if (!(size >= 0) || end > bytes.length) return null;
    if (size === 0) return { body: Buffer.concat(parts), end };
    parts.push(bytes.subarray(line + 2, line + 2 + size));
    place = end;
  }
}

/** The body of a request at the start of `bytes`, and where it ends. */
function readBody(head: Head, bytes: Buffer): { readonly body: Buffer; readonly end: number } | "not-yet" | "too-long" {
  if (head.headers["transfer-encoding"] === "chunked") {
    return bytes.length > mostBodyBytes ? "too-long" : (chunkedBody(bytes) ?? "not-yet");
  }
  const length = Number(head.headers["content-length"] ?? 0);
  if (!(length >= 0 && length <= mostBodyBytes)) return "too-long";
  return bytes.length < length ? "not-yet" : { body: bytes.subarray(0, length), end: length };
}

/** Serves HTTP/1.1 on a connection: keep-alive, one request after the other. `raw`: what TLS, if any, runs over. */
export function serveHttp1(socket: Socket, raw: Socket, connection: number, first: Buffer, serve: Serve): void {
  let waiting = first;
  let head: Head | null = null;
  let turn = 0;
  let current: Exchange | null = null;

  const refuse = (): void => {
    socket.end("HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
  };
  const next = (): void => {
    if (current !== null || socket.destroyed) return;
    if (head === null) {
      const end = waiting.indexOf("\r\n\r\n");
      if (end < 0) {
        if (waiting.length > 65_536) refuse();
        return;
      }
      head = parseHead(waiting.toString("latin1", 0, end));
      if (head === null) {
        refuse();
        return;
      }
      waiting = waiting.subarray(end + 4);
      if (head.headers["expect"] === "100-continue") socket.write("HTTP/1.1 100 Continue\r\n\r\n");
    }
    const read = readBody(head, waiting);
    if (read === "too-long") refuse();
    if (read === "too-long" || read === "not-yet") return;
    const { body } = read;
    waiting = waiting.subarray(read.end);
    const request = head;
    head = null;
    current = exchange(socket, raw, request, body, connection, turn++, () => {
      current = null;
      if (request.headers["connection"] === "close") socket.end();
      else if (waiting.length > 0) setImmediate(next);
    });
    serve(current);
  };

  socket.on("data", (bytes: Buffer) => {
    waiting = waiting.length === 0 ? bytes : Buffer.concat([waiting, bytes]);
    next();
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    current?.gone?.();
  });
  next();
}

function exchange(
  socket: Socket,
  raw: Socket,
  { method, path, headers }: Head,
  body: Buffer,
  connection: number,
  turn: number,
  done: () => void,
): Exchange {
  let chunked = false;
  let head: Buffer | null = null;
  /** The head goes out with the first bytes of the body, in one segment. */
  const withHead = (bytes: Buffer): Buffer => {
    if (head === null) return bytes;
    const all = Buffer.concat([head, bytes]);
    head = null;
    return all;
  };
  return {
    http: "1.1",
    connection,
    turn,
    method,
    path,
    headers,
    body,
    gone: null,
    head(status, fields, length) {
      chunked = length === null;
      const lines = Object.entries(fields).map(([name, value]) => `${name}: ${value}\r\n`);
      const size = length === null ? "Transfer-Encoding: chunked" : `Content-Length: ${length}`;
      head = Buffer.from(`HTTP/1.1 ${status} ${reasons[status] ?? "Status"}\r\n${lines.join("")}${size}\r\n\r\n`);
    },
    write(bytes) {
      if (bytes.length === 0) return head === null ? true : socket.write(withHead(bytes));
      return socket.write(withHead(chunked ? this.frame(bytes) : bytes));
    },
    frame: (bytes) => Buffer.concat([Buffer.from(`${bytes.length.toString(16)}\r\n`), bytes, crlf]),
    writeFramed: (bytes) => socket.write(withHead(bytes)),
    end(bytes) {
      if (bytes !== undefined && bytes.length > 0) this.write(bytes);
      if (chunked) socket.write(withHead(lastChunk));
      else if (head !== null) socket.write(withHead(Buffer.alloc(0)));
      done();
    },
    reset() {
      // what was written before should arrive before the reset does
      setTimeout(() => raw.resetAndDestroy(), 5);
    },
    cut() {
      socket.end(withHead(Buffer.from('400\r\ndata: {"id":"golden","choices":[{"index":0,"del')));
    },
    rubbish() {
      socket.end("SSH-2.0-golden\r\n\r\n\0\x01\x02 this is not HTTP\r\n");
    },
    drained(action) {
      socket.once("drain", action);
    },
  };
}
