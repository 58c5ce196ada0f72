import { describe, expect, test } from "@jest/globals";
import { StreamAnswer } from "../../../src/bench/endpoints/answer.js";
import { protocols } from "../../../src/bench/endpoints/protocols/index.js";
import { EventScanner } from "../../../src/bench/endpoints/sse.js";
import type { Protocol } from "../../../src/bench/endpoints/target.js";
import fc from "../../property.js";
import { event } from "./client-server.js";

/** Hands bytes over in pieces cut at these places, each in a buffer that changes afterwards. */
function cutting(
  bytes: Buffer,
  cuts: readonly number[],
  push: (piece: Buffer, start: number, end: number) => void,
): void {
  const inside = [...new Set(cuts)].sort((a, b) => a - b).filter((cut) => cut > 0 && cut < bytes.length);
  const places = [0, ...inside, bytes.length];
  for (let index = 1; index < places.length; index += 1) {
    const lent = Buffer.concat([Buffer.from("#"), bytes.subarray(places[index - 1], places[index]), Buffer.from("#")]);
    push(lent, 1, lent.length - 1);
    lent.fill(35);
  }
}

/** Names and data of the events in these bytes. */
function eventsOf(
  bytes: Buffer,
  cuts: readonly number[],
): { events: [string, string][]; strange: string[]; comments: number } {
  const events: [string, string][] = [];
  const strange: string[] = [];
  const scanner = new EventScanner({
    onEvent: (name, data) => {
      events.push([name, data]);
      return false;
    },
    onToken: () => undefined,
    onStrangeLine: (line) => strange.push(line),
    only: () => null,
  });
  cutting(bytes, cuts, (piece, start, end) => scanner.push(piece, start, end));
  scanner.finish();
  return { events, strange, comments: scanner.comments };
}

/** A stamp a byte, so that a token event tells where it ended. */
function answerOf(bytes: Buffer, cuts: readonly number[], protocol: Protocol = "chat"): StreamAnswer {
  const answer = new StreamAnswer(protocols[protocol], (text) => text);
  let stamp = 0;
  cutting(bytes, cuts, (piece, start, end) => answer.push(piece, start, end, stamp++));
  return answer;
}

describe("events of a stream", () => {
  const odd =
    "\ufeff: keep-alive\n\ndata: one\n\nevent: named\r\nid: 7\r\nretry: 10\r\ndata:two\r\ndata: \r\ndata:  three\r\n\r\n" +
    ": c\rdata: größe 😀\r\rdata\n\nevent: none\n\nfuture-field: x\ndata: [DONE]\n\ndata: not closed";

  test("with any line ends, comments, a byte order mark, several lines of data, cut anywhere", () => {
    const bytes = Buffer.from(odd);
    const expected = {
      events: [
        ["", "one"],
        ["named", "two\n\n three"],
        ["", "größe 😀"],
        ["", ""],
        ["", "[DONE]"],
        ["", "not closed"],
      ],
      strange: [],
      comments: 2,
    };
    expect(eventsOf(bytes, [])).toEqual(expected);
    for (let cut = 1; cut < bytes.length; cut += 1) expect(eventsOf(bytes, [cut])).toEqual(expected);
    expect(eventsOf(bytes, [...bytes.keys()])).toEqual(expected);
  });

  test("lines that belong to no event stream are told", () => {
    expect(eventsOf(Buffer.from('<html>\n{"error":1}\ndata: x\n\ndata{"a":1}\n\n'), []).strange).toEqual([
      "<html>",
      '{"error":1}',
      'data{"a":1}',
    ]);
  });
});

