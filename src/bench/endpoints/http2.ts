import { type ClientHttp2Session, type ClientHttp2Stream, connect, constants } from "node:http2";
import type { Socket } from "node:net";
import type { Address } from "./address.js";
import type { Carrier, Receiver, WireRequest } from "./carrier.js";
import { ConnectError, longestTimer } from "./connect.js";
import { closedFailure, lostFailure } from "./errors.js";

/** Streams of one connection at most, where the server would allow more. */
const mostStreams = 256;

/** A connection of HTTP/2, which carries many requests at once. */
export class Http2Connection {
  private readonly session: ClientHttp2Session;
  private readonly now: () => number;
  private readonly path: string;
  private limit = 1;
  private open = 0;
  private served = 0;
  private draining = false;
  /** Ended by this program. */
  closed = false;

  private constructor(
    session: ClientHttp2Session,
    address: Address,
    now: () => number,
    forget: (it: Http2Connection) => void,
  ) {
    this.session = session;
    this.now = now;
    this.path = address.path;
    const gone = (): void => {
      this.draining = true;
      forget(this);
    };
    session.on("error", gone);
    session.on("goaway", gone);
    session.on("close", gone);
    session.on("remoteSettings", (settings) => {
      this.limit = Math.max(1, Math.min(mostStreams, settings.maxConcurrentStreams ?? mostStreams));
    });
  }

  /**
   * Speaks HTTP/2 on a socket that stands and waits for the server's settings.
   * @throws ConnectError where the server does not answer so
   */
  static start(
    socket: Socket,
    address: Address,
    seconds: number,
    now: () => number,
    forget: (it: Http2Connection) => void,
  ): Promise<Http2Connection> {
    const session = connect(`${address.tls ? "https" : "http"}://${address.authority}`, {
      createConnection: () => socket,
      settings: { enablePush: false, initialWindowSize: 1024 * 1024 },
    });
    const connection = new Http2Connection(session, address, now, forget);
    return new Promise((resolve, reject) => {
      const fail = (message: string): void => {
        clearTimeout(timer);
        session.destroy();
        socket.destroy();
        reject(new ConnectError({ kind: "malformed-http", message }));
      };
      const timer = setTimeout(
        () => fail(`no settings of HTTP/2 within ${seconds} s`),
        Math.min(seconds * 1000, longestTimer),
      );
      session.once("error", () => fail("the server does not speak HTTP/2 here"));
      session.once("close", () => fail("the server does not speak HTTP/2 here"));
      session.once("remoteSettings", () => {
        clearTimeout(timer);
        // a default of 64 KiB would make long answers wait for round trips
        session.setLocalWindowSize(16 * 1024 * 1024);
        resolve(connection);
      });
    });
  }

  get room(): number {
    return this.draining || this.session.closed || this.session.destroyed ? 0 : this.limit - this.open;
  }

  /** Takes a place for one request. */
  carrier(): Carrier {
    this.open += 1;
    return new Http2Carrier(this, this.served > 0);
  }

  request(request: WireRequest): { readonly stream: ClientHttp2Stream; readonly sent: number } {
    const headers = { ...request.headers, ":method": "POST", ":path": this.path };
    const sent = this.now();
    const stream = this.session.request(headers);
    stream.end(request.body);
    return { stream, sent };
  }

  /** Gives a place back. */
  release(served: boolean): void {
    this.open -= 1;
    if (served) this.served += 1;
  }

  stamp(): number {
    return this.now();
  }

  close(): void {
    this.draining = true;
    this.closed = true;
    this.session.destroy();
  }
}

/** One stream. */
class Http2Carrier implements Carrier {
  readonly http = "2";
  readonly reused: boolean;
  private readonly connection: Http2Connection;
  private stream: ClientHttp2Stream | null = null;
  private receiver: Receiver | null = null;
  private touched = false;
  private released = false;

  constructor(connection: Http2Connection, reused: boolean) {
    this.connection = connection;
    this.reused = reused;
  }

  send(request: WireRequest, receiver: Receiver): number {
    this.receiver = receiver;
    let opened: { readonly stream: ClientHttp2Stream; readonly sent: number };
    try {
      opened = this.connection.request(request);
    } catch (error) {
      // the session ended since the carrier was taken; told later, as all other losses are
      const sent = this.connection.stamp();
      receiver.stamp = sent;
      setImmediate(() => this.lost(error));
      return sent;
    }
    const { stream, sent } = opened;
    receiver.stamp = sent;
    this.stream = stream;
    let ended = false;
    stream.on("response", (fields) => {
      this.touched = true;
      if (this.receiver === null) return;
      this.receiver.stamp = this.connection.stamp();
      const headers = new Map<string, string>();
      for (const [name, value] of Object.entries(fields)) {
        if (!name.startsWith(":") && value !== undefined) headers.set(name, String(value));
      }
      this.receiver.onHead({ status: fields[":status"] ?? 0, headers });
    });
    stream.on("data", (bytes: Buffer) => {
      if (this.receiver === null) return;
      this.receiver.stamp = this.connection.stamp();
      this.receiver.onBody(bytes, 0, bytes.length);
    });
    stream.on("end", () => {
      ended = true;
    });
    stream.on("error", (error) => this.lost(error));
    stream.on("close", () => {
      const receiver = this.receiver;
      // a session that is destroyed ends its streams as if they were complete
      const complete = ended && this.touched && !this.connection.closed;
      if (!complete || (stream.rstCode ?? 0) !== constants.NGHTTP2_NO_ERROR) return this.lost(null);
      this.release(true);
      if (receiver === null) return;
      this.receiver = null;
      receiver.onEnd();
    });
    return sent;
  }

  drop(): void {
    this.receiver = null;
    this.stream?.close(constants.NGHTTP2_CANCEL);
    this.release(false);
  }

  giveBack(): void {
    this.release(false);
  }

  private lost(error: unknown): void {
    const receiver = this.receiver;
    const refused = this.stream?.rstCode === constants.NGHTTP2_REFUSED_STREAM;
    this.drop();
    if (receiver === null) return;
    receiver.stamp = this.connection.stamp();
    if (this.connection.closed) receiver.onLost(closedFailure, false);
    else receiver.onLost(lostFailure(error), !this.touched && (this.reused || refused));
  }

  private release(served: boolean): void {
    if (this.released) return;
    this.released = true;
    this.connection.release(served);
  }
}
