import { EventEmitter } from "node:events";
import { connect as connectHttp2 } from "node:http2";
import { request } from "node:https";
import { afterEach, describe, expect, test } from "@jest/globals";
import { stream } from "../../../src/bench/server/answer.js";
import { type Behaviour, type Behaviours, faultOf, plain } from "../../../src/bench/server/behaviour.js";
import { type Channel, connectChild, serveParent } from "../../../src/bench/server/child.js";
import { openaiDialect } from "../../../src/bench/server/dialects.js";
import { tourEndpoints } from "../../../src/bench/server/endpoints.js";
import { type GoldenServer, type ServerOptions, startServer } from "../../../src/bench/server/serve.js";
import { cert, key } from "./certificate.js";

const servers: GoldenServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});
async function start(behaviours: Behaviours, options: ServerOptions = {}): Promise<GoldenServer> {
  const server = await startServer(behaviours, options);
  servers.push(server);
  return server;
}

const fast: Partial<Behaviour> = { ttft: 0.002, gap: 0.001, tokens: 7 };

interface Ask {
  readonly path?: string;
  readonly stream?: boolean;
  readonly content?: string;
  readonly headers?: Record<string, string>;
  readonly more?: object;
}

async function ask(server: GoldenServer, model: string, options: Ask = {}): Promise<{ status: number; text: string }> {
  const { path = "/chat/completions", stream = true, content = "hi", headers = {}, more = {} } = options;
  const body = JSON.stringify({ model, stream, messages: [{ role: "user", content }], ...more });
  const answer = await fetch(server.url + path, { method: "POST", headers, body });
  return { status: answer.status, text: await answer.text() };
}

/** Data of the events of a stream, without the end mark. */
const events = (text: string): Record<string, unknown>[] =>
  text
    .split("\n")
    .filter((line) => line.startsWith("data: ") && line !== "data: [DONE]")
    .map((line) => JSON.parse(line.slice(6)));

const contents = (text: string, field = "content"): string =>
  events(text)
    .map(
      (event) => (event as unknown as { choices: { delta: Record<string, string> }[] }).choices[0]?.delta[field] ?? "",
    )
    .join("");

