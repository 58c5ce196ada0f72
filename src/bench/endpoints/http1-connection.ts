import type { Socket } from "node:net";
import type { Carrier, Receiver, WireRequest } from "./carrier.js";
import type { ByteSink } from "./connect.js";
import { type Failure, lostFailure } from "./errors.js";
import { type Head, type Http1Handler, Http1Parser } from "./http1.js";

/** Where connections go when an answer is through. */
export interface Http1Home {
  now(): number;
  /** Free for the next request. */
  release(connection: Http1Connection): void;
  /** Of no more use. */
  forget(connection: Http1Connection): void;
}

/** A connection of HTTP/1.1 that carries one request after the other. */
export class Http1Connection implements Carrier, ByteSink, Http1Handler {
  readonly http = "1.1";
  private readonly home: Http1Home;
  /** The request line and the headers that frame messages. */
  private readonly start: string;
  private readonly parser = new Http1Parser(this);
  private socket: Socket | null = null;
  private receiver: Receiver | null = null;
  private served = 0;
  private touched = false;
  private dropped = false;

  constructor(home: Http1Home, path: string, authority: string) {
    this.home = home;
    this.start = `POST ${path} HTTP/1.1\r\nhost: ${authority}\r\nconnection: keep-alive\r\n`;
  }

  get reused(): boolean {
    return this.served > 0;
  }

  /** Takes a socket that stands. `emits`: it hands its bytes over in events, not to `read`. */
  attach(socket: Socket, emits: boolean): void {
    this.socket = socket;
    // the server may have spoken or left before anything was asked
    if (this.dropped || socket.destroyed) socket.destroy();
    if (emits) socket.on("data", (bytes: Buffer) => this.read(bytes, 0, bytes.length));
    socket.on("end", () => this.ended(null));
    socket.on("error", (error) => this.ended(error));
    socket.on("close", () => this.ended(null));
  }

  send(request: WireRequest, receiver: Receiver): number {
    this.receiver = receiver;
    this.touched = false;
    this.parser.expect();
    let head = this.start;
    for (const name in request.headers) head += `${name}: ${request.headers[name]}\r\n`;
    const message = `${head}content-length: ${Buffer.byteLength(request.body)}\r\n\r\n${request.body}`;
    const sent = this.home.now();
    receiver.stamp = sent;
    this.socket!.write(message);
    return sent;
  }

  drop(): void {
    this.receiver = null;
    this.dropped = true;
    this.parser.stop();
    this.socket?.destroy();
    this.home.forget(this);
  }

  /** Ends it, and what it carries with that failure. */
  fail(failure: Failure): void {
    const { receiver } = this;
    if (receiver !== null) receiver.stamp = this.home.now();
    this.drop();
    receiver?.onLost(failure, false);
  }

  giveBack(): void {
    this.home.release(this);
  }

  read(bytes: Buffer, start: number, end: number): void {
    if (this.receiver === null) {
      // nobody asked for it: whatever it answers, it is not the next request
      this.drop();
      return;
    }
    this.touched = true;
    this.receiver.stamp = this.home.now();
    this.parser.push(bytes, start, end);
  }

  onHead(head: Head): void {
    this.receiver!.onHead(head);
  }

  onBody(bytes: Buffer, start: number, end: number): void {
    // it may have given up at an earlier piece of this read
    this.receiver?.onBody(bytes, start, end);
  }

  onEnd(reusable: boolean): void {
    const receiver = this.receiver;
    if (receiver === null) return;
    this.served += 1;
    if (reusable) {
      this.receiver = null;
      this.home.release(this);
    } else this.drop();
    receiver.onEnd();
  }

  onMalformed(message: string): void {
    this.fail({ kind: "malformed-http", message });
  }

  private ended(error: Error | null): void {
    const receiver = this.receiver;
    if (receiver !== null) {
      receiver.stamp = this.home.now();
      if (error === null && this.parser.finish()) return;
    }
    this.drop();
    receiver?.onLost(lostFailure(error), this.reused && !this.touched);
  }
}
