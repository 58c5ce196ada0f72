import { createServer } from "node:net";
import { describe, expect, test } from "@jest/globals";
import { notCompatible } from "../../../src/bench/endpoints/sender-create.js";
import { closeAfterEach, sending, serve } from "./client-open.js";
import { chunk, event, goodStream, lastChunk, plainOf, prompt, streamHead, streamOf } from "./client-server.js";

closeAfterEach();

const begun = streamHead + chunk(event({ content: "a" })) + chunk(event({ content: "b" }));

describe("failures have a name of their own, and what was measured is kept", () => {
  test("nobody listens", async () => {
    const closed = createServer();
    await new Promise<void>((resolve) => closed.listen(0, "127.0.0.1", resolve));
    const { port } = closed.address() as { port: number };
    await new Promise((resolve) => closed.close(resolve));
    const sender = sending(`http://127.0.0.1:${port}`);
    await sender.connect(3);
    const outcome = await sender.send(prompt);
    expect(outcome).toMatchObject({
      error: { kind: "refused", message: `127.0.0.1:${port}: connection refused (ECONNREFUSED)` },
      http: null,
      status: null,
      firstByte: null,
      events: [],
      usage: null,
      outputTokens: null,
      tokenSource: null,
    });
  });

  test("a name without an address", async () => {
    const outcome = await sending("http://no-such-host.invalid:8000").send(prompt);
    expect(outcome.error).toMatchObject({ kind: "dns", message: expect.stringContaining("no-such-host.invalid") });
  });

  test("the connection ends in the middle of the stream", async () => {
    const server = await serve((socket) => {
      socket.write(begun);
      setTimeout(() => socket.destroy(), 20);
    });
    const outcome = await sending(server.url).send(prompt);
    expect(outcome).toMatchObject({ error: { kind: "reset" }, text: "ab", status: 200, finish: null });
    expect(outcome.events).toHaveLength(2);
    expect(outcome.done).toBeGreaterThan(outcome.events[1]!);
  });

  test("the connection is reset in the middle of the stream", async () => {
    const server = await serve((socket) => {
      socket.write(begun);
      setTimeout(() => socket.resetAndDestroy(), 20);
    });
    expect(await sending(server.url).send(prompt)).toMatchObject({
      error: { kind: "reset", message: expect.stringContaining("ECONNRESET") },
      text: "ab",
    });
  });

  test("half-open: it goes silent", async () => {
    const server = await serve((socket) => socket.write(begun));
    const outcome = await sending(server.url, {}, { idleSeconds: 0.2 }).send(prompt);
    expect(outcome).toMatchObject({ error: { kind: "stalled" }, text: "ab" });
    expect(outcome.done - outcome.events[1]!).toBeGreaterThan(0.15);
    const mute = await serve(() => undefined);
    expect(await sending(mute.url, {}, { idleSeconds: 0.2 }).send(prompt)).toMatchObject({
      error: { kind: "stalled" },
    });
  });

  test("comments keep it from being silent, but not for ever", async () => {
    const server = await serve((socket) => {
      socket.write(streamHead);
      const timer = setInterval(() => socket.write(chunk(": keep-alive\n\n")), 30);
      socket.on("close", () => clearInterval(timer));
    });
    const outcome = await sending(server.url, {}, { idleSeconds: 0.2, totalSeconds: 0.6 }).send(prompt);
    expect(outcome).toMatchObject({ error: { kind: "timeout", message: "no end within 0.6 s" }, events: [] });
  });

  test("an answer that does not stream may be silent until it is there", async () => {
    const server = await serve((socket) => {
      setTimeout(() => socket.write(plainOf({ choices: [{ message: { content: "late" } }] })), 300);
    });
    const sender = sending(server.url, { stream: false }, { idleSeconds: 0.1 });
    expect(await sender.send(prompt)).toMatchObject({ error: null, text: "late" });
    const begun = await serve((socket) => socket.write(plainOf({ choices: [] }).slice(0, -4)));
    const stalled = await sending(begun.url, { stream: false }, { idleSeconds: 0.2 }).send(prompt);
    expect(stalled).toMatchObject({ error: { kind: "stalled" }, status: 200 });
    expect(stalled.done - stalled.sent).toBeLessThan(1);
  });

  test("nothing connects in time", async () => {
    // TLS with a server that never answers the greeting
    const mute = await serve(() => undefined);
    const outcome = await sending(mute.url.replace("http", "https"), {}, { connectSeconds: 0.2 }).send(prompt);
    expect(outcome.error).toMatchObject({
      kind: "connect-timeout",
      message: expect.stringContaining("no TLS session"),
    });
  });

  test("an endless stream", async () => {
    const server = await serve((socket) => {
      socket.write(streamHead);
      const more = chunk(event({ content: "x" }).repeat(20));
      const timer = setInterval(() => socket.write(more), 1);
      socket.on("close", () => clearInterval(timer));
    });
    const outcome = await sending(server.url, {}, { bytes: 20000 }).send(prompt);
    expect(outcome.error).toEqual({ kind: "too-long", message: "the answer is longer than 20000 bytes" });
    expect(outcome.events.length).toBeGreaterThan(20);
  });

  test("an endless line", async () => {
    const server = await serve((socket) => {
      socket.write(`${streamHead}${chunk("data: ")}`);
      const timer = setInterval(() => socket.write(chunk("x".repeat(1000))), 1);
      socket.on("close", () => clearInterval(timer));
    });
    expect(await sending(server.url, {}, { bytes: 20000 }).send(prompt)).toMatchObject({ error: { kind: "too-long" } });
  });

  test.each([
    ["rate-limited", plainOf({ error: { message: "slow down" } }, "429 Too Many Requests"), "status 429: slow down"],
    ["unauthorized", plainOf({ error: { message: "no key" } }, "401 Unauthorized"), "status 401: no key"],
    ["unauthorized", plainOf("", "403 Forbidden"), "status 403"],
    ["http-4xx", plainOf({ detail: "Not Found" }, "404 Not Found"), "status 404: Not Found"],
    [
      "http-4xx",
      plainOf({ detail: [{ msg: "field required" }] }, "422 Unprocessable"),
      'status 422: [{"msg":"field required"}]',
    ],
    ["http-4xx", plainOf("", "308 Moved", "Location: https://b/v1?token=abc\r\n"), "redirected to https://b/v1"],
    ["http-5xx", plainOf({ error: "no memory" }, "500 Oops"), "status 500: no memory"],
    ["http-5xx", plainOf("<html><style>b{}</style><h1>Bad\nGateway</h1></html>", "502 Bad"), "status 502: Bad Gateway"],
    ["in-stream", streamOf(event({ content: "a" }), 'data: {"error":{"message":"killed"}}\n\n'), "killed"],
    ["in-stream", plainOf({ error: { message: "no such model" } }), "no such model"],
    ["malformed-sse", streamOf(event({ content: "a" }), "garbage here\n\n"), "garbage here"],
    ["invalid-json", streamOf("data: {oops}\n\n"), "{oops}"],
    ["invalid-json", plainOf('{"choices":'), 'answered with 200 application/json: {"choices":'],
    ["malformed-http", "SSH-2.0-OpenSSH_9.2p1\r\n\r\n", "not an answer of HTTP/1.1: SSH-2.0"],
    ["malformed-http", `${streamHead}zz\r\n`, "a chunk without a size"],
    ["malformed-http", plainOf("{}", "200 OK", "Content-Encoding: gzip\r\n"), "compressed with gzip"],
    ["truncated", streamOf(event({ content: "a" })), "without a finish reason"],
    ["empty", streamOf(event({ role: "assistant", content: "" }), "data: [DONE]\n\n"), "without any output"],
    ["empty", streamHead + lastChunk, "without a single byte"],
    [
      "invalid-json",
      plainOf("error: no GPU").replace("application/json", "text/plain"),
      "answered with 200 text/plain: error: no GPU",
    ],
    [
      "invalid-json",
      streamOf('data: {"type":"response.created"}\n\n'),
      'not of this protocol: {"type":"response.created"}',
    ],
    ["empty", plainOf(""), "without a body"],
    ["empty", plainOf({ choices: [{ message: { content: "" } }] }), "without any output"],
  ])("%s: %j", async (kind, answer, message) => {
    const server = await serve((socket) => socket.write(answer));
    const sender = sending(server.url);
    const { error } = await sender.send(prompt);
    expect(error).toEqual({ kind, message: expect.stringContaining(message) });
    // and the sender is as good as new
    expect((await sender.send(prompt)).error?.kind).toBe(kind);
  });

  test("an endpoint that does not speak the protocol says what it answered", async () => {
    const page = `<!doctype html><title>Welcome</title>${" hello".repeat(100)}`;
    const html = await serve((socket) => socket.write(plainOf(page).replace("application/json", "text/html")));
    const outcome = await sending(html.url).send(prompt);
    expect(notCompatible(outcome)?.message).toMatch(
      /^answered with 200 text\/html: <!doctype html><title>Welcome<\/title> hello/,
    );
    expect(notCompatible(outcome)!.message.length).toBeLessThan(150);
    const other = await serve((socket) => socket.write(plainOf({ status: "ok" })));
    expect(notCompatible(await sending(other.url).send(prompt))?.message).toBe(
      'answered with 200 application/json: {"status":"ok"}',
    );
    const missing = await serve((socket) => socket.write(plainOf({ detail: "Not Found" }, "404 Not Found")));
    expect(notCompatible(await sending(missing.url).send(prompt))?.message).toBe("status 404: Not Found");
    const good = await serve((socket) => socket.write(goodStream));
    expect(notCompatible(await sending(good.url).send(prompt))).toBeNull();
    const busy = await serve((socket) => socket.write(plainOf("", "503 Busy")));
    expect(notCompatible(await sending(busy.url).send(prompt))).toBeNull();
  });
});