describe("what it says", () => {
  test("a stream of chat completions: role, tokens, finish reason, usage, end mark", async () => {
    const server = await start({ plain: fast });
    const { status, text } = await ask(server, "plain");
    expect(status).toBe(200);
    const all = events(text) as unknown as {
      choices: { delta: object; finish_reason: string | null }[];
      usage?: object;
    }[];
    expect(all[0]!.choices[0]!.delta).toEqual({ role: "assistant", content: "" });
    expect(contents(text).trim().split(" ")).toHaveLength(7);
    expect(all.at(-1)!.choices[0]!.finish_reason).toBe("stop");
    expect(all.at(-1)!.usage).toMatchObject({ prompt_tokens: 1, completion_tokens: 7, prompt_cache_miss_tokens: 1 });
    expect(text.endsWith("data: [DONE]\n\n")).toBe(true);
    expect(server.requests()).toMatchObject([
      {
        model: "plain",
        prompt: "hi",
        protocol: "chat",
        streamed: true,
        tokens: 7,
        tokenEvents: 7,
        status: 200,
        gone: false,
      },
    ]);
  });

  test("reasoning first, several tokens an event, tool calls in pieces, comments, empty deltas, torn anywhere", async () => {
    const odd: Partial<Behaviour> = {
      ...fast,
      reasoningTokens: 3,
      tokensPerEvent: [2, 1],
      toolCall: { name: "look", arguments: '{"city":"Zürich"}', pieces: 3 },
      commentEvery: 2,
      emptyDeltas: true,
      pieces: 4,
      usage: "extra",
      cachedFields: "openai",
    };
    const server = await start({ odd });
    const { text } = await ask(server, "odd");
    expect(contents(text, "reasoning_content").trim().split(" ")).toHaveLength(3);
    expect(contents(text).trim().split(" ")).toHaveLength(7);
    expect(text).toContain("你好");
    const calls = [...text.matchAll(/"function":\{"arguments":"((?:[^"\\]|\\.)*)"/g)].map((call) =>
      JSON.parse(`"${call[1]}"`),
    );
    expect(calls).toHaveLength(3);
    expect(JSON.parse(calls.join(""))).toEqual({ city: "Zürich" });
    expect(text.match(/^: keep-alive$/gm)!.length).toBeGreaterThan(2);
    const last = events(text).at(-1) as unknown as { choices: []; usage: object };
    expect(last).toMatchObject({
      choices: [],
      usage: {
        completion_tokens: 13,
        prompt_tokens_details: { cached_tokens: 0 },
        completion_tokens_details: { reasoning_tokens: 3 },
      },
    });
    const [served] = server.requests();
    expect(served).toMatchObject({ tokens: 13, tokenEvents: 2 + 5 + 3 });
    expect(served!.firstAnswer).toBe(served!.events[2]);
  });

  test("usage in every event, and in none", async () => {
    const server = await start({
      every: { ...fast, usage: "every" },
      absent: { ...fast, usage: "absent" },
      asked: { ...fast, usage: "asked" },
    });
    const counted = events((await ask(server, "every")).text).map(
      (event) => (event as unknown as { usage: { completion_tokens: number } }).usage.completion_tokens,
    );
    expect(counted).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 7]);
    expect((await ask(server, "absent")).text).not.toContain("usage");
    expect((await ask(server, "asked")).text).not.toContain("usage");
    expect((await ask(server, "asked", { more: { stream_options: { include_usage: true } } })).text).toContain("usage");
  });

  test("completions, Anthropic messages, answers in one piece, the list of models", async () => {
    const server = await start({ plain: { ...fast, reasoningTokens: 2 } });
    expect((await ask(server, "plain", { path: "/beta/completions" })).text).toContain('"text":"model "');
    const { text } = await ask(server, "plain", { path: "/anthropic/v1/messages" });
    expect(events(text).map((event) => event["type"])).toEqual([
      "message_start",
      "ping",
      ...["content_block_start", "content_block_delta", "content_block_delta", "content_block_stop"],
      "content_block_start",
      ...Array<string>(7).fill("content_block_delta"),
      ...["content_block_stop", "message_delta", "message_stop"],
    ]);
    const whole = JSON.parse((await ask(server, "plain", { stream: false, more: { max_tokens: 5 } })).text);
    expect(whole.choices[0]).toMatchObject({ finish_reason: "length", message: { content: "the model answers " } });
    expect(whole.usage).toMatchObject({ completion_tokens: 5, completion_tokens_details: { reasoning_tokens: 2 } });
    const messages = JSON.parse((await ask(server, "plain", { path: "/v1/messages", stream: false })).text);
    expect(messages).toMatchObject({ type: "message", stop_reason: "end_turn", usage: { output_tokens: 9 } });
    const models = (await (await fetch(`${server.url}/v1/models`)).json()) as { data: { id: string }[] };
    expect(models.data.map(({ id }) => id)).toEqual(["plain"]);
  });

  test("blank lines keep an answer in one piece alive", async () => {
    const server = await start({ slow: { ...fast, ttft: 0.1, keepAlive: 0.02 } });
    const { text } = await ask(server, "slow", { stream: false });
    expect(text).toMatch(/^\n{2,}\{/);
    expect((await ask(server, "slow")).text).toMatch(/^(: keep-alive\n\n){2,}data: /);
  });

  test("refusals: unknown model, unknown path, rubbish, a wrong key", async () => {
    const server = await start({ plain: fast }, { key: "right" });
    const headers = { authorization: "Bearer right" };
    expect((await ask(server, "plain")).status).toBe(401);
    expect(await ask(server, "other", { headers })).toMatchObject({
      status: 400,
      text: expect.stringContaining("Model Not Exist"),
    });
    expect((await ask(server, "plain", { headers, path: "/nowhere" })).status).toBe(404);
    const rubbish = await fetch(`${server.url}/chat/completions`, { method: "POST", headers, body: "{" });
    expect(rubbish.status).toBe(400);
  });
});

