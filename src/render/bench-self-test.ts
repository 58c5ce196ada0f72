import type { Paced, Rate, SelfTestResult } from "../bench/endpoints/self-test.js";
import type { Forms } from "./forms.js";
import { formatCount, formatPercent, formatSeconds } from "./quantities.js";
import { type Column, markdownTable, textTable, wrapWords } from "./table.js";

/** The forms of a self-test. */
export function selfTestForms(result: SelfTestResult): Forms {
  const { environment } = result;
  const head = `${environment.cpu}, ${environment.cores} cores; ${environment.platform}, Node.js ${environment.node}`;
  return {
    json: result,
    text: (paint, columns) =>
      [
        `${paint.bold("What this program can measure on this machine")}\n${paint.dim(head)}\n\n`,
        textTable(rateColumns, rateRows(result), paint.bold),
        "\n",
        textTable(pacedColumns, pacedRows(result), paint.bold),
        `\n${wrapWords(foot, columns)
          .map((line) => `${paint.dim(line)}\n`)
          .join("")}`,
      ].join(""),
    markdown: () =>
      [
        `## What this program can measure on this machine\n\n${head}\n\n`,
        markdownTable(rateColumns, rateRows(result)),
        "\n",
        markdownTable(pacedColumns, pacedRows(result)),
        `\n${foot}\n`,
      ].join(""),
  };
}

const right = "right" as const;
const rateColumns: readonly Column[] = [
  { header: "at full speed" },
  { header: "a second", align: right },
  { header: "a second of CPU", align: right },
  { header: "CPU each", align: right },
];
const pacedColumns: readonly Column[] = [
  { header: "streams" },
  { header: "events", align: right },
  { header: "of a core", align: right },
  { header: "CPU each", align: right },
  { header: "error p50", align: right },
  { header: "p99", align: right },
  { header: "most", align: right },
  { header: "kept up" },
];
const foot =
  "error: how much later than the server sent it an event is noticed, which is what this program adds to a TTFT or a gap; " +
  "the server runs on this machine too, so a busy one shows more than a client alone would. An endpoint that comes near " +
  "these figures is measured as slower than it is: spread its load over several machines.";

function rateRows({ coalesced, requests }: SelfTestResult): string[][] {
  const row = (name: string, { count, seconds, cpuSeconds }: Rate) => [
    name,
    formatCount(Math.round(count / seconds)),
    formatCount(Math.round(count / cpuSeconds)),
    formatSeconds(cpuSeconds / count),
  ];
  return [
    row(`events, many a read, ${coalesced.streams} streams`, coalesced),
    row(`requests without streaming, ${requests.streams} connections`, requests),
  ];
}

function pacedRows({ paced, openStreams }: SelfTestResult): string[][] {
  return [...paced, openStreams].map((one: Paced) => [
    `${formatCount(one.streams)} of ${one.eventsPerSecond} events a second`,
    formatPercent(one.share),
    formatPercent(one.cpuSeconds / one.seconds),
    formatSeconds(one.cpuSeconds / one.events),
    formatSeconds(one.error.p50),
    formatSeconds(one.error.p99),
    formatSeconds(one.error.max),
    // half a gap late and later: what comes in is no longer read in time
    keptUp(one) ? "yes" : `no: ${formatSeconds(Math.max(0, one.drift))} later at the end`,
  ]);
}

/** Whether all events came and were not read later and later. */
function keptUp({ share, drift }: Paced): boolean {
  return share >= 0.999 && drift < 0.005;
}
