import { describe, expect, test } from "@jest/globals";
import { addressOf } from "../../../src/bench/endpoints/address.js";
import { redactor, retryAfter } from "../../../src/bench/endpoints/errors.js";
import { protocols } from "../../../src/bench/endpoints/protocols/index.js";
import type { Prompt, Protocol } from "../../../src/bench/endpoints/target.js";
import { UserError } from "../../../src/errors.js";
import { senderOf, targetOf } from "./client-server.js";

describe("where requests go", () => {
  const at = (protocol: Protocol, url: string) => addressOf({ label: "t", protocol, url });

  test.each<[Protocol, string, string]>([
    ["chat", "https://api.deepseek.com", "/chat/completions"],
    ["chat", "https://api.deepseek.com/", "/chat/completions"],
    ["chat", "https://api.deepseek.com/v1/", "/v1/chat/completions"],
    ["chat", "http://localhost:8000/v1/chat/completions", "/v1/chat/completions"],
    [
      "chat",
      "https://a.com/openai/deployments/d?api-version=1&x=a%20b",
      "/openai/deployments/d/chat/completions?api-version=1&x=a%20b",
    ],
    ["completions", "https://api.deepseek.com/beta", "/beta/completions"],
    ["completions", "http://localhost/v1/completions", "/v1/completions"],
    ["anthropic", "https://api.deepseek.com/anthropic", "/anthropic/v1/messages"],
    ["anthropic", "https://api.anthropic.com/v1", "/v1/messages"],
    ["anthropic", "https://api.anthropic.com/v1/messages", "/v1/messages"],
  ])("%s at %s: %s", (protocol, url, path) => {
    expect(at(protocol, url).path).toBe(path);
  });

  test("by host and port, of IPv6 too", () => {
    expect(at("chat", "http://[::1]:8000/v1")).toMatchObject({
      host: "::1",
      port: 8000,
      authority: "[::1]:8000",
      tls: false,
    });
    expect(at("chat", "https://a.com")).toMatchObject({ host: "a.com", port: 443, authority: "a.com", tls: true });
    expect(at("chat", "http://a.com")).toMatchObject({ port: 80 });
    expect(at("chat", "https://u:p%40ss@a.com/v1?key=k")).toMatchObject({
      user: "u:p@ss",
      query: ["k"],
      shown: "https://a.com/v1/chat/completions",
    });
  });

  test.each(["", "api.deepseek.com", "ftp://a.com", "file:///etc/passwd", "http://"])("%j is no URL of HTTP", (url) => {
    expect(() => at("chat", url)).toThrow(UserError);
  });

  test.each([
    [{ "bad name": "x" }, /"bad name" is no name/],
    [{ a: "x\r\nb: y" }, /value of the header a/],
    [{ "Content-Length": "1" }, /Content-Length is set by the client/],
  ])("headers that HTTP cannot carry are refused, their values not told: %j", (headers, message) => {
    expect(() => senderOf("http://a.com", { headers })).toThrow(message);
    expect(() => senderOf("http://a.com", { key: "line\nbreak" })).toThrow(/the header authorization/);
  });
});

