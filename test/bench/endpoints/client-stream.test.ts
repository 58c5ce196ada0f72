import type { Socket } from "node:net";
import { afterEach, describe, expect, test } from "@jest/globals";
import type { Sender } from "../../../src/bench/endpoints/sender.js";
import { type Got, goodStream, prompt, type SmallServer, senderOf, smallServer } from "./client-server.js";

const open: { close(): unknown }[] = [];
afterEach(async () => {
  for (const it of open.splice(0).reverse()) await it.close();
});

async function serve(answer: (socket: Socket, got: Got) => void): Promise<SmallServer> {
  const server = await smallServer(answer);
  open.push(server);
  return server;
}

function sending(...parameters: Parameters<typeof senderOf>): Sender {
  const sender = senderOf(...parameters);
  open.push(sender);
  return sender;
}

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

  test("keeps its connection for the next request", async () => {
    const server = await serve((socket) => socket.write(goodStream));
    const sender = sending(server.url);
    await sender.connect(2);
    expect(server.connections()).toBe(2);
    for (let turn = 0; turn < 5; turn += 1) expect((await sender.send(prompt)).reused).toBe(turn > 0);
    expect(server.connections()).toBe(2);
  });
});
