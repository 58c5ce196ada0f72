import { afterEach, describe, expect, test } from "@jest/globals";
import type { ErrorKind, Outcome } from "../../../src/bench/endpoints/record.js";
import { createSender } from "../../../src/bench/endpoints/sender-create.js";
import type { Prompt, Protocol, RequestLimits, Target } from "../../../src/bench/endpoints/target.js";
import type { Behaviour, Behaviours, Fault } from "../../../src/bench/server/behaviour.js";
import { type GoldenServer, startServer } from "../../../src/bench/server/serve.js";
import type { Served } from "../../../src/bench/server/served.js";
import { cert, key } from "../server/certificate.js";

// What the sender measured against what the server did, on one clock. How close the times are is a matter of
// `npm run bench:client`; here stands what holds on a busy machine too.

const now = (): number => (performance.timeOrigin + performance.now()) / 1000;
/** Digits that the clock has. */
const digits = 2e-6;

const closing: { close(): unknown }[] = [];
afterEach(async () => {
  for (const one of closing.splice(0).reverse()) await one.close();
});

const limits: RequestLimits = { connectSeconds: 5, totalSeconds: 20, idleSeconds: 10, bytes: 5_000_000, retries: 0 };

interface Setting {
  readonly target?: Partial<Target>;
  readonly limits?: Partial<RequestLimits>;
  readonly tls?: boolean;
}

async function start(behaviours: Behaviours, setting: Setting = {}) {
  const server: GoldenServer = await startServer(behaviours, { now, ...(setting.tls && { tls: { key, cert } }) });
  closing.push(server);
  const sender = (model: string, more: Partial<Target> = {}) => {
    const target: Target = {
      label: model,
      url: server.url,
      protocol: "chat",
      model,
      key: undefined,
      headers: {},
      body: {},
      stream: true,
      http2: "auto",
      ...setting.target,
      ...more,
    };
    const made = createSender(target, { ...limits, ...setting.limits }, { now }, { ca: cert });
    closing.push(made);
    return made;
  };
  return { server, sender };
}

const ask = (id: string): Prompt => ({ id, messages: [{ role: "user", content: id }], parameters: {} });

/** The events, tokens and usage are the server's to the last one; no time is before the server's, all are in order. */
function holds(outcome: Outcome, served: Served): void {
  expect(outcome.error).toBeNull();
  expect(outcome.outputTokens).toBe(served.tokens);
  expect(outcome.events).toHaveLength(served.streamed ? served.tokenEvents : 0);
  for (const [index, time] of outcome.events.entries()) {
    expect(time).toBeGreaterThanOrEqual(served.events[index]! - digits);
    expect(time).toBeGreaterThanOrEqual(outcome.events[index - 1] ?? outcome.sent);
  }
  expect(outcome.sent).toBeLessThanOrEqual(served.received + digits);
  expect(outcome.done).toBeGreaterThanOrEqual(served.ended! - digits);
  if (served.streamed) {
    expect(outcome.firstByte!).toBeLessThanOrEqual(outcome.events[0]!);
    const answer = served.events.indexOf(served.firstAnswer!);
    expect(outcome.firstAnswer).toBe(outcome.events[answer]!);
  }
}

const usual: Partial<Behaviour> = { ttft: 0.01, gap: 0.002, tokens: 12 };

const servers: readonly (readonly [string, Partial<Behaviour>])[] = [
  ["one token an event", {}],
  ["a role-only event long before the first token", { roleDelta: "early", ttft: 0.03 }],
  ["no role-only event, no head before the first byte", { roleDelta: "none", head: "with-first" }],
  ["reasoning before the answer", { reasoningTokens: 5 }],
  ["several tokens an event", { tokensPerEvent: [1, 4, 2] }],
  ["several events a write", { eventsPerWrite: 5 }],
  ["empty deltas and comments between", { emptyDeltas: true, commentEvery: 2 }],
  ["keep-alive comments before the first token", { ttft: 0.05, keepAlive: 0.01 }],
  ["events torn at any byte", { pieces: 5, gap: 0.012, tokens: 6 }],
  ["a tool call in pieces", { toolCall: { name: "look", arguments: '{"city":"Zürich"}', pieces: 4 } }],
  ["nothing but a tool call", { tokens: 0, toolCall: { name: "look", arguments: '{"a":1}', pieces: 3 } }],
  ["usage in an extra event", { usage: "extra" }],
  ["usage in every event", { usage: "every", tokensPerEvent: 3 }],
  ["usage only when asked for", { usage: "asked" }],
  ["no usage", { usage: "absent" }],
  ["the finish reason on the last token", { finishWithLast: true }],
  ["a list of gaps", { gap: [0.001, 0.02, 0.002] }],
];