describe("secrets", () => {
  test("are taken out of what servers say, even where the message is cut", async () => {
    const server = await serve((socket, { line, headers }) => {
      const echo = `${"x".repeat(185)} ${headers["authorization"]} ${headers["x-token"]} ${line}`;
      socket.write(plainOf({ error: { message: echo } }, "401 Unauthorized"));
    });
    const url = `${server.url}?code=query-secret`;
    for (const pad of ["", "short"]) {
      const { error } = await sending(url, { headers: { "X-Token": `${pad}hunter22` } }).send(prompt);
      const said = JSON.stringify(error);
      expect(said).not.toMatch(/sk-|very|secret|hunter/);
      expect(error!.message.length).toBeLessThan(230);
    }
  });

  test("a server's long message is cut", async () => {
    const server = await serve((socket) =>
      socket.write(plainOf({ error: { message: "w\n".repeat(90000) } }, "400 Bad")),
    );
    const { error } = await sending(server.url).send(prompt);
    expect(error!.message.length).toBeLessThan(230);
    expect(error!.message).not.toContain("\n");
  });
});

describe("sending again", () => {
  const busy = (after: string): string =>
    plainOf({ error: { message: "busy" } }, "429 Too Many Requests", `Retry-After: ${after}\r\n`);

  test("waits as the server asks, is counted, and the last attempt is measured", async () => {
    const server = await serve((socket) => socket.write(server.got.length < 3 ? busy("0.1") : goodStream));
    const outcome = await sending(server.url, {}, { retries: 5 }).send(prompt);
    expect(outcome).toMatchObject({ error: null, retries: 2, text: "Hello", reused: true });
    expect(outcome.sent - outcome.firstSent).toBeGreaterThan(0.19);
    expect(outcome.events[0]! - outcome.sent).toBeLessThan(0.1);
  });

  test("understands a date", async () => {
    const server = await serve((socket) => {
      socket.write(server.got.length < 2 ? busy(new Date(Date.now() - 5000).toUTCString()) : goodStream);
    });
    expect(await sending(server.url, {}, { retries: 1 }).send(prompt)).toMatchObject({ error: null, retries: 1 });
  });

  test("ends when there are no retries left, or the wait is longer than a request may take", async () => {
    const server = await serve((socket) => socket.write(busy("0")));
    expect(await sending(server.url, {}, { retries: 2 }).send(prompt)).toMatchObject({
      error: { kind: "rate-limited" },
      retries: 2,
    });
    const slow = await serve((socket) => socket.write(busy("3600")));
    expect(await sending(slow.url, {}, { retries: 2 }).send(prompt)).toMatchObject({
      error: { kind: "rate-limited" },
      retries: 0,
    });
  });

  test("happens for a server that fails or breaks off before the first token", async () => {
    const server = await serve((socket) => {
      const { length } = server.got;
      if (length === 1) socket.write(plainOf("", "503 Busy", "Retry-After: 0\r\n"));
      else if (length === 2) socket.destroy();
      else socket.write(goodStream);
    });
    const outcome = await sending(server.url, {}, { retries: 3 }).send(prompt);
    // the destroyed one was a kept connection
    expect(outcome).toMatchObject({ error: null, retries: 1, reconnected: true });
  });

  test("never happens for what will not get better, nor once a token came", async () => {
    const refusing = await serve((socket) => socket.write(plainOf({ error: "bad" }, "400 Bad")));
    expect(await sending(refusing.url, {}, { retries: 3 }).send(prompt)).toMatchObject({ retries: 0 });
    const breaking = await serve((socket) => {
      socket.write(begun);
      setTimeout(() => socket.destroy(), 10);
    });
    expect(await sending(breaking.url, {}, { retries: 3 }).send(prompt)).toMatchObject({
      error: { kind: "reset" },
      retries: 0,
    });
  });
});

