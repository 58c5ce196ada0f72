import { whole } from "./answer.js";
import type { Playing } from "./play.js";

const json = { "Content-Type": "application/json" };

/** An answer that does not stream: blank lines while it is made, if the server sends such, and then the JSON. */
export function playWhole(playing: Playing): void {
  const { exchange, served, order, now, paced, over } = playing;
  const { keepAlive } = order.behaviour;
  const { json: text, at, tokens } = whole(order);
  const lines = keepAlive !== null && order.fault === null;
  const ready = served.began + at + (order.fault?.kind === "stall" ? order.fault.seconds : 0);
  const send = (): void => {
    if (over()) return;
    const bytes = Buffer.from(text);
    if (order.fault !== null && playFault(bytes, playing)) return;
    served.tokens = tokens;
    if (!lines) exchange.head(200, json, bytes.length);
    complete(bytes, playing);
  };
  if (lines) {
    exchange.head(200, json, null);
    for (let time = served.began + keepAlive; time < ready; time += keepAlive) {
      paced.at(time, () => {
        if (!over()) exchange.write(Buffer.from("\n"));
      });
    }
  }
  if (ready <= now()) send();
  else paced.at(ready, send);
}

function complete(bytes: Buffer, { exchange, served, now, finish }: Playing): void {
  served.ended = now();
  exchange.end(bytes);
  finish();
}

/** True if the fault took the answer's place. */
function playFault(bytes: Buffer, playing: Playing): boolean {
  const { exchange, served, order, now, paced, over, finish } = playing;
  const half = bytes.subarray(0, bytes.length / 2);
  const error = Buffer.from(JSON.stringify({ error: { message: "the server is overloaded", code: "overloaded" } }));
  const endless = (): void => {
    if (over()) return;
    if (exchange.write(Buffer.alloc(4096, " "))) paced.at(now() + 0.001, endless);
    else exchange.drained(endless);
  };
  switch (order.fault?.kind) {
    case "half-open":
      exchange.head(200, json, bytes.length);
      exchange.write(half);
      return true;
    case "reset":
      exchange.head(200, json, bytes.length);
      exchange.write(half);
      served.ended = now();
      exchange.reset();
      finish();
      return true;
    case "no-end":
    case "truncated-chunk":
      exchange.head(200, json, null);
      exchange.write(half);
      served.ended = now();
      exchange.cut();
      finish();
      return true;
    case "malformed-sse":
    case "invalid-json":
      exchange.head(200, json, half.length);
      complete(half, playing);
      return true;
    case "error-event":
      exchange.head(200, json, error.length);
      complete(error, playing);
      return true;
    case "endless":
      exchange.head(200, json, null);
      endless();
      return true;
    default:
      return false;
  }
}