describe("what is measured is what was sent", () => {
  test.each(servers)("%s", async (_name, behaviour) => {
    const { server, sender } = await start({ model: { ...usual, ...behaviour } });
    for (const protocol of ["chat", "anthropic"] satisfies Protocol[]) {
      const outcome = await sender("model", { protocol }).send(ask(protocol));
      const served = server.requests().at(-1)!;
      holds(outcome, served);
      expect(outcome.finish).not.toBeNull();
      if (behaviour.usage === "absent") {
        expect(outcome.tokenSource).toBe("events");
      } else {
        expect(outcome.tokenSource).toBe("usage");
        expect(outcome.usage).toMatchObject({ input: served.input, output: served.tokens });
      }
      const words = `${outcome.reasoning}${outcome.text}`.split(" ").filter((word) => word !== "");
      expect(words).toHaveLength(served.tokens - (behaviour.toolCall?.pieces ?? 0));
    }
  });

  test("completions and answers in one piece, with blank lines before them too", async () => {
    const { server, sender } = await start({ model: usual, slow: { ...usual, ttft: 0.06, keepAlive: 0.01 } });
    holds(await sender("model", { protocol: "completions" }).send(ask("a")), server.requests()[0]!);
    for (const protocol of ["chat", "completions", "anthropic"] satisfies Protocol[]) {
      const outcome = await sender("slow", { protocol, stream: false }).send(ask("b"));
      holds(outcome, server.requests().at(-1)!);
      expect(outcome).toMatchObject({ streamed: false, firstAnswer: null, outputTokens: 12, tokenSource: "usage" });
      expect(outcome.done - outcome.sent).toBeGreaterThanOrEqual(0.06 + 11 * 0.002 - digits);
    }
  });

  test("cached tokens, by either name", async () => {
    const cache = { ...usual, cacheBlock: 8 };
    const { server, sender } = await start({ a: cache, b: { ...cache, cachedFields: "openai" }, c: cache });
    for (const [model, protocol] of [
      ["a", "chat"],
      ["b", "chat"],
      ["c", "anthropic"],
    ] as const) {
      const one = sender(model, { protocol });
      expect((await one.send(ask("0123456789"))).usage!.cached).toBe(0);
      expect((await one.send(ask("0123456789"))).usage!.cached).toBe(2);
      expect(server.requests().at(-1)!.cached).toBe(2);
    }
  });

  test("over TLS, with HTTP/1.1 and HTTP/2", async () => {
    const { server, sender } = await start({ model: { ...usual, pieces: 2 } }, { tls: true });
    for (const [http2, http] of [
      ["auto", "2"],
      ["off", "1.1"],
    ] as const) {
      const outcome = await sender("model", { http2 }).send(ask(http));
      expect(outcome.http).toBe(http);
      holds(outcome, server.requests().at(-1)!);
    }
  });

  test.each([1, 16, 64])("%i streams at a time, each its own, over connections that are kept", async (streams) => {
    const { server, sender } = await start({ model: { ...usual, gap: { mean: 0.004, jitter: 0.5 } } });
    const one = sender("model");
    await one.connect(streams);
    const outcomes = (
      await Promise.all(
        Array.from({ length: streams }, async (_, stream) => {
          const first = await one.send(ask(`${stream} a`));
          return [[`${stream} a`, first] as const, [`${stream} b`, await one.send(ask(`${stream} b`))] as const];
        }),
      )
    ).flat();
    expect(server.connections()).toBe(streams);
    const truth = new Map(server.requests().map((served) => [served.prompt, served]));
    expect(truth.size).toBe(2 * streams);
    for (const [prompt, outcome] of outcomes) holds(outcome, truth.get(prompt)!);
  });
});