/** What a stream holds by its definition: all of it parsed, one event after the other. */
function byParsing(texts: readonly string[], protocol: Protocol) {
  const found = {
    kinds: [] as string[],
    text: "",
    reasoning: "",
    tool: "",
    output: null as number | null,
    finish: null as string | null,
  };
  for (const text of texts) {
    const name = /^event: ([^\r\n]*)$/m.exec(text)?.[1] ?? "";
    const data = /^data: ?([^\r\n]*)/m.exec(text)?.[1];
    if (data === undefined || data === "[DONE]") continue;
    const piece = protocols[protocol].event(JSON.parse(data), name);
    if (piece.answer + piece.reasoning + piece.tool !== "") {
      found.kinds.push(piece.answer + piece.tool === "" ? "reasoning" : "answer");
    }
    found.text += piece.answer;
    found.reasoning += piece.reasoning;
    found.tool += piece.tool;
    found.output = piece.usage?.output ?? found.output;
    found.finish = piece.finish ?? found.finish;
  }
  return found;
}

/** JSON with its keys in another order, spaces, and characters escaped or not. */
function written(
  value: unknown,
  style: { readonly reverse: boolean; readonly space: string; readonly escape: boolean },
): string {
  if (Array.isArray(value)) return `[${value.map((item) => written(item, style)).join(`,${style.space}`)}]`;
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).map(
      ([key, item]) => `${JSON.stringify(key)}:${style.space}${written(item, style)}`,
    );
    return `{${style.space}${(style.reverse ? entries.reverse() : entries).join(`,${style.space}`)}}`;
  }
  if (!style.escape || typeof value !== "string") return JSON.stringify(value);
  const escaped = (character: string): string =>
    character === "/" ? "\\/" : `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  return `"${value.replace(/[^ -~]|[/aeo"\\]/g, escaped).replace(/[\ud800-\udfff]/g, escaped)}"`;
}

const word = fc.oneof(
  fc.string({ maxLength: 8 }),
  fc.string({ unit: "binary", maxLength: 4 }),
  fc.constantFrom(
    "",
    "Hel",
    "\n",
    '"',
    "\\",
    '"content":"x"',
    "größe",
    "😀",
    "\ud83d",
    "\ude00",
    "\u2028",
    "[DONE]",
    "data: ",
    "\\u0041",
    '\\"',
  ),
);
const delta = fc.oneof(
  { weight: 12, arbitrary: fc.record({ content: word }) },
  { weight: 4, arbitrary: fc.record({ reasoning_content: word }) },
  fc.record({ content: fc.constant(null), reasoning_content: word }),
  fc.record({ reasoning: word, reasoning_content: word, content: word }),
  fc.record({ role: fc.constant("assistant"), content: fc.constantFrom("", null) }),
  fc.record({
    tool_calls: fc.tuple(fc.record({ index: fc.constant(0), function: fc.record({ arguments: word }) })),
  }),
  fc.record({
    tool_calls: fc.tuple(
      fc.record({ index: fc.constant(0), id: fc.constant("c"), function: fc.record({ name: word, arguments: word }) }),
    ),
  }),
  fc.constant({}),
);
const chunkBody = fc
  .record({
    delta,
    finish: fc.option(fc.constantFrom("stop", "length", "tool_calls"), { freq: 8 }),
    usage: fc.option(fc.record({ prompt_tokens: fc.nat(9), completion_tokens: fc.nat(99) }), { freq: 5 }),
    created: fc.constantFrom(1, 1, 1, 2),
    noise: fc.constantFrom(undefined, undefined, undefined, { content: "not this", delta: { content: "nor this" } }),
  })
  .map(({ delta: part, finish, usage, created, noise }) => ({
    id: "chatcmpl-1",
    content: "top level",
    created,
    ...(noise === undefined ? {} : { noise }),
    choices: [{ index: 0, delta: part, finish_reason: finish }],
    ...(usage === null ? {} : { usage }),
  }));
const style = fc.record({ reverse: fc.boolean(), space: fc.constantFrom("", "", " "), escape: fc.boolean() });
const separator = fc.constantFrom("\n", "\n", "\r\n", "\r");

