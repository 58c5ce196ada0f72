import { describe, expect, test } from "@jest/globals";
import { capabilitiesOf } from "../../../src/compat/probe/capabilities.js";
import { mostRequests, nextRequest, tokensPerRequest, urlOfRequest } from "../../../src/compat/probe/probe.js";
import type { Exchange } from "../../../src/compat/probe/recording.js";
import fc from "../../property.js";

const ids = [
  "models",
  "default",
  "thinking",
  "tools",
  "tools-thinking",
  "history-without",
  "history-with",
  "stream",
  "fim",
  "other",
];
const exchange: fc.Arbitrary<Exchange> = fc.record({
  id: fc.constantFrom(...ids),
  method: fc.constantFrom("GET" as const, "POST" as const),
  path: fc.constant("/chat/completions"),
  body: fc.record({ stream: fc.boolean() }),
  status: fc.constantFrom(0, 200, 400, 404, 429, 500),
  response: fc.oneof(
    fc.string(),
    fc.json(),
    fc.json().map((text) => `data: ${text}\n\n`),
    fc.constant('{"choices":[{"message":{"reasoning":"x","tool_calls":[1]}}],"usage":{}}'),
  ),
});
const recordings = fc.array(exchange, { maxLength: 20 });

describe("whatever an endpoint answers", () => {
  test("the matrix has every row, each with an answer and its evidence", () => {
    const size = capabilitiesOf({
      schema: "deepseek-compat/probe@1",
      baseUrl: "https://a.b",
      model: "m",
      date: "2026-11-25",
      exchanges: [],
    }).length;
    fc.assert(
      fc.property(recordings, (exchanges) => {
        const rows = capabilitiesOf({
          schema: "deepseek-compat/probe@1",
          baseUrl: "https://a.b",
          model: "m",
          date: "2026-11-25",
          exchanges,
        });
        expect(rows.length).toBe(size);
        for (const { answer, evidence } of rows) {
          expect(["yes", "no", "unknown"]).toContain(answer);
          expect(evidence).not.toBe("");
        }
      }),
    );
  });

  test("a probe ends, asks nothing twice, and every question is small", () => {
    fc.assert(
      fc.property(fc.infiniteStream(exchange), (answers) => {
        const done: Exchange[] = [];
        for (let next = nextRequest(done, undefined); next; next = nextRequest(done, undefined)) {
          const [answer] = [answers.next().value!];
          done.push({ ...answer, ...next });
          expect(done.length).toBeLessThanOrEqual(mostRequests);
          if (next.body) expect(Number(next.body["max_tokens"])).toBeLessThanOrEqual(tokensPerRequest);
        }
        expect(new Set(done.map(({ id }) => id)).size).toBe(done.length);
      }),
    );
  });
});

test("what was never asked is unknown", () => {
  const rows = capabilitiesOf({
    schema: "deepseek-compat/probe@1",
    baseUrl: "https://a.b",
    model: "m",
    date: "2026-11-25",
    exchanges: [],
  });
  expect(new Set(rows.map(({ answer }) => answer))).toEqual(new Set(["unknown"]));
});

test.each([
  ["https://api.deepseek.com", "/chat/completions", "https://api.deepseek.com/chat/completions"],
  ["https://api.deepseek.com/v1/", "/chat/completions", "https://api.deepseek.com/v1/chat/completions"],
  ["https://api.deepseek.com/v1", "/beta/completions", "https://api.deepseek.com/beta/completions"],
  ["http://localhost:8000/proxy/v1", "/models", "http://localhost:8000/proxy/v1/models"],
])("%s and %s is %s", (base, path, url) => {
  expect(urlOfRequest(base, path)).toBe(url);
});