describe("being stopped", () => {
  test("before, while connecting, while it streams, and while it waits to send again", async () => {
    const server = await serve((socket) => socket.write(begun));
    const sender = sending(server.url);
    expect(await sender.send(prompt, AbortSignal.abort())).toMatchObject({ error: { kind: "cancelled" }, events: [] });
    const stop = new AbortController();
    const sent = sender.send(prompt, stop.signal);
    setTimeout(() => stop.abort(), 50);
    const outcome = await sent;
    expect(outcome).toMatchObject({ error: { kind: "cancelled" }, text: "ab" });
    expect(outcome.events).toHaveLength(2);

    const busy = await serve((socket) => socket.write(plainOf("", "429 Busy", "Retry-After: 4\r\n")));
    const waiting = new AbortController();
    const retried = sending(busy.url, {}, { retries: 3 }).send(prompt, waiting.signal);
    setTimeout(() => waiting.abort(), 50);
    expect(await retried).toMatchObject({ error: { kind: "cancelled" }, retries: 0 });
  });

  test("one signal stops a thousand requests without a warning", async () => {
    const server = await serve((socket) => socket.write(begun));
    const sender = sending(server.url);
    const stop = new AbortController();
    const sent = Array.from({ length: 300 }, () => sender.send(prompt, stop.signal));
    setTimeout(() => stop.abort(), 300);
    const kinds = new Set((await Promise.all(sent)).map((outcome) => outcome.error?.kind));
    expect([...kinds]).toEqual(["cancelled"]);
    // node warns from 11 listeners on, if there is a limit
    const limit = Object.getOwnPropertySymbols(stop.signal).find((name) =>
      name.description?.includes("maxEventTarget"),
    );
    expect(Reflect.get(stop.signal, limit!)).toBe(0);
  });

  test("close ends requests under way, waits and connections that are not there yet", async () => {
    const streaming = await serve((socket) => socket.write(begun));
    const first = sending(streaming.url);
    const sent = first.send(prompt);
    const busy = await serve((socket) => socket.write(plainOf("", "429 Busy", "Retry-After: 4\r\n")));
    const second = sending(busy.url, {}, { retries: 3 });
    const waiting = second.send(prompt);
    const mute = await serve(() => undefined);
    const third = sending(mute.url.replace("http", "https"));
    const connecting = third.send(prompt);
    await new Promise((resolve) => setTimeout(resolve, 100));
    for (const sender of [first, second, third]) sender.close();
    const outcomes = await Promise.all([sent, waiting, connecting, first.send(prompt)]);
    expect(outcomes.map((outcome) => outcome.error?.kind)).toEqual([
      "cancelled",
      "cancelled",
      "cancelled",
      "cancelled",
    ]);
    expect(outcomes[0]!.text).toBe("ab");
  });
});