describe("the classification without parsing", () => {
  test("agrees with parsing every event, for any order of keys, escapes and cuts", () => {
    fc.assert(
      fc.property(
        fc.array(fc.oneof({ weight: 9, arbitrary: chunkBody }, fc.constantFrom("comment", "usage")), { maxLength: 40 }),
        style,
        separator,
        fc.array(fc.nat(6000), { maxLength: 30 }),
        fc.boolean(),
        (bodies, how, line, cuts, everyByte) => {
          const texts = bodies.map((body) => {
            if (body === "comment") return ": keep-alive";
            const value = body === "usage" ? { choices: [], usage: { completion_tokens: 5 } } : body;
            return `data: ${written(value, how)}`;
          });
          const bytes = Buffer.from([...texts, "data: [DONE]"].map((text) => text + line + line).join(""));
          const answer = answerOf(bytes, everyByte ? [...bytes.keys()] : cuts);
          answer.finish();
          const expected = byParsing(texts, "chat");
          const found = answer.reading();
          expect(found.events).toHaveLength(expected.kinds.length);
          expect(found.text).toBe(expected.text);
          expect(found.reasoning).toBe(expected.reasoning);
          expect(found.usage?.output ?? null).toBe(expected.output);
          expect(found.finish).toBe(expected.finish);
          expect(found.firstAnswer === null).toBe(!expected.kinds.includes("answer"));
          const kind = answer.failure?.kind ?? null;
          if (kind !== null) expect(kind).toBe("empty");
        },
      ),
      { numRuns: 250 },
    );
  });

  test("holds when one thing in a stream changes", () => {
    const plain = (text: string): string => event({ content: text });
    const changes: readonly string[] = [
      event({ content: "x" }, { finish_reason: "stop" }),
      event({ content: "x", reasoning_content: "y" }),
      event({ content: "x" }, { index: 1 }),
      plain("x").replace('"content"', '"contenT"'),
      plain("x").replace('"content"', '"refusal"'),
      plain("x").replace('"delta"', '"other"'),
      plain("x").replace("data: ", "date: "),
      plain("x").replace("data: ", ":    :"),
      plain("x").replace('"x"', '"x","content":"z"'),
      plain("x").replace('"x"', '""'),
      plain("x").replace("data: ", "data:"),
      plain("x").replace("data: ", ": comment\ndata: "),
      plain("x").replace("data: ", "event: message\ndata: "),
      plain("x").replaceAll("\n", "\r\n"),
      plain("x").replace('{"id"', '{"usage":{"prompt_tokens":1,"completion_tokens":2},"id"'),
    ];
    for (const change of changes) {
      const again = [change, change.replace('"x"', '"yy"'), change.replace('"x"', '"zzz"')];
      const texts = [plain("a"), plain("b"), plain("c"), ...again, plain("d"), change, plain("e"), ...again];
      const bytes = Buffer.from(`${texts.join("")}data: [DONE]\n\n`);
      const expected = byParsing(
        texts.map((text) => text.replaceAll("\r", "")),
        "chat",
      );
      for (const cuts of [[], [...bytes.keys()], [400], [700]]) {
        const answer = answerOf(bytes, cuts);
        answer.finish();
        const found = answer.reading();
        expect(answer.failure).toBeNull();
        expect([found.text, found.reasoning, found.events.length]).toEqual([
          expected.text,
          expected.reasoning,
          expected.kinds.length,
        ]);
        expect([found.usage?.output ?? null, found.finish]).toEqual([expected.output, expected.finish]);
      }
    }
  });

  test("the last usage and the last finish reason count, whatever came before", () => {
    const told = (text: string, tokens: number, finish: string): string =>
      event({ content: text }, { finish_reason: finish }).replace("{", `{"usage":{"completion_tokens":${tokens}},`);
    const texts = [told("a", 5, "stop"), told("b", 5, "stop"), told("c", 7, "length"), told("d", 5, "stop")];
    const answer = answerOf(Buffer.from(texts.join("")), []);
    expect(answer.reading()).toMatchObject({ text: "abcd", usage: { output: 5 }, finish: "stop" });
  });

  test("an escape or a control character that JSON does not know is invalid, wherever it comes", () => {
    const start = event({ content: "a" }) + event({ content: "b" });
    for (const bad of ["\\x41", "\\u12g4", "\t", "\\"]) {
      const bytes = Buffer.from(start + event({ content: "Q" }).replace("Q", bad) + event({ content: "c" }));
      const answer = answerOf(bytes, []);
      expect(answer.failure?.kind).toBe("invalid-json");
      // what came before it is kept
      expect(answer.reading()).toMatchObject({ text: "ab", events: [0, 0] });
    }
  });

  test("half a surrogate pair in one event finds the other half in the next", () => {
    const bytes = Buffer.from(
      ["x", "\ud83d", "\ude00", "!"].map((text) => event({ content: text })).join("") +
        event({}, { finish_reason: "stop" }),
    );
    expect(answerOf(bytes, []).reading()).toMatchObject({ text: "x😀!", events: [0, 0, 0, 0] });
  });

  test("tokens of one read have one stamp, those of the next another", () => {
    const first =
      event({ role: "assistant", content: "" }) + event({ reasoning_content: "a" }) + event({ reasoning_content: "b" });
    const second = event({ content: "c" }) + event({ content: "d" });
    const third = event({ content: "e" });
    const bytes = Buffer.from(first + second + third);
    const answer = answerOf(bytes, [Buffer.byteLength(first), Buffer.byteLength(first + second)]);
    expect(answer.reading()).toMatchObject({ events: [0, 0, 1, 1, 2], firstAnswer: 1, reasoning: "ab", text: "cde" });
  });
});

