import { setMaxListeners } from "node:events";
import type { LookupFunction, Socket } from "node:net";
import type { Address } from "./address.js";
import type { Carrier } from "./carrier.js";
import { ConnectError, cachedLookup, openSocket } from "./connect.js";
import { closedFailure } from "./errors.js";
import { Http1Connection } from "./http1-connection.js";
import type { Http2Connection } from "./http2.js";
import type { Target } from "./target.js";

export interface PoolOptions {
  readonly address: Address;
  readonly http2: Target["http2"];
  readonly connectSeconds: number;
  readonly ca: string | undefined;
  now(): number;
}

/** Connections that are opened at the same time at most by `connect`: a server's queue of new ones may be short. */
const atOnce = 64;

/** The connections to one target: kept between requests, opened when none is free. It never refuses for their number. */
export class Pool {
  private readonly options: PoolOptions;
  private readonly lookup: LookupFunction = cachedLookup();
  /** Free connections of HTTP/1.1; the one used last is used next. */
  private readonly idle: Http1Connection[] = [];
  private readonly all = new Set<Http1Connection>();
  private readonly sessions = new Set<Http2Connection>();
  /** What the server speaks; null until the first handshake tells. */
  private version: "1.1" | "2" | null;
  private asking: Promise<void> | null = null;
  private opening: Promise<Http2Connection> | null = null;
  private readonly closing = new AbortController();

  constructor(options: PoolOptions) {
    this.options = options;
    // one listener a connection under way
    setMaxListeners(0, this.closing.signal);
    const negotiated = options.address.tls && options.http2 === "auto";
    this.version = negotiated ? null : options.http2 === "on" ? "2" : "1.1";
  }

  /** Aborted once it is closed. */
  get stopped(): AbortSignal {
    return this.closing.signal;
  }

  private get closed(): boolean {
    return this.closing.signal.aborted;
  }

  now(): number {
    return this.options.now();
  }

  /**
   * A connection that is free, at once if there is one. `fresh`: one that has served nobody yet.
   * @throws ConnectError
   */
  acquire(fresh: boolean): Carrier | Promise<Carrier> {
    if (this.closed) throw new ConnectError(closedFailure);
    if (!fresh && this.version === "1.1") {
      const free = this.idle.pop();
      if (free !== undefined) return free;
    }
    if (!fresh && this.version === "2") {
      for (const session of this.sessions) if (session.room > 0) return session.carrier();
    }
    return this.open(fresh);
  }

  async connect(connections: number): Promise<void> {
    const wanted = Math.max(1, connections);
    // the first one tells which HTTP it is
    await this.ahead();
    if (this.version === "2") {
      const room = (): number => [...this.sessions].reduce((sum, session) => sum + session.room, 0);
      for (let tries = 0; tries < wanted && this.sessions.size > 0 && room() < wanted && !this.closed; tries += 1) {
        await this.ahead();
      }
      return;
    }
    while (this.all.size < wanted && !this.closed) {
      const before = this.all.size;
      await Promise.all(Array.from({ length: Math.min(atOnce, wanted - before) }, () => this.ahead()));
      if (this.all.size <= before) return;
    }
  }

  close(): void {
    this.closing.abort();
    for (const connection of [...this.all]) connection.fail(closedFailure);
    for (const session of [...this.sessions]) session.close();
  }

  release(connection: Http1Connection): void {
    if (this.closed) connection.drop();
    else this.idle.push(connection);
  }

  forget(connection: Http1Connection): void {
    if (!this.all.delete(connection)) return;
    const place = this.idle.indexOf(connection);
    if (place >= 0) this.idle.splice(place, 1);
  }

  private async ahead(): Promise<void> {
    try {
      (await this.open(true)).giveBack();
    } catch (error) {
      // requests will meet it again, and say so
      if (!(error instanceof ConnectError)) throw error;
    }
  }

  private async open(fresh: boolean): Promise<Carrier> {
    if (this.version === null) {
      if (this.asking === null) return this.ask();
      // another request is finding out
      await this.asking;
      return this.acquire(fresh);
    }
    if (this.version === "1.1") return this.open1();
    if (!fresh && this.opening !== null) {
      const session = await this.opening;
      return session.room > 0 ? session.carrier() : this.open(fresh);
    }
    this.opening = this.socket(["h2"]).then((socket) => this.session(socket));
    try {
      return (await this.opening).carrier();
    } finally {
      this.opening = null;
    }
  }

  /** The first connection where the handshake decides between HTTP/1.1 and 2. */
  private ask(): Promise<Carrier> {
    const first = this.first();
    this.asking = first.then(() => undefined);
    this.asking.catch(() => {
      this.asking = null;
    });
    return first;
  }

  private async first(): Promise<Carrier> {
    const socket = await this.socket(["h2", "http/1.1"]);
    this.version = "alpnProtocol" in socket && socket.alpnProtocol === "h2" ? "2" : "1.1";
    if (this.version === "2") return (await this.session(socket)).carrier();
    const { address } = this.options;
    const connection = new Http1Connection(this, address.path, address.authority);
    return this.attach(connection, socket, true);
  }

  private async open1(): Promise<Carrier> {
    const { address } = this.options;
    const connection = new Http1Connection(this, address.path, address.authority);
    const socket = await this.socket(["http/1.1"], connection);
    return this.attach(connection, socket, address.tls);
  }

  private attach(connection: Http1Connection, socket: Socket, emits: boolean): Carrier {
    this.all.add(connection);
    connection.attach(socket, emits);
    if (this.closed) connection.drop();
    return connection;
  }

  private socket(alpn: readonly string[], sink: Http1Connection | null = null): Promise<Socket> {
    const { address, connectSeconds: seconds, ca } = this.options;
    return openSocket({ address, seconds, alpn, ca, lookup: this.lookup, sink, stop: this.closing.signal });
  }

  private async session(socket: Socket): Promise<Http2Connection> {
    const { address, connectSeconds, now } = this.options;
    if (address.tls && "alpnProtocol" in socket && socket.alpnProtocol !== "h2") {
      socket.destroy();
      throw new ConnectError({ kind: "tls", message: `${address.authority} does not offer HTTP/2` });
    }
    const { Http2Connection } = await import("./http2.js");
    const session = await Http2Connection.start(socket, address, connectSeconds, now, (gone) =>
      this.sessions.delete(gone),
    );
    this.sessions.add(session);
    if (this.closed) session.close();
    return session;
  }
}
