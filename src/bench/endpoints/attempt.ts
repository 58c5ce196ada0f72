import { type AnswerReader, looksLikeStream, PlainAnswer, type Reading, StreamAnswer, textOfPieces } from "./answer.js";
import type { Carrier, Receiver, WireRequest } from "./carrier.js";
import { ConnectError, longestTimer } from "./connect.js";
import { type Failure, statusFailure } from "./errors.js";
import type { Head } from "./http1.js";
import type { Pool } from "./pool.js";
import type { ProtocolRow } from "./protocols/protocol.js";
import type { RequestLimits } from "./target.js";

/** What all attempts of a sender share. */
export interface AttemptSettings {
  readonly row: ProtocolRow;
  readonly stream: boolean;
  readonly limits: RequestLimits;
  readonly redact: (text: string) => string;
  now(): number;
}

/** One request handed to a socket once, and what came back; times in seconds. */
export interface Attempt {
  readonly sent: number;
  readonly firstByte: number | null;
  readonly done: number;
  readonly bytes: number;
  readonly head: Head | null;
  readonly reading: Reading | null;
  readonly failure: Failure | null;
  /** A kept connection that died before the first byte. */
  readonly untouched: boolean;
  readonly http: "1.1" | "2" | null;
  readonly reused: boolean;
}

/** Bytes of an error answer that are kept. */
const mostError = 65536;
/** How long the end of the HTTP message may take after the stream's own end mark, in seconds. */
const grace = 1;

/** Sends a request once. Never rejects. */
export async function attempt(
  pool: Pool,
  request: WireRequest,
  settings: AttemptSettings,
  fresh: boolean,
  stop: AbortSignal | undefined,
): Promise<Attempt> {
  const begun = settings.now();
  let carrier: Carrier;
  try {
    const found = pool.acquire(fresh);
    carrier = found instanceof Promise ? await connected(found, stop) : found;
  } catch (error) {
    const cancelled: Failure = { kind: "cancelled", message: "cancelled while connecting" };
    const failure =
      error instanceof ConnectError ? error.failure : stop?.aborted === true ? cancelled : unexpected(error);
    return { ...without, sent: begun, done: settings.now(), failure };
  }
  return new Promise((resolve) => new Exchange(carrier, settings, stop, resolve).start(request));
}

const without = { firstByte: null, bytes: 0, head: null, reading: null, untouched: false, http: null, reused: false };

function unexpected(error: unknown): Failure {
  return { kind: "unreachable", message: error instanceof Error ? error.message : String(error) };
}

/** The connection, unless the signal comes first; then it is for somebody else. */
function connected(opening: Promise<Carrier>, stop: AbortSignal | undefined): Promise<Carrier> {
  if (stop === undefined) return opening;
  return new Promise((resolve, reject) => {
    let cancelled = false;
    const cancel = (): void => {
      cancelled = true;
      reject(new Error("cancelled"));
    };
    if (stop.aborted) cancel();
    else stop.addEventListener("abort", cancel, { once: true });
    opening.then(
      (carrier) => {
        stop.removeEventListener("abort", cancel);
        if (cancelled) carrier.giveBack();
        else resolve(carrier);
      },
      (error: unknown) => {
        stop.removeEventListener("abort", cancel);
        reject(error);
      },
    );
  });
}

class Exchange implements Receiver {
  stamp = 0;
  private readonly carrier: Carrier;
  private readonly settings: AttemptSettings;
  private readonly stop: AbortSignal | undefined;
  private readonly resolve: (attempt: Attempt) => void;
  private readonly cancel = (): void =>
    this.giveUp({ kind: "cancelled", message: "cancelled before the answer ended" });
  private readonly reused: boolean;
  private sent = 0;
  private firstByte: number | null = null;
  private endMark: number | null = null;
  private bytes = 0;
  private head: Head | null = null;
  private reader: AnswerReader | null = null;
  /** The body of an answer that is no success. */
  private errorPieces: Buffer[] = [];
  private errorBytes = 0;
  private timer: NodeJS.Timeout | undefined;
  private settled = false;

  constructor(
    carrier: Carrier,
    settings: AttemptSettings,
    stop: AbortSignal | undefined,
    resolve: (attempt: Attempt) => void,
  ) {
    this.carrier = carrier;
    this.settings = settings;
    this.stop = stop;
    this.resolve = resolve;
    this.reused = carrier.reused;
  }

  start(request: WireRequest): void {
    if (this.stop?.aborted === true) {
      this.carrier.giveBack();
      this.sent = this.settings.now();
      this.settle({ kind: "cancelled", message: "cancelled before it was sent" }, this.sent);
      return;
    }
    this.stop?.addEventListener("abort", this.cancel, { once: true });
    this.sent = this.carrier.send(request, this);
    this.watch();
  }