describe("every fault is counted under its own name, in time, and what was measured is kept", () => {
  interface Row {
    readonly fault: Fault;
    readonly kind: ErrorKind;
    /** Of the answer in one piece, where it differs; null: not tried. */
    readonly whole?: ErrorKind | null;
    /** Token events that came before; -1: many. */
    readonly events: number;
    readonly limits?: Partial<RequestLimits>;
    readonly wholeLimits?: Partial<RequestLimits>;
    /** Over a connection of its own: one that is kept and dies untouched is opened again. */
    readonly fresh?: boolean;
  }
  const rows: readonly Row[] = [
    { fault: { kind: "reset", after: 4 }, kind: "reset", events: 4 },
    { fault: { kind: "reset", after: 0 }, kind: "reset", events: 0, fresh: true },
    { fault: { kind: "half-open", after: 4 }, kind: "stalled", events: 4, limits: { idleSeconds: 0.3 } },
    {
      fault: { kind: "half-open", after: 0 },
      kind: "stalled",
      // what does not stream may be silent until it is there
      whole: "timeout",
      events: 0,
      limits: { idleSeconds: 0.3 },
      wholeLimits: { totalSeconds: 0.5 },
    },
    { fault: { kind: "half-open", after: 4 }, kind: "timeout", events: 4, limits: { totalSeconds: 0.3 } },
    {
      fault: { kind: "stall", after: 4, seconds: 5 },
      kind: "stalled",
      whole: "timeout",
      events: 4,
      limits: { idleSeconds: 0.3 },
      wholeLimits: { totalSeconds: 0.5 },
    },
    { fault: { kind: "malformed-sse", after: 4 }, kind: "malformed-sse", whole: "invalid-json", events: 4 },
    { fault: { kind: "invalid-json", after: 4 }, kind: "invalid-json", events: 4 },
    { fault: { kind: "malformed-http" }, kind: "malformed-http", events: 0 },
    { fault: { kind: "truncated-chunk", after: 4 }, kind: "reset", events: 4 },
    { fault: { kind: "no-end", after: 4 }, kind: "truncated", whole: null, events: 4 },
    { fault: { kind: "error-event", after: 4 }, kind: "in-stream", events: 4 },
    { fault: { kind: "empty" }, kind: "empty", events: 0 },
    { fault: { kind: "endless" }, kind: "too-long", events: -1, limits: { bytes: 40_000 } },
    { fault: { kind: "status", status: 429, retryAfter: 1, times: null }, kind: "rate-limited", events: 0 },
    { fault: { kind: "status", status: 401, retryAfter: null, times: null }, kind: "unauthorized", events: 0 },
    { fault: { kind: "status", status: 404, retryAfter: null, times: null }, kind: "http-4xx", events: 0 },
    { fault: { kind: "status", status: 503, retryAfter: null, times: null }, kind: "http-5xx", events: 0 },
  ];
  const cases = rows.flatMap((row): (Row & { stream: boolean; expected: ErrorKind; name: string })[] => {
    const name = JSON.stringify(row.fault);
    const { whole = row.kind } = row;
    const streamed = { ...row, stream: true, expected: row.kind, name };
    return whole === null ? [streamed] : [streamed, { ...row, stream: false, expected: whole, name: `${name}, whole` }];
  });
  test.each(cases)("$name -> $expected", async ({ fault, stream, expected, events, fresh, ...row }) => {
    const own = stream ? row.limits : (row.wholeLimits ?? row.limits);
    const { server, sender } = await start({ model: { ...usual, fault: { every: 2, fault } } }, { limits: own ?? {} });
    const one = sender("model", { stream });
    const begun = now();
    const good = await one.send(ask("good"));
    const bad = await (fresh ? sender("model", { stream }) : one).send(ask("bad"));
    expect(now() - begun).toBeLessThan(4);
    expect(good.error).toBeNull();
    expect(bad.error?.kind).toBe(expected);
    const served = server.requests().at(-1)!;
    expect(served.fault).toBe(fault.kind);
    if (stream && events >= 0) expect(bad.events).toHaveLength(events);
    if (stream && events < 0) expect(bad.events.length).toBeGreaterThan(50);
    for (const [index, time] of bad.events.entries()) {
      expect(time).toBeGreaterThanOrEqual(served.events[index]! - digits);
    }
    // the next one is not worse for it
    expect((await one.send(ask("after"))).error).toBeNull();
  });

  test("429 with Retry-After, and then an answer: retries are counted, and the wait is kept", async () => {
    const fault = { kind: "status", status: 429, retryAfter: 0.2, times: 2 } as const;
    const { server, sender } = await start(
      { model: { ...usual, fault: { every: 1, fault } } },
      { limits: { retries: 3 } },
    );
    const outcome = await sender("model").send(ask("patient"));
    expect(outcome).toMatchObject({ error: null, retries: 2, status: 200 });
    const [first, , last] = server.requests();
    expect(outcome.firstSent).toBeLessThanOrEqual(first!.received + digits);
    expect(outcome.sent).toBeGreaterThanOrEqual(first!.received + 0.39);
    holds(outcome, last!);
  });

  test("a server that is gone", async () => {
    const { server, sender } = await start({ model: usual });
    const one = sender("model");
    expect((await one.send(ask("good"))).error).toBeNull();
    await server.close();
    expect((await one.send(ask("gone"))).error?.kind).toBe("refused");
  });

  test("a stall shorter than the limit is part of the measurement", async () => {
    const fault = { kind: "stall", after: 4, seconds: 0.2 } as const;
    const { server, sender } = await start({ model: { ...usual, fault: { every: 1, fault } } });
    const outcome = await sender("model").send(ask("patient"));
    holds(outcome, server.requests()[0]!);
    expect(outcome.events[4]! - outcome.sent).toBeGreaterThanOrEqual(0.01 + 4 * 0.002 + 0.2 - digits);
  });
});
