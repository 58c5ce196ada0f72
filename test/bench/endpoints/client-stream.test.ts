import { describe, expect, test } from "@jest/globals";
import { outputTokensOf } from "../../../src/bench/endpoints/tokens.js";
import { closeAfterEach, sending, serve } from "./client-open.js";
import { chunk, event, goodStream, lastChunk, plainOf, prompt, streamHead, streamOf, usage } from "./client-server.js";

closeAfterEach();

const pause = (milliseconds: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, milliseconds));

describe("a stream of chat completions", () => {
  test("is asked for as a client asks, and measured", async () => {
    const server = await serve((socket) => socket.write(goodStream));
    const sender = sending(server.url, { body: { thinking: { type: "enabled" } }, headers: { "X-Team": "red" } });
    const outcome = await sender.send(prompt);
    expect(outcome).toMatchObject({
      error: null,
      text: "Hello",
      reasoning: "",
      finish: "stop",
      usage: { input: 10, output: 7, cached: 4, reasoning: null },
      outputTokens: 7,
      tokenSource: "usage",
      firstEventTokens: null,
      status: 200,
      http: "1.1",
      reused: false,
      retries: 0,
      streamed: true,
    });
    expect(outcome.events).toHaveLength(2);
    expect(outcome.sent).toBeLessThanOrEqual(outcome.firstByte!);
    expect(outcome.events[1]).toBeLessThanOrEqual(outcome.done);
    expect(server.got[0]).toMatchObject({
      line: "POST /v1/chat/completions HTTP/1.1",
      headers: { authorization: "Bearer sk-very-secret-key", "x-team": "red", accept: "text/event-stream" },
      body: {
        model: "m",
        messages: prompt.messages,
        max_tokens: 9,
        stream: true,
        stream_options: { include_usage: true },
        thinking: { type: "enabled" },
      },
    });
    expect(outcome).not.toHaveProperty("reconnected");
  });

  test("is stamped when its bytes come, not when it ends", async () => {
    const server = await serve(async (socket) => {
      socket.write(streamHead + chunk(": keep-alive\n\n") + chunk(event({ role: "assistant", content: "" })));
      await pause(60);
      socket.write(chunk(event({ reasoning_content: "hm" })));
      await pause(60);
      socket.write(chunk(event({ content: "a" }) + event({ content: "b" })));
      await pause(60);
      socket.write(chunk(event({}, { finish_reason: "stop" })) + chunk("data: [DONE]\n\n") + lastChunk);
    });
    const { sent, firstByte, events, firstAnswer, done, ...outcome } = await sending(server.url).send(prompt);
    expect(outcome).toMatchObject({ error: null, text: "ab", reasoning: "hm", tokenSource: "events", outputTokens: 3 });
    expect(events).toHaveLength(3);
    // timers may be a millisecond early
    expect(events[0]! - firstByte!).toBeGreaterThan(0.05);
    expect(events[1]! - events[0]!).toBeGreaterThan(0.05);
    expect(events[2]).toBe(events[1]);
    expect(firstAnswer).toBe(events[1]);
    expect(done - events[2]!).toBeGreaterThan(0.05);
    expect(sent).toBeLessThan(firstByte!);
  });

  test("is measured though the server breaks off after the end mark, or stays silent", async () => {
    const text = `${event({ content: "a" }) + event({}, { finish_reason: "stop" })}data: [DONE]\n\n`;
    const breaking = await serve((socket) => {
      socket.write(streamHead + chunk(text));
      setTimeout(() => socket.destroy(), 20);
    });
    expect(await sending(breaking.url).send(prompt)).toMatchObject({ error: null, text: "a" });
    const silent = await serve((socket) => socket.write(streamHead + chunk(text)));
    const outcome = await sending(silent.url, {}, { idleSeconds: 30, totalSeconds: 30 }).send(prompt);
    expect(outcome).toMatchObject({ error: null, text: "a" });
    expect(outcome.done - outcome.sent).toBeLessThan(0.5);
  });

  test("may end with the connection, and may come under another name", async () => {
    const text = event({ content: "a" }) + event({}, { finish_reason: "stop" });
    const server = await serve((socket) =>
      socket.end(`HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n${text}`),
    );
    const sender = sending(server.url);
    expect(await sender.send(prompt)).toMatchObject({ error: null, text: "a", streamed: true });
    expect(await sender.send(prompt)).toMatchObject({ error: null, text: "a", reused: false });
  });
});

describe("an answer that does not stream", () => {
  const message = { content: "Hi", reasoning_content: "hm" };
  const answer = { choices: [{ index: 0, message, finish_reason: "stop" }], usage };

  test("has its last byte for an end and no token events", async () => {
    const server = await serve((socket) => socket.write(plainOf(answer)));
    const outcome = await sending(server.url, { stream: false }).send(prompt);
    expect(outcome).toMatchObject({
      error: null,
      events: [],
      firstAnswer: null,
      streamed: false,
      text: "Hi",
      reasoning: "hm",
      finish: "stop",
      outputTokens: 7,
      tokenSource: "usage",
    });
    expect(server.got[0]!.body).not.toHaveProperty("stream_options");
  });

  test("may have blank lines before it that keep the connection alive", async () => {
    const body = JSON.stringify(answer);
    const server = await serve(async (socket) => {
      const length = Buffer.byteLength(body) + 4;
      socket.write(`HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: ${length}\r\n\r\n\n\n`);
      await pause(20);
      socket.write(`\n\n${body}`);
    });
    expect(await sending(server.url, { stream: false }).send(prompt)).toMatchObject({ error: null, text: "Hi" });
  });

  test("is taken as what it is where a stream was asked for", async () => {
    const server = await serve((socket) => socket.write(plainOf(answer)));
    expect(await sending(server.url).send(prompt)).toMatchObject({
      error: null,
      text: "Hi",
      streamed: false,
      events: [],
    });
  });

  test("calls of tools are an answer", async () => {
    const calls = { content: null, tool_calls: [{ function: { name: "f", arguments: "{}" } }] };
    const server = await serve((socket) =>
      socket.write(plainOf({ choices: [{ message: calls, finish_reason: "tool_calls" }] })),
    );
    const outcome = await sending(server.url, { stream: false }).send(prompt);
    expect(outcome).toMatchObject({ error: null, finish: "tool_calls", outputTokens: null, tokenSource: null });
  });
});