describe("what is asked", () => {
  const tool = { type: "function", function: { name: "f", description: "d", parameters: { type: "object" } } };
  const prompt: Prompt = {
    id: "p",
    messages: [
      { role: "system", content: "Be brief." },
      { role: "user", content: "Hi" },
      { role: "assistant", content: "Hello" },
      { role: "tool", content: "42" },
    ],
    parameters: { max_tokens: 50, stop: "\n", temperature: 0.3, tools: [tool], tool_choice: "required", seed: 1 },
  };

  test("of chat: as it stands, with the target's fields over it", () => {
    const target = targetOf("http://a.com", { body: { temperature: 1, thinking: { type: "disabled" } } });
    expect(protocols.chat.body(prompt, target)).toEqual({
      model: "m",
      messages: prompt.messages,
      ...prompt.parameters,
      temperature: 1,
      thinking: { type: "disabled" },
      stream: true,
      stream_options: { include_usage: true },
    });
  });

  test("of completions: one text, without what only chats know", () => {
    const target = targetOf("http://a.com", { protocol: "completions", stream: false });
    expect(protocols.completions.body(prompt, target)).toEqual({
      model: "m",
      prompt: "Be brief.\n\nHi\n\nHello\n\n42",
      max_tokens: 50,
      stop: "\n",
      temperature: 0.3,
      seed: 1,
      stream: false,
    });
  });

  test("of Anthropic: the system apart, a limit always, tools in its words", () => {
    const target = targetOf("http://a.com", { protocol: "anthropic" });
    expect(protocols.anthropic.body(prompt, target)).toEqual({
      model: "m",
      system: "Be brief.",
      messages: [
        { role: "user", content: "Hi" },
        { role: "assistant", content: "Hello" },
        { role: "user", content: "42" },
      ],
      max_tokens: 50,
      stop_sequences: ["\n"],
      temperature: 0.3,
      tools: [{ name: "f", description: "d", input_schema: { type: "object" } }],
      tool_choice: { type: "any" },
      stream: true,
    });
    const bare = protocols.anthropic.body({ ...prompt, messages: [], parameters: {} }, target);
    expect(bare).toEqual({ model: "m", messages: [], max_tokens: 4096, stream: true });
    expect(protocols.anthropic.headers("k")).toEqual({ "anthropic-version": "2023-06-01", "x-api-key": "k" });
  });
});

describe("whole answers", () => {
  test("of Anthropic", () => {
    const answer = {
      content: [
        { type: "thinking", thinking: "hm" },
        { type: "text", text: "Yes" },
        { type: "tool_use", input: { a: 1 } },
      ],
      stop_reason: "tool_use",
      usage: { input_tokens: 1, output_tokens: 2, cache_read_input_tokens: 3, cache_creation_input_tokens: 4 },
    };
    expect(protocols.anthropic.answer(answer)).toMatchObject({
      answer: "Yes",
      reasoning: "hm",
      tool: '{"a":1}',
      finish: "tool_use",
      usage: { input: 8, output: 2, cached: 3, reasoning: null },
      known: true,
    });
  });

  test("in other shapes than the protocol's never throw", () => {
    const odd = [
      null,
      1,
      "x",
      [],
      {},
      { choices: null },
      { choices: [null, 1, { delta: [] }] },
      { usage: "x" },
      { content: 1 },
    ];
    for (const row of Object.values(protocols)) {
      for (const value of [
        ...odd,
        { choices: [{ delta: { tool_calls: [null, { function: 1 }], content: { a: 1 } } }] },
      ]) {
        expect(row.event(value, "").answer).toBe("");
        row.answer(value);
      }
    }
  });
});

describe("small things", () => {
  test("Retry-After in seconds, milliseconds, as a date, as nonsense", () => {
    const asks = (headers: Record<string, string>): number | null =>
      retryAfter(new Map(Object.entries(headers)), Date.UTC(2026, 0, 1));
    expect(asks({ "retry-after": "7" })).toBe(7);
    expect(asks({ "retry-after-ms": "250", "retry-after": "1" })).toBe(0.25);
    expect(asks({ "retry-after": "Thu, 01 Jan 2026 00:01:00 GMT" })).toBe(60);
    expect(asks({ "retry-after": "Thu, 01 Jan 2015 00:01:00 GMT" })).toBe(0);
    expect(asks({ "retry-after": "soon" })).toBeNull();
    expect(asks({})).toBeNull();
  });

  test("what is secret is taken out of any text", () => {
    const url = "https://user:pass1234@a.com/v1?code=querysecret";
    const target = targetOf(url, { headers: { Authorization: "Bearer header-token" } });
    const clean = redactor(target, addressOf(target));
    expect(clean("sk-very-secret-key pass1234 querysecret header-token sk-other12345 Bearer abcdefgh")).toBe(
      "*** *** *** *** sk-*** Bearer ***",
    );
  });
});
