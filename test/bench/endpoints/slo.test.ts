import { expect, test } from "@jest/globals";
import { parseSlo } from "../../../src/bench/endpoints/slo.js";

test("limits of requests are read in base units", () => {
  expect(parseSlo("ttft=500ms, tpot = 50ms")).toEqual({ ttft: 0.5, tpot: expect.closeTo(0.05, 12) });
  expect(parseSlo("user_throughput=20tok/s,e2e=1min")).toEqual({ user_throughput: 20, e2e: 60 });
});

test.each([
  ["", /expected metric=limit/],
  ["ttft", /expected metric=limit/],
  ["ttft=500", /"500" is no limit for TTFT; write a number above 0 in s, ms, us/],
  ["ttft=0ms", /above 0/],
  ["ttft=1s,ttft=2s", /limited twice/],
  ["goodput=2", /a request has no "goodput"; limits are on ttft/],
  ["output_tokens=2", /a request has no "output_tokens"/],
  ["constructor=2s", /a request has no "constructor"/],
  ["ttft=5ms more", /is no limit/],
])("%p is refused", (text, message) => {
  expect(() => parseSlo(text)).toThrow(message);
});