describe("what streams of servers look like", () => {
  const done = "data: [DONE]\n\n";
  const stop = event({}, { finish_reason: "stop" });
  const told = (more: Readonly<Record<string, unknown>>): string => {
    const text = event({ content: "x" });
    return text.replace('{"id"', `{${JSON.stringify(more).slice(1, -1)},"id"`);
  };
  const reading = (text: string, protocol: Protocol = "chat") => {
    const answer = answerOf(Buffer.from(text), [], protocol);
    answer.finish();
    return { ...answer.reading(), failure: answer.failure };
  };

  test("usage in every chunk tells how many tokens came first, and how many came in all", () => {
    const chunkWith = (output: number): string => told({ usage: { prompt_tokens: 3, completion_tokens: output } });
    expect(reading(chunkWith(3) + chunkWith(5) + chunkWith(9) + stop + done)).toMatchObject({
      firstEventTokens: 3,
      usage: { input: 3, output: 9 },
      events: [0, 0, 0],
    });
    expect(reading(event({ role: "assistant" }) + event({ content: "x" }) + stop + done).firstEventTokens).toBeNull();
  });

  test("token ids and logprobs tell it, too", () => {
    const ids = event({ content: "ab" }, { token_ids: [4, 5] });
    const logprobs = event(
      { content: "ab" },
      { logprobs: { content: [{ token: "a" }, { token: "b" }, { token: "c" }] } },
    );
    expect(reading(ids + stop).firstEventTokens).toBe(2);
    expect(reading(logprobs + stop).firstEventTokens).toBe(3);
  });

  test("usage on the chunk with the finish reason, or null in all but the last", () => {
    const last = event({}, { finish_reason: "length" }).replace(
      "{",
      '{"usage":{"prompt_tokens":1,"completion_tokens":4,"prompt_tokens_details":{"cached_tokens":1},"completion_tokens_details":{"reasoning_tokens":2}},',
    );
    expect(reading(told({ usage: null }) + told({ usage: null }) + last + done)).toMatchObject({
      usage: { input: 1, output: 4, cached: 1, reasoning: 2 },
      finish: "length",
      events: [0, 0],
      firstEventTokens: null,
      failure: null,
    });
  });

  test("tool calls: names are no tokens, arguments are", () => {
    const call = (name: string | undefined, text: string): string =>
      event({ tool_calls: [{ index: 0, function: { ...(name === undefined ? {} : { name }), arguments: text } }] });
    expect(reading(call("f", "") + call(undefined, '{"a"') + call(undefined, ":1}") + stop + done)).toMatchObject({
      events: [0, 0],
      tool: '{"a":1}',
      text: "",
      firstAnswer: 0,
      failure: null,
    });
    // a call without arguments is an answer
    expect(reading(call("f", "") + stop + done)).toMatchObject({ events: [], failure: null });
  });

  test.each([
    [
      "an error object",
      'data: {"error":{"message":"overloaded","type":"server_error"}}\n\n',
      "in-stream",
      "overloaded",
    ],
    ["an error of few words", 'data: {"error":"no memory"}\n\n', "in-stream", "no memory"],
    ["an event called error", 'event: error\ndata: {"message":"out"}\n\n', "in-stream", "out"],
    ["an error without data:", '{"error":{"message":"bare"}}\n\n', "in-stream", "bare"],
    ["vLLM's error", 'data: {"object":"error","message":"bad","code":400}\n\n', "in-stream", "bad"],
    ["JSON that is none", 'data: {"id": nope}\n\n', "invalid-json", "nope"],
    ["a page", "<html>oops</html>\n\n", "malformed-sse", "<html>oops"],
    ["an end without end", "", "truncated", "without a finish reason"],
    ["an end within an event", 'data: {"choi', "truncated", "in the middle of an event"],
  ])("%s", (_, text, kind, message) => {
    const { failure, events } = reading(event({ content: "a" }) + text);
    expect(failure).toMatchObject({ kind, message: expect.stringContaining(message) });
    expect(events).toHaveLength(1);
  });

  test("nothing at all, and nothing but an end", () => {
    expect(reading("").failure?.kind).toBe("empty");
    expect(reading(done).failure?.kind).toBe("empty");
    expect(reading(event({ role: "assistant", content: "" }) + stop + done).failure?.kind).toBe("empty");
    // an end mark without its empty line
    expect(reading(`${event({ content: "a" })}data: [DONE]`).failure).toBeNull();
  });

  test("Anthropic's events", () => {
    const line = (type: string, more: object): string =>
      `event: ${type}\ndata: ${JSON.stringify({ type, ...more })}\n\n`;
    const piece = (part: object): string => line("content_block_delta", { index: 0, delta: part });
    const start =
      line("message_start", {
        message: { usage: { input_tokens: 5, cache_read_input_tokens: 20, output_tokens: 1 } },
      }) +
      line("content_block_start", { index: 0, content_block: { type: "thinking", thinking: "" } }) +
      line("ping", {});
    const text =
      start +
      piece({ type: "thinking_delta", thinking: "hm" }) +
      piece({ type: "thinking_delta", thinking: "m" }) +
      piece({ type: "signature_delta", signature: "s" }) +
      piece({ type: "text_delta", text: "Yes" }) +
      piece({ type: "text_delta", text: "." }) +
      piece({ type: "input_json_delta", partial_json: '{"a"' }) +
      piece({ type: "input_json_delta", partial_json: "" });
    const end = line("message_delta", { delta: { stop_reason: "end_turn" }, usage: { output_tokens: 12 } });
    expect(reading(text + end + line("message_stop", {}), "anthropic")).toMatchObject({
      events: [0, 0, 0, 0, 0],
      text: "Yes.",
      reasoning: "hmm",
      tool: '{"a"',
      finish: "end_turn",
      usage: { input: 25, output: 12, cached: 20, reasoning: null },
      firstEventTokens: null,
      failure: null,
    });
    // what it counted at its beginning says nothing of an answer that was cut
    expect(reading(text, "anthropic")).toMatchObject({ usage: { output: null }, failure: { kind: "truncated" } });
    const overloaded = line("error", { error: { type: "overloaded_error", message: "Overloaded" } });
    expect(reading(start + overloaded, "anthropic").failure).toEqual({ kind: "in-stream", message: "Overloaded" });
  });

  test("completions", () => {
    const piece = (text: string, finish: string | null): string =>
      `data: ${JSON.stringify({ object: "text_completion", choices: [{ text, index: 0, finish_reason: finish }] })}\n\n`;
    expect(reading(piece("a", null) + piece("b", null) + piece("", "stop") + done, "completions")).toMatchObject({
      events: [0, 0],
      text: "ab",
      finish: "stop",
      failure: null,
    });
  });
});
