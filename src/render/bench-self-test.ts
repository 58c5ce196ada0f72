import type { Paced, Rate, SelfTestResult } from "../bench/endpoints/self-test.js";

const thousands = (value: number): string => Math.round(value).toLocaleString("en-US");

function milliseconds(seconds: number): string {
  const value = seconds * 1000;
  return `${value.toFixed(value < 10 ? 2 : 1)} ms`;
}

function rate({ count, seconds, cpuSeconds }: Rate, what: string): string {
  const core = cpuSeconds / seconds;
  return `${thousands(count / seconds)} ${what}/s, with ${(core * 100).toFixed(0)} % of a core (${((cpuSeconds / count) * 1e6).toPrecision(2)} us each)`;
}

function paced(one: Paced): readonly string[] {
  const { streams, eventsPerSecond, error, cpuSeconds, seconds, events, drift } = one;
  return [
    `${thousands(streams)} x ${eventsPerSecond}/s`,
    milliseconds(error.p50),
    milliseconds(error.p99),
    milliseconds(error.max),
    `${((cpuSeconds / seconds) * 100).toFixed(0)} %`,
    `${((cpuSeconds / Math.max(1, events)) * 1e6).toPrecision(2)} us`,
    // half a gap late and later: what comes in is no longer read in time
    keptUp(one) ? "yes" : `no: ${milliseconds(drift)} later at the end`,
  ];
}

/** Whether all events came and were not read later and later. */
function keptUp({ share, drift }: Paced): boolean {
  return share >= 0.999 && drift < 0.005;
}

/** The roofline of this program on this machine, as text for a terminal. */
export function renderSelfTest(result: SelfTestResult): string {
  const { environment, coalesced, requests, openStreams } = result;
  const rows = [
    ["streams", "error p50", "p99", "max", "CPU", "an event", "kept up"],
    ...[...result.paced, openStreams].map(paced),
  ];
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  const table = rows.map((row) =>
    row
      .map((cell, column) => cell.padEnd(widths[column]!))
      .join("  ")
      .trimEnd(),
  );
  const read = result.paced.at(-1) ?? openStreams;
  return [
    `What this program can measure on this machine (${environment.cpu}, ${environment.cores} cores, Node ${environment.node})`,
    "",
    `Many events a read    ${rate(coalesced, "events")}`,
    `One event a read      about ${thousands(read.events / read.cpuSeconds)} events/s a core, from the CPU time of ${thousands(read.streams)} streams`,
    `Without streaming     ${rate(requests, "requests")}`,
    "",
    "Streams of a known pace, one event a read: how late the program stamps an event, which is what it adds to a TTFT",
    "",
    ...table.map((line) => `  ${line}`),
    "",
    "An endpoint that comes near these figures is measured as slower than it is; spread its load over several machines.",
    "",
  ].join("\n");
}
