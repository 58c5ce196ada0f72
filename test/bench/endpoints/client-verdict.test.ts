import { expect, test } from "@jest/globals";
import { sendDelay } from "../../../src/bench/endpoints/client-load.js";
import { clientLimits, judgeClient } from "../../../src/bench/endpoints/client-verdict.js";
import { keepRecords } from "../../../src/bench/endpoints/keep-records.js";
import type { Block, ClientLoad, LoadPoint, RequestRecord } from "../../../src/bench/endpoints/record.js";
import { outcome } from "./simulated.js";

const closed: LoadPoint = { kind: "closed", concurrency: 1 };
const open: LoadPoint = { kind: "open", rate: 10, arrival: "constant", burstiness: null, maxConcurrency: null };

const block = (client: Partial<ClientLoad> & { p50?: number; p99?: number }, more: Partial<Block> = {}): Block => ({
  target: "A",
  point: 0,
  round: 0,
  start: 0,
  end: 30,
  window: { start: 0, end: 30 },
  client: {
    cpu: 0.02,
    eventLoop: 0.02,
    lag: { p50: client.p50 ?? 0.0001, p99: client.p99 ?? 0.001, max: 0.1 },
    sendDelay: null,
    ...client,
  },
  ...more,
});

/** Requests every 100 ms with a TTFT, sent late by so much. */
function requests(ttft: number, late: (at: number) => number = () => 0, reused = true): readonly RequestRecord[] {
  const records = keepRecords();
  for (let at = 0; at < 100; at++) {
    const scheduled = at / 10;
    const sent = scheduled + late(at);
    records.keep(outcome({ sent, firstSent: sent, events: [sent + ttft], done: sent + ttft + 0.1, reused }), {
      target: "A",
      point: 0,
      round: 0,
      slot: at,
      prompt: String(at),
      turn: 0,
      scheduled,
      warmUp: false,
    });
  }
  return records.all;
}

test.each<[string, Block, LoadPoint, readonly RequestRecord[], RegExp | null, RegExp | null]>([
  ["an idle client", block({}), closed, requests(0.1), null, null],
  [
    "a busy loop",
    block({ eventLoop: 0.8, cpu: 0.75 }),
    closed,
    requests(0.1),
    /^this program was busy for 80 % of the time: its times/,
    null,
  ],
  [
    "a loop that gets no core",
    block({ eventLoop: 0.8, cpu: 0.2 }),
    closed,
    requests(0.1),
    /got 20 % of a core, for others use the machine/,
    null,
  ],
  [
    "one user on a busy machine",
    block({ p99: 0.02 }),
    closed,
    requests(0.1),
    null,
    /^timers fired up to 20\.0 ms late .* took only 2 % of a core: others/,
  ],
  [
    "a loop that is busy by the clock alone, for it waits for a core",
    block({ p99: 0.02, eventLoop: 0.4, cpu: 0.1 }),
    closed,
    requests(0.1),
    null,
    /^timers fired up to 20\.0 ms late .* took only 10 % of a core/,
  ],
  [
    "many streams whose stamps queue",
    block({ p99: 0.02, eventLoop: 0.4, cpu: 0.4 }),
    closed,
    requests(0.1),
    /^timers fired up to 20\.0 ms late \(99th percentile\), more than the 5\.0 ms/,
    null,
  ],
  [
    "lateness that is little against a TTFT of a second",
    block({ p99: 0.02, eventLoop: 0.4, cpu: 0.4 }),
    closed,
    requests(1),
    null,
    null,
  ],
  ["timers that are always late", block({ p50: 0.02, p99: 0.03 }), closed, requests(0.1), /^timers fired/, null],
  [
    "late sends of a busy client",
    block({ eventLoop: 0.5, cpu: 0.4 }),
    open,
    requests(0.1, () => 0.05),
    /^requests were sent up to 50\.0 ms late/,
    null,
  ],
  [
    "late sends over connections that had to be opened",
    block({ eventLoop: 0.5, cpu: 0.4 }),
    open,
    requests(0.1, () => 0.05, false),
    null,
    null,
  ],
  [
    "late sends because only so many were allowed",
    block({ eventLoop: 0.5, cpu: 0.4 }),
    { ...open, maxConcurrency: 1 },
    requests(0.1, (at) => at * 0.2),
    null,
    null,
  ],
  [
    "a rate that is not reached",
    block({}),
    open,
    requests(20, (at) => at * 0.01),
    /^only 91 % of the intended rate was sent$/,
    null,
  ],
  ["too short a time to tell", block({ eventLoop: 1, p99: 0.1 }, { end: 0.5 }), closed, requests(0.1), null, null],
])("%s", (_, measured, load, records, limited, disturbed) => {
  const verdict = judgeClient(measured, load, records);
  if (limited === null) expect(verdict.limited).toBeNull();
  else expect(verdict.limited).toMatch(limited);
  if (disturbed === null) expect(verdict.disturbed).toBeNull();
  else expect(verdict.disturbed).toMatch(disturbed);
});

test("a load is limited if half of its blocks are", () => {
  const run = (busy: readonly number[]) => ({
    points: [closed],
    blocks: busy.map((eventLoop, round) => block({ eventLoop, cpu: eventLoop }, { round })),
    records: [],
    stopped: null,
  });
  expect(clientLimits(run([0.9, 0.1, 0.1]))).toEqual([]);
  expect(clientLimits(run([0.9, 0.9, 0.1, 0.1]))).toEqual([
    { target: "A", point: 0, why: "this program was busy for 90 % of the time: its times include its own queue" },
  ]);
});

test("blocks too short to be judged are judged together", () => {
  const short = (eventLoop: number, round: number) =>
    block({ eventLoop, cpu: eventLoop }, { round, start: 10 * round, end: 10 * round + 0.4 });
  const run = (busy: readonly number[]) => ({ points: [closed], blocks: busy.map(short), records: [], stopped: null });
  expect(clientLimits(run([0.9, 0.9, 0.9, 0.9]))).toHaveLength(1);
  expect(clientLimits(run([0.9, 0.1, 0.1, 0.1]))).toEqual([]);
  expect(clientLimits(run([0.9, 0.9]))).toEqual([]);
});

test("delays of sends are those of first turns with an intended time", () => {
  expect(sendDelay(requests(0.1, (at) => at / 1000))).toEqual({
    p50: expect.closeTo(0.0495, 6),
    p99: expect.closeTo(0.09801, 6),
  });
  expect(sendDelay([])).toBeNull();
});