describe("when", () => {
  test("nothing is sent before its time, and what was sent is in order", async () => {
    const server = await start({ plain: { ttft: 0.03, gap: [0.004, 0.012], tokens: 9 } });
    await ask(server, "plain");
    const { began, events: sent, ended } = server.requests()[0]!;
    const due = [0.03, 0.034, 0.046, 0.05, 0.062, 0.066, 0.078, 0.082, 0.094];
    // the clock's own digits
    for (const [index, time] of sent.entries()) expect(time - began).toBeGreaterThanOrEqual(due[index]! - 1e-6);
    expect([...sent].sort((a, b) => a - b)).toEqual(sent);
    expect(ended!).toBeGreaterThanOrEqual(sent.at(-1)!);
  });

  /** Times of all steps of a request, by the plan. */
  const times = (given: Partial<Behaviour>, number: number): number[] => {
    const order = {
      behaviour: { ...plain, ...given },
      dialect: openaiDialect("id", "model", "none", false),
      fault: null,
      number,
      maxTokens: null,
      usageAsked: false,
      input: 1,
      cached: null,
      factor: () => 1,
    };
    return [...stream(order)].map(({ at }) => at);
  };

  test("jitter is the same for the same seed", () => {
    const jittered: Partial<Behaviour> = { ...fast, ttft: { mean: 0.01, jitter: 0.9 } };
    expect(times(jittered, 0)).toEqual(times(jittered, 0));
    expect(times(jittered, 0)).not.toEqual(times(jittered, 1));
    expect(times({ ...jittered, seed: 2 }, 0)).not.toEqual(times(jittered, 0));
  });

  test("of the tour's endpoints one is 10 % slower, in nothing else different, and both are quick", () => {
    const { "golden-a": first, "golden-b": second } = tourEndpoints;
    const ends = (given: Partial<Behaviour>): number =>
      Array.from({ length: 40 }, (_, number) => times(given, number).at(-1)!).reduce((sum, end) => sum + end, 0) / 40;
    expect(ends(second!) / ends(first!)).toBeGreaterThan(1.08);
    expect(ends(second!) / ends(first!)).toBeLessThan(1.12);
    expect(ends(first!)).toBeLessThan(0.2);
    expect({ ...second, ttft: first!.ttft, gap: first!.gap, seed: 1 }).toEqual({ ...first, seed: 1 });
  });

  test("a limit of concurrent requests makes others wait, and load makes all slower", async () => {
    const server = await start({
      narrow: { ...fast, ttft: 0.03, concurrency: 2 },
      soft: { ...fast, ttft: 0.02, slowdown: 1 },
    });
    await Promise.all(Array.from({ length: 6 }, () => ask(server, "narrow")));
    const served = server.requests();
    for (const one of served) {
      const atOnce = served.filter((other) => other.began <= one.began && other.ended! > one.began);
      expect(atOnce.length).toBeLessThanOrEqual(2);
    }
    expect(served[5]!.began - served[5]!.received).toBeGreaterThan(0.055);
    await Promise.all(Array.from({ length: 3 }, () => ask(server, "soft")));
    // two others were under way when it began
    expect(server.requests()[8]!.events[0]! - server.requests()[8]!.began).toBeGreaterThanOrEqual(0.06 - 1e-6);
  });

  test("a known prefix is cached in whole blocks", async () => {
    const server = await start({ cached: { ...fast, cacheBlock: 16 } });
    const long = "a".repeat(40);
    const hits: unknown[] = [];
    for (const content of [long, `${long}bbb`, `b${long}`]) {
      const { text } = await ask(server, "cached", { content });
      hits.push(/"prompt_cache_hit_tokens":(\d+)/.exec(text)![1]);
    }
    expect(hits).toEqual(["0", "8", "0"]);
  });

  test("in bulk: all tokens, from bytes made beforehand", async () => {
    const server = await start({ bulk: { bulk: true, eventsPerWrite: 16, tokens: 5000 } });
    const { text } = await ask(server, "bulk", { more: { max_tokens: 4001 } });
    expect(contents(text).trim().split(" ")).toHaveLength(4001);
    expect(text).toContain('"completion_tokens":4001');
  });
});

