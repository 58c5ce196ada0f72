import { createSecureServer, createServer, type Http2Server, type ServerHttp2Stream } from "node:http2";
import { createServer as createTcpServer, type Socket } from "node:net";
import { describe, expect, test } from "@jest/globals";
import { certificate } from "./client-certificate.js";
import { closeAfterEach, closing, sending, serve } from "./client-open.js";
import { event, goodStream, prompt, usage } from "./client-server.js";

closeAfterEach();

const ca = certificate.cert;

/** A small server of HTTP/2, plain or with TLS; tells its URL. */
async function serve2(
  answer: (stream: ServerHttp2Stream, body: string, server: Http2Server) => void,
  tls = true,
  settings = {},
): Promise<{ readonly url: string; readonly sessions: () => number; readonly paths: string[] }> {
  const server: Http2Server = tls
    ? (createSecureServer({ ...certificate, settings }) as unknown as Http2Server)
    : createServer({ settings });
  const sockets = new Set<Socket>();
  const paths: string[] = [];
  let sessions = 0;
  server.on(tls ? "secureConnection" : "connection", (socket: Socket) => {
    sockets.add(socket);
    socket.on("error", () => undefined);
  });
  server.on("session", () => {
    sessions += 1;
  });
  server.on("sessionError", () => undefined);
  server.on("stream", (stream, headers) => {
    let body = "";
    paths.push(`${headers[":method"]} ${headers[":path"]} ${headers["authorization"]}`);
    stream.on("error", () => undefined);
    stream.on("data", (text) => {
      body += text;
    });
    stream.on("end", () => answer(stream, body, server));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing({
    close: () =>
      new Promise<void>((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  });
  const { port } = server.address() as { port: number };
  return { url: `${tls ? "https" : "http"}://127.0.0.1:${port}/v1`, sessions: () => sessions, paths };
}

const events = [
  event({ content: "Hel" }),
  event({ content: "lo" }),
  event({}, { finish_reason: "stop" }),
  `data: ${JSON.stringify({ choices: [], usage })}\n\n`,
  "data: [DONE]\n\n",
];

function streaming(stream: ServerHttp2Stream): void {
  stream.respond({ ":status": 200, "content-type": "text/event-stream" });
  for (const text of events) stream.write(text);
  stream.end();
}

describe("TLS", () => {
  test("carries a stream where the certificate is trusted", async () => {
    const server = await serve((socket) => socket.write(goodStream), certificate);
    const sender = sending(server.url, {}, {}, { ca });
    await sender.connect(2);
    expect(await sender.send(prompt)).toMatchObject({ error: null, text: "Hello", http: "1.1", reused: false });
    expect(await sender.send(prompt)).toMatchObject({ error: null, text: "Hello", reused: true });
    expect(server.connections()).toBe(2);
  });

  test("names what is wrong with a certificate", async () => {
    const server = await serve((socket) => socket.write(goodStream), certificate);
    expect((await sending(server.url).send(prompt)).error).toMatchObject({
      kind: "tls",
      message: expect.stringMatching(/self-signed certificate \(DEPTH_ZERO_SELF_SIGNED_CERT\)/),
    });
    const named = sending(server.url.replace("127.0.0.1", "localhost"), {}, {}, { ca });
    expect((await named.send(prompt)).error).toMatchObject({
      kind: "tls",
      message: expect.stringContaining("ERR_TLS_CERT_ALTNAME_INVALID"),
    });
  });

  test("says where a server does not speak it, or hangs up", async () => {
    const plain = await serve(() => undefined);
    const text = createTcpServer((socket) => socket.resume().end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    await new Promise<void>((resolve) => text.listen(0, "127.0.0.1", resolve));
    closing({ close: () => new Promise((resolve) => text.close(resolve)) });
    const { port } = text.address() as { port: number };
    expect((await sending(`https://127.0.0.1:${port}`).send(prompt)).error).toMatchObject({
      kind: "tls",
      message: expect.stringContaining("does not speak TLS"),
    });
    const hanging = createTcpServer((socket) => socket.once("data", () => socket.destroy()));
    await new Promise<void>((resolve) => hanging.listen(0, "127.0.0.1", resolve));
    closing({ close: () => new Promise((resolve) => hanging.close(resolve)) });
    const other = (hanging.address() as { port: number }).port;
    expect((await sending(`https://127.0.0.1:${other}`).send(prompt)).error).toMatchObject({
      kind: "tls",
      message: expect.stringContaining("ended the connection during the handshake"),
    });
    expect(plain.got).toEqual([]);
  });
});

describe("HTTP/2", () => {
  test("is spoken where TLS offers it, over one connection", async () => {
    const server = await serve2(streaming);
    const sender = sending(server.url, {}, {}, { ca });
    await sender.connect(8);
    const outcomes = await Promise.all(Array.from({ length: 8 }, () => sender.send(prompt)));
    for (const outcome of outcomes) {
      expect(outcome).toMatchObject({
        error: null,
        text: "Hello",
        http: "2",
        outputTokens: 7,
        finish: "stop",
        status: 200,
      });
      expect(outcome.events).toHaveLength(2);
    }
    expect(server.sessions()).toBe(1);
    expect(server.paths[0]).toBe("POST /v1/chat/completions Bearer sk-very-secret-key");
    expect((await sender.send(prompt)).reused).toBe(true);
  });

  test("is not spoken where it is switched off or not offered", async () => {
    const only2 = await serve2(streaming);
    const off = await sending(only2.url, { http2: "off" }, {}, { ca }).send(prompt);
    expect(off.error).not.toBeNull();
    const only1 = await serve((socket) => socket.write(goodStream), { ...certificate, ALPNProtocols: ["http/1.1"] });
    expect(await sending(only1.url, {}, {}, { ca }).send(prompt)).toMatchObject({ error: null, http: "1.1" });
    expect((await sending(only1.url, { http2: "on" }, {}, { ca }).send(prompt)).error?.kind).toBe("tls");
  });

  test("is spoken without TLS by prior knowledge", async () => {
    const server = await serve2(streaming, false);
    expect(await sending(server.url, { http2: "on" }).send(prompt)).toMatchObject({
      error: null,
      text: "Hello",
      http: "2",
    });
    const plain = await serve((socket) => socket.end("HTTP/1.1 400 Bad Request\r\n\r\n"));
    const outcome = await sending(plain.url, { http2: "on" }, { connectSeconds: 0.5 }).send(prompt);
    expect(outcome.error).toMatchObject({ kind: "malformed-http" });
  });

  test("opens more connections where a server allows few streams on one", async () => {
    const server = await serve2((stream) => setTimeout(() => streaming(stream), 100), true, {
      maxConcurrentStreams: 2,
    });
    const sender = sending(server.url, {}, {}, { ca });
    const outcomes = await Promise.all(Array.from({ length: 6 }, () => sender.send(prompt)));
    expect(outcomes.map((outcome) => outcome.error)).toEqual([null, null, null, null, null, null]);
    expect(server.sessions()).toBe(3);
  });

  test("tells a broken stream, an error status, silence and a stop as HTTP/1.1 does", async () => {
    const server = await serve2((stream, body) => {
      const { model } = JSON.parse(body);
      if (model === "status") {
        stream.respond({ ":status": 429, "retry-after": "0" });
        stream.end('{"error":{"message":"busy"}}');
        return;
      }
      stream.respond({ ":status": 200, "content-type": "text/event-stream" });
      stream.write(events[0]);
      if (model === "break") setTimeout(() => stream.destroy(new Error("broken")), 30);
      if (model === "kill") setTimeout(() => stream.session?.destroy(), 30);
      if (model === "short") stream.end();
    });
    const send = (model: string, more = {}, stop?: AbortSignal) =>
      sending(server.url, { model }, { idleSeconds: 0.3, ...more }, { ca }).send(prompt, stop);
    expect(await send("status", { retries: 1 })).toMatchObject({
      error: { kind: "rate-limited", message: "status 429: busy" },
      retries: 1,
    });
    expect(await send("break")).toMatchObject({ error: { kind: "reset" }, text: "Hel" });
    expect(await send("kill")).toMatchObject({ error: { kind: "reset" }, text: "Hel" });
    expect(await send("short")).toMatchObject({ error: { kind: "truncated" }, text: "Hel" });
    expect(await send("silent")).toMatchObject({ error: { kind: "stalled" }, text: "Hel" });
    const stop = new AbortController();
    setTimeout(() => stop.abort(), 150);
    expect(await send("silent", {}, stop.signal)).toMatchObject({ error: { kind: "cancelled" }, text: "Hel" });
    const sender = sending(server.url, { model: "silent" }, {}, { ca });
    const sent = sender.send(prompt);
    setTimeout(() => sender.close(), 150);
    expect(await sent).toMatchObject({ error: { kind: "cancelled" }, text: "Hel" });
  });

  test("goes over a fresh connection where the server sends a kept one away", async () => {
    let count = 0;
    const server = await serve2((stream) => {
      count += 1;
      // the second finds the door closing
      if (count === 2) stream.session?.destroy();
      else streaming(stream);
    });
    const sender = sending(server.url, {}, {}, { ca });
    expect(await sender.send(prompt)).toMatchObject({ error: null });
    expect(await sender.send(prompt)).toMatchObject({ error: null, reconnected: true, retries: 0, reused: false });
  });
});
