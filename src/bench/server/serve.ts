import { createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type TlsOptions } from "node:tls";
import { type Behaviours, plain } from "./behaviour.js";
import type { Exchange } from "./exchange.js";
import { serveHttp1 } from "./http1.js";
import { serveHttp2 } from "./http2.js";
import { pacer } from "./pacer.js";
import { prefixCache } from "./prefixes.js";
import { answer, type Model } from "./requests.js";
import type { Served } from "./served.js";

export interface ServerOptions {
  /** In seconds, monotonic. By default the machine's clock, comparable between processes started about the same time. */
  readonly now?: () => number;
  /** PEM. With them it speaks TLS, and HTTP/2 to those who offer it. */
  readonly tls?: { readonly key: string; readonly cert: string; readonly http2?: boolean };
  /** Asked for as a bearer token or `x-api-key`; others get 401. Absent: anybody is served. */
  readonly key?: string;
  readonly host?: string;
  /** 0 or absent: any free one. */
  readonly port?: number;
}

/** A server that runs, in this process. */
export interface GoldenServer {
  /** Base URL without `/v1`. */
  readonly url: string;
  readonly port: number;
  /** What was done for each request so far, in the order in which they were read. */
  requests(): readonly Served[];
  /** Forgets them. */
  forget(): void;
  /** Connections that were opened so far. */
  connections(): number;
  close(): Promise<void>;
}

/** A server that speaks like the DeepSeek API, with known timings, and records when it sent what. */
export async function startServer(behaviours: Behaviours, options: ServerOptions = {}): Promise<GoldenServer> {
  const now = options.now ?? (() => (performance.timeOrigin + performance.now()) / 1000);
  const paced = pacer(now);
  const sockets = new Set<Socket>();
  const models = new Map<string, Model>();
  for (const [name, given] of Object.entries(behaviours)) {
    const behaviour = { ...plain, ...given };
    const cache = behaviour.cacheBlock === null ? null : prefixCache(behaviour.cacheBlock);
    models.set(name, { name, behaviour, cache, requests: 0, refused: 0, active: 0, queue: [] });
  }
  let served: Served[] = [];
  let connections = 0;
  const handle = (exchange: Exchange): void => {
    answer(exchange, { models, key: options.key, now, paced, record: (one) => served.push(one) });
  };
  const http2 = serveHttp2(handle);

  // what TLS runs over, by the client's port
  const secured = new Map<number, { readonly raw: Socket; readonly connection: number }>();
  const secure = options.tls === undefined ? null : createTlsServer(tlsOptions(options.tls));
  secure?.on("tlsClientError", () => {});
  secure?.on("secureConnection", (socket) => {
    const under = secured.get(socket.remotePort ?? 0);
    if (under === undefined) socket.destroy();
    else if (socket.alpnProtocol === "h2") http2.take(socket, under.connection);
    else serveHttp1(socket, under.raw, under.connection, Buffer.alloc(0), handle);
  });
  const server: Server = createServer((raw) => {
    const connection = connections++;
    raw.setNoDelay(true);
    sockets.add(raw);
    raw.on("close", () => sockets.delete(raw));
    raw.on("error", () => {});
    if (secure === null) {
      // HTTP/2 by prior knowledge says so in its first bytes
      raw.once("data", (first: Buffer) => {
        if (first.toString("latin1", 0, 14) === "PRI * HTTP/2.0") {
          raw.pause();
          raw.unshift(first);
          http2.take(raw, connection);
        } else serveHttp1(raw, raw, connection, first, handle);
      });
    } else {
      const clientPort = raw.remotePort ?? 0;
      secured.set(clientPort, { raw, connection });
      raw.on("close", () => secured.delete(clientPort));
      secure.emit("connection", raw);
    }
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen({ port: options.port ?? 0, host: options.host ?? "127.0.0.1", backlog: 4096 }, resolve);
  });
  const address = server.address();
  const port = typeof address === "object" && address !== null ? address.port : 0;
  return {
    url: `${options.tls === undefined ? "http" : "https"}://${options.host ?? "127.0.0.1"}:${port}`,
    port,
    requests: () => served,
    forget() {
      served = [];
    },
    connections: () => connections,
    close: () =>
      new Promise((resolve) => {
        paced.close();
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}

function tlsOptions({ key, cert, http2 }: NonNullable<ServerOptions["tls"]>): TlsOptions {
  return { key, cert, ALPNProtocols: http2 === false ? ["http/1.1"] : ["h2", "http/1.1"] };
}
