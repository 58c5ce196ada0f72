import { type LookupAddress, lookup as systemLookup } from "node:dns";
import { connect as connectTcp, isIP, type LookupFunction, type Socket } from "node:net";
import { connect as connectTls, type TLSSocket } from "node:tls";
import type { Address } from "./address.js";
import { closedFailure, connectFailure, type Failure, placeOf } from "./errors.js";

/** Takes the bytes of a socket; they are only valid during the call. */
export interface ByteSink {
  read(bytes: Buffer, start: number, end: number): void;
}

export interface ConnectOptions {
  readonly address: Address;
  readonly seconds: number;
  /** Offered in the handshake; ignored without TLS. */
  readonly alpn: readonly string[];
  /** Certificates in PEM to trust beside those of the system; undefined for none. */
  readonly ca: string | undefined;
  readonly lookup: LookupFunction;
  /** Whom plain TCP hands its bytes, from one buffer for all sockets. Without it, and with TLS, the socket emits them. */
  readonly sink: ByteSink | null;
  /** Gives up what is not there yet. */
  readonly stop: AbortSignal;
}

/** What `openSocket` rejects with. */
export class ConnectError extends Error {
  override readonly name = "ConnectError";
  readonly failure: Failure;

  constructor(failure: Failure) {
    super(failure.message);
    this.failure = failure;
  }
}

/** libuv asks for the buffer just before each read and hands it over in the same turn, so that all sockets may share it. */
const shared = Buffer.allocUnsafeSlow(65536);

/** What timers can count, in milliseconds. */
export const longestTimer = 2 ** 31 - 1;

/** How long an address found for a name is good for, in milliseconds. */
const addressLife = 60_000;

/**
 * A connection that stands: TCP without delay, and TLS where the address says so.
 * @throws ConnectError
 */
export function openSocket(options: ConnectOptions): Promise<Socket | TLSSocket> {
  const { address, seconds, sink } = options;
  return new Promise((resolve, reject) => {
    let secured = false;
    let found = isIP(address.host) !== 0;
    const to = { host: address.host, port: address.port, lookup: options.lookup, noDelay: true };
    const socket = address.tls
      ? connectTls({
          ...to,
          ALPNProtocols: [...options.alpn],
          ...(isIP(address.host) === 0 ? { servername: address.host } : {}),
          ...(options.ca === undefined ? {} : { ca: options.ca }),
        })
      : connectTcp(sink === null ? to : { ...to, onread: { buffer: shared, callback: readOf(sink) } });
    const fail = (failure: Failure): void => {
      clearTimeout(timer);
      options.stop.removeEventListener("abort", onStop);
      socket.destroy();
      reject(new ConnectError(failure));
    };
    const timer = setTimeout(
      () => {
        const place = placeOf(address);
        if (!found) fail({ kind: "dns", message: `no address for ${address.host} within ${seconds} s` });
        else if (secured) fail({ kind: "connect-timeout", message: `${place}: no TLS session within ${seconds} s` });
        else fail({ kind: "connect-timeout", message: `${place}: no connection within ${seconds} s` });
      },
      Math.min(seconds * 1000, longestTimer),
    );
    const stands = (): void => {
      clearTimeout(timer);
      options.stop.removeEventListener("abort", onStop);
      socket.off("error", onError);
      socket.off("close", onClose);
      resolve(socket);
    };
    const onError = (error: Error): void => fail(connectFailure(error, address, secured));
    const onClose = (): void =>
      fail(connectFailure(Object.assign(new Error(), { code: "ECONNRESET" }), address, secured));
    const onStop = (): void => fail(closedFailure);
    if (options.stop.aborted) onStop();
    else options.stop.addEventListener("abort", onStop, { once: true });
    socket.on("error", onError);
    socket.on("close", onClose);
    socket.once("lookup", () => {
      found = true;
    });
    if (!address.tls) socket.once("connect", stands);
    else {
      // the TCP connection below it
      socket.once("connect", () => {
        secured = true;
      });
      socket.once("secureConnect", () => {
        socket.setNoDelay(true);
        stands();
      });
    }
  });
}

function readOf(sink: ByteSink): (size: number, bytes: Uint8Array) => boolean {
  return (size) => {
    sink.read(shared, 0, size);
    return true;
  };
}

/** Looks names up once a minute at most: a thousand connections to one host ask the system once. */
export function cachedLookup(): LookupFunction {
  const cache = new Map<string, { readonly until: number; readonly answer: Promise<readonly LookupAddress[]> }>();
  return (name, options, callback) => {
    const family =
      options.family === 4 || options.family === "IPv4" ? 4 : options.family === 6 || options.family === "IPv6" ? 6 : 0;
    const key = `${name} ${family}`;
    let entry = cache.get(key);
    if (entry === undefined || entry.until < performance.now()) {
      const answer = new Promise<readonly LookupAddress[]>((resolve, reject) => {
        systemLookup(name, { all: true, family, hints: options.hints ?? 0 }, (error, addresses) => {
          if (error === null) resolve(addresses);
          else reject(error);
        });
      });
      entry = { until: performance.now() + addressLife, answer };
      cache.set(key, entry);
    }
    entry.answer.then(
      (addresses) => {
        if (options.all === true) callback(null, [...addresses]);
        else callback(null, addresses[0]!.address, addresses[0]!.family);
      },
      (error: NodeJS.ErrnoException) => {
        // a name that is not found may be a moment later
        cache.delete(key);
        callback(error, []);
      },
    );
  };
}