describe("faults", () => {
  test.each([
    ["reset", "ECONNRESET"],
    ["truncated-chunk", "other side closed"],
    ["malformed-http", "HTTP"],
  ])("%s breaks the connection", async (kind, why) => {
    const server = await start({ plain: fast });
    const failed = await ask(server, "plain", { headers: { "x-fault": kind } }).then(
      () => "answered",
      (error: Error) => `${error.message} ${String(error.cause)}`,
    );
    expect(failed).toContain(why);
    expect(server.requests()[0]).toMatchObject({ fault: kind, tokenEvents: kind === "malformed-http" ? 0 : 5 });
  });

  test("refused twice, then served", async () => {
    const fault = { kind: "status", status: 429, retryAfter: 1, times: 2 } as const;
    const server = await start({ busy: { ...fast, fault: { every: 1, fault } } });
    const statuses = [await ask(server, "busy"), await ask(server, "busy"), await ask(server, "busy")];
    expect(statuses.map(({ status }) => status)).toEqual([429, 429, 200]);
  });

  test("every third request, and a stall that passes", async () => {
    const fault = { kind: "stall", after: 3, seconds: 0.1 } as const;
    const server = await start({ lame: { ...fast, fault: { every: 3, fault } } });
    for (let count = 0; count < 3; count += 1) await ask(server, "lame");
    expect(server.requests().map((served) => served.fault)).toEqual([null, null, "stall"]);
    const { began, events: sent } = server.requests()[2]!;
    expect(sent).toHaveLength(7);
    expect(sent[3]! - began).toBeGreaterThanOrEqual(0.105 - 1e-6);
  });

  test("an endless stream ends when its reader goes, and gives its place back", async () => {
    const server = await start({ plain: { ...fast, gap: 0, concurrency: 1 } });
    const stop = new AbortController();
    const body = JSON.stringify({ model: "plain", stream: true, messages: [] });
    const answer = await fetch(`${server.url}/chat/completions`, {
      method: "POST",
      headers: { "x-fault": "endless" },
      body,
      signal: stop.signal,
    });
    await answer.body!.getReader().read();
    stop.abort();
    expect((await ask(server, "plain")).status).toBe(200);
    expect(server.requests()[0]).toMatchObject({ gone: true });
  });

  test("one that goes while it waits for a place leaves the queue", async () => {
    const server = await start({ narrow: { ...fast, ttft: 0.1, concurrency: 1 } });
    const first = ask(server, "narrow");
    const stop = new AbortController();
    const body = JSON.stringify({ model: "narrow", stream: true, messages: [] });
    const waiting = fetch(`${server.url}/chat/completions`, { method: "POST", body, signal: stop.signal });
    while (server.requests().length < 2) await new Promise((resolve) => setTimeout(resolve, 5));
    stop.abort();
    await expect(waiting).rejects.toThrow();
    await first;
    expect((await ask(server, "narrow")).status).toBe(200);
    expect(server.requests().map(({ gone, tokens }) => [gone, tokens])).toEqual([
      [false, 7],
      [true, 0],
      [false, 7],
    ]);
  });

  test("names of faults", () => {
    expect(faultOf("reset")).toEqual({ kind: "reset", after: 5 });
    expect(faultOf('{"kind":"status","status":503}')).toMatchObject({ status: 503, times: null });
    for (const text of ["", "toString", "{", "{}"]) expect(faultOf(text)).toBeNull();
  });
});

describe("over other wires", () => {
  test("HTTP/2 by prior knowledge and over TLS, HTTP/1.1 over TLS", async () => {
    const clear = await start({ plain: fast });
    const secure = await start({ plain: fast }, { tls: { key, cert } });
    const body = JSON.stringify({ model: "plain", stream: true, messages: [{ role: "user", content: "hi" }] });
    for (const server of [clear, secure]) {
      const session = connectHttp2(server.url, { ca: cert });
      const text = await new Promise<string>((resolve, reject) => {
        const stream = session.request({ ":method": "POST", ":path": "/chat/completions" });
        let all = "";
        stream.setEncoding("utf8");
        stream.on("data", (piece: string) => {
          all += piece;
        });
        stream.on("end", () => resolve(all));
        stream.on("error", reject);
        stream.end(body);
      });
      session.close();
      expect(contents(text).trim().split(" ")).toHaveLength(7);
      expect(server.requests()[0]).toMatchObject({ http: "2", tokenEvents: 7 });
    }
    const text = await new Promise<string>((resolve, reject) => {
      const call = request(`${secure.url}/chat/completions`, { method: "POST", ca: cert }, (answer) => {
        let all = "";
        answer.setEncoding("utf8");
        answer.on("data", (piece: string) => {
          all += piece;
        });
        answer.on("end", () => resolve(all));
      });
      call.on("error", reject);
      call.end(body);
    });
    expect(contents(text).trim().split(" ")).toHaveLength(7);
    expect(secure.requests()[1]).toMatchObject({ http: "1.1" });
  });

  test("in another process: what the parent asks for", async () => {
    // two ends of a channel that copies messages, as between processes
    const parent = new EventEmitter();
    const child = new EventEmitter();
    const end = (from: EventEmitter, to: EventEmitter): Channel & { disconnect(): void } => ({
      on: (event: string, listener: (message: unknown) => void) => from.on(event, listener),
      send: (message) => setImmediate(() => to.emit("message", structuredClone(message))),
      disconnect: () => setImmediate(() => to.emit("exit")),
    });
    serveParent(end(child, parent));
    const server = await connectChild(end(parent, child), { plain: fast });
    const body = JSON.stringify({ model: "plain", messages: [] });
    expect((await fetch(`${server.url}/v1/chat/completions`, { method: "POST", body })).status).toBe(200);
    expect(await server.requests()).toMatchObject([{ model: "plain", streamed: false, tokens: 7 }]);
    await server.forget();
    expect(await server.requests()).toEqual([]);
    await server.close();
    await expect(server.requests()).rejects.toThrow("ended");
  });
});