  onHead(head: Head): void {
    this.head = head;
    this.firstByte = this.stamp;
    if (!this.settings.stream) {
      // its silence only counts from here
      clearTimeout(this.timer);
      this.watch();
    }
    const coding = head.headers.get("content-encoding");
    if (coding !== undefined && coding !== "identity" && coding !== "") {
      this.giveUp({
        kind: "malformed-http",
        message: `an answer compressed with ${coding.slice(0, 40)}, which was not asked for`,
      });
    }
  }

  onBody(bytes: Buffer, start: number, end: number): void {
    this.bytes += end - start;
    if (this.bytes > this.settings.limits.bytes) {
      this.giveUp({ kind: "too-long", message: `the answer is longer than ${this.settings.limits.bytes} bytes` });
      return;
    }
    const { status } = this.head!;
    if (status >= 300) {
      if (this.errorBytes < mostError) this.errorPieces.push(Buffer.from(bytes.subarray(start, end)));
      this.errorBytes += end - start;
      return;
    }
    this.reader ??= this.readerFor(bytes.toString("latin1", start, Math.min(end, start + 6)));
    const { reader } = this;
    reader.push(bytes, start, end, this.stamp);
    if (reader.failure !== null) this.giveUp(reader.failure);
    else if (reader.ended && this.endMark === null) {
      this.endMark = this.stamp;
      clearTimeout(this.timer);
      this.watch();
    }
  }

  onEnd(): void {
    if (this.settled) return;
    const { status, headers } = this.head!;
    if (status >= 300) {
      const body = this.settings.redact(textOfPieces(this.errorPieces));
      this.settle(statusFailure(status, headers, body), this.stamp);
      return;
    }
    this.reader ??= this.readerFor("");
    this.reader.finish();
    this.settle(this.reader.failure, this.stamp);
  }

  onLost(failure: Failure, untouched: boolean): void {
    if (this.settled) return;
    if (this.endMark !== null && this.reader !== null) {
      // all was told before the connection broke
      this.reader.finish();
      this.settle(this.reader.failure, this.endMark);
      return;
    }
    this.settle(this.statusBefore() ?? failure, this.stamp, untouched);
  }

  private readerFor(start: string): AnswerReader {
    const { row, redact } = this.settings;
    const { status, headers } = this.head!;
    const type = headers.get("content-type");
    return looksLikeStream(type, start) ? new StreamAnswer(row, redact) : new PlainAnswer(row, redact, status, type);
  }

  /** An error status says more than what became of its body. */
  private statusBefore(): Failure | null {
    if (this.head === null || this.head.status < 300) return null;
    const body = this.settings.redact(textOfPieces(this.errorPieces));
    return statusFailure(this.head.status, this.head.headers, body);
  }

  /** One timer a request: it looks what is over when it fires, so that a read costs nothing more than its stamp. */
  private watch(): void {
    const { limits, now } = this.settings;
    const last = Math.max(this.stamp, this.sent);
    const whole = this.sent + limits.totalSeconds;
    // an answer that does not stream is silent until it is there
    const listens = this.settings.stream || this.head !== null;
    const silent = listens ? last + limits.idleSeconds : Number.POSITIVE_INFINITY;
    const marked = this.endMark === null ? Number.POSITIVE_INFINITY : this.endMark + grace;
    const at = now();
    const next = Math.min(whole, silent, marked);
    if (at >= next) {
      if (marked <= at) {
        this.giveUp(null);
        return;
      }
      const failure = this.statusBefore();
      if (failure !== null) {
        this.giveUp(failure);
        return;
      }
      if (whole <= at) {
        this.giveUp({ kind: "timeout", message: `no end within ${limits.totalSeconds} s` });
        return;
      }
      this.giveUp({ kind: "stalled", message: `no byte for ${limits.idleSeconds} s on an open connection` });
      return;
    }
    // the head of an answer that does not stream may come meanwhile: from then on silence counts
    const wait = Math.min(next - at, limits.idleSeconds) * 1000;
    this.timer = setTimeout(() => this.watch(), Math.min(longestTimer, Math.max(1, wait)));
  }

  /** Leaves the connection; without a failure all that matters has come. */
  private giveUp(failure: Failure | null): void {
    if (this.settled) return;
    this.carrier.drop();
    if (failure === null) {
      this.reader!.finish();
      this.settle(this.reader!.failure, this.endMark!);
    } else this.settle(failure, this.settings.now());
  }

  private settle(failure: Failure | null, done: number, untouched = false): void {
    if (this.settled) return;
    this.settled = true;
    clearTimeout(this.timer);
    this.stop?.removeEventListener("abort", this.cancel);
    const { sent, firstByte, bytes, head, reused } = this;
    const reading = this.reader?.reading() ?? null;
    const { http } = this.carrier;
    this.resolve({ sent, firstByte, done, bytes, head, reading, failure, untouched, http, reused });
  }
}