describe("the number of tokens", () => {
  const pieces = ["Hel", "lo", " you"].map((content) => event({ content }));
  const silent = streamOf(event({ reasoning_content: "hm" }), ...pieces, event({}, { finish_reason: "stop" }));

  test("is counted over the joined text where the server does not tell, never event by event", async () => {
    const server = await serve((socket) => socket.write(silent));
    const asked: string[] = [];
    const countTokens = (text: string): number => {
      asked.push(text);
      return text.split(" ").length;
    };
    expect(await sending(server.url, {}, {}, { countTokens }).send(prompt)).toMatchObject({
      outputTokens: 3,
      tokenSource: "tokenizer",
    });
    expect(asked).toEqual(["hm", "Hello you"]);
    expect(await sending(server.url).send(prompt)).toMatchObject({ outputTokens: 4, tokenSource: "events" });
  });

  test("is not 0 where there is text, whatever the usage says", () => {
    const usage = { input: 5, output: 0, cached: null, reasoning: null };
    const answer = { usage, events: 2, texts: ["hi"], failed: false, countTokens: undefined };
    expect(outputTokensOf(answer)).toEqual({ outputTokens: 2, tokenSource: "events" });
    expect(outputTokensOf({ ...answer, events: 0 })).toEqual({ outputTokens: null, tokenSource: null });
    expect(outputTokensOf({ ...answer, events: 0, texts: [""] })).toEqual({ outputTokens: 0, tokenSource: "usage" });
  });
});

describe("connections", () => {
  test("are kept for the next request", async () => {
    const server = await serve((socket) => socket.write(goodStream));
    const sender = sending(server.url);
    await sender.connect(3);
    for (let turn = 0; turn < 5; turn += 1) expect((await sender.send(prompt)).reused).toBe(turn > 0);
    expect(server.connections()).toBe(3);
    const outcomes = await Promise.all(Array.from({ length: 4 }, () => sender.send(prompt)));
    expect(outcomes.map((outcome) => outcome.error)).toEqual([null, null, null, null]);
    expect(server.connections()).toBe(4);
  });

  test("that died meanwhile cost a fresh one, no error and no retry", async () => {
    // the second request of each connection finds it closing
    const server = await serve((socket, { turn }) => {
      if (turn === 0) socket.write(goodStream);
      else socket.destroy();
    });
    const sender = sending(server.url);
    expect(await sender.send(prompt)).toMatchObject({ error: null, reused: false });
    const outcome = await sender.send(prompt);
    expect(outcome).toMatchObject({ error: null, reused: false, retries: 0, reconnected: true, text: "Hello" });
    expect(outcome.firstSent).toBeLessThan(outcome.sent);
  });

  test("on which a fresh answer breaks off are an error", async () => {
    const server = await serve((socket, { turn }) => {
      if (turn === 0) socket.write(goodStream);
      else socket.end("HTTP/1.1 200 OK\r\n");
    });
    const sender = sending(server.url);
    await sender.send(prompt);
    expect(await sender.send(prompt)).toMatchObject({ error: { kind: "reset" }, reused: true });
  });

  test("that were closed while free are not used again", async () => {
    const server = await serve((socket) => {
      socket.write(goodStream);
      setTimeout(() => socket.end(), 5);
    });
    const sender = sending(server.url);
    await sender.send(prompt);
    await pause(50);
    const outcome = await sender.send(prompt);
    expect(outcome).toMatchObject({ error: null, reused: false });
    expect(outcome).not.toHaveProperty("reconnected");
  });

  test("that say more than they were asked are not used again", async () => {
    const server = await serve((socket) => socket.write(`${goodStream}HTTP/1.1 200 OK\r\n\r\n`));
    const sender = sending(server.url);
    expect(await sender.send(prompt)).toMatchObject({ error: null, text: "Hello" });
    expect(await sender.send(prompt)).toMatchObject({ error: null, reused: false });
    const later = await serve((socket) => {
      socket.write(goodStream);
      setTimeout(() => socket.write("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}"), 10);
    });
    const other = sending(later.url);
    await other.send(prompt);
    await pause(50);
    expect(await other.send(prompt)).toMatchObject({ error: null, text: "Hello", reused: false });
  });

  test("work by name, where a name has addresses nobody listens on", async () => {
    const server = await serve((socket) => socket.write(goodStream));
    const sender = sending(server.url.replace("127.0.0.1", "localhost"));
    expect(await sender.send(prompt)).toMatchObject({ error: null, text: "Hello" });
    expect(server.got[0]!.headers["host"]).toMatch(/^localhost:\d+$/);
  });
});
