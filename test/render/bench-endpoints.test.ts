import { describe, expect, test } from "@jest/globals";
import { Chalk } from "chalk";
import type { Decision } from "../../src/bench/compare/result.js";
import type { EndpointBenchResult } from "../../src/bench/endpoints/result.js";
import { endpointForms } from "../../src/render/bench-endpoints.js";
import { elementsOf } from "./elements.js";
import { endpointResult } from "./endpoint-result.js";

const plain = new Chalk({ level: 0 });
const rich = endpointResult();
const text = (result: EndpointBenchResult, columns = 80) => endpointForms(result).text(plain, columns);

/** The result with only its heaviest load. */
function heaviest(change: Partial<EndpointBenchResult> = {}): EndpointBenchResult {
  const last = rich.points.length - 1;
  return {
    ...rich,
    points: rich.points.slice(last),
    summaries: rich.summaries.filter(({ point }) => point === last).map((one) => ({ ...one, point: 0 })),
    comparisons: rich.comparisons.filter(({ point }) => point === "16 users"),
    saturation: null,
    raw: {
      blocks: rich.raw.blocks.filter(({ point }) => point === last).map((one) => ({ ...one, point: 0 })),
      records: rich.raw.records.filter(({ point }) => point === last).map((one) => ({ ...one, point: 0 })),
    },
    ...change,
  };
}

/** Rows of comma-separated values, after RFC 4180. */
function parseCsv(csv: string): string[][] {
  const rows: string[][] = [[]];
  let rest = csv;
  while (rest !== "") {
    const [, quoted, bare, end] = /^(?:"((?:[^"]|"")*)"|([^",\r\n]*))(,|\r\n)/.exec(rest) ?? [];
    if (end === undefined) throw new Error(`not CSV: ${rest.slice(0, 60)}`);
    rows.at(-1)!.push(quoted?.replaceAll('""', '"') ?? bare!);
    rest = rest.slice((quoted === undefined ? bare!.length : quoted.length + 2) + end.length);
    if (end === "\r\n" && rest !== "") rows.push([]);
  }
  return rows;
}

describe("the report of a benchmark of endpoints", () => {
  test("names the tolerance of what it says, and a control once", () => {
    const [one] = heaviest().comparisons;
    const errors = {
      ...one!,
      metric: "error_rate",
      statistic: "value",
      scale: "difference",
      estimate: 0.2,
      interval: { lower: 0.15, upper: 0.25, coverage: 0.95 },
      verdict: "slower",
      gated: true,
      decision: "FAIL",
    } as const;
    const control = { ...rich.targets[0]!, label: "old (control)", role: "control" } as const;
    const shown = text(heaviest({ comparisons: [errors], gates: [], targets: [...rich.targets, control] }), 200);
    expect(shown).toMatch(/^FAIL: new is 20\.0 points higher than old in error rate .*; the tolerance is 1\.0 points/);
    expect(shown).toMatch(/^old \(control\): /m);
  });

  test("as text", () => {
    expect(text(heaviest())).toMatchInlineSnapshot(`
"FAIL: new is 10.3 % slower than old in TTFT p50 [8.9 %, 11.7 %] at 16 users;
  the tolerance is 5.0 % (and 1 more failure)
  TTFT p50 is slower at 1 user, 4 users and 16 users
  a gate failed: p99(ttft) < 500ms

old (baseline): deepseek-v3 at http://localhost:8000/v1, chat, streaming
new (candidate): deepseek-v3.1 at http://localhost:8000/v1, chat, streaming
workload: synthetic in=512,out=18, 130 prompts, seed 1, each with a beginning
  of its own, sha256 c0ffee00c0ff
130 requests for each target and load, cut into 6 rounds in which the targets
  take turns; started 2026-11-25T10:00:00.000Z
from Some CPU, 2 cores, load average 0.1; linux 6 x64, Node.js v20.0.0

16 users
     sent  requests  output tok  goodput  failed  retries  cached  $/1000
old   684    21.6/s       374/s   21.4/s   1.0 %        -  50.0 %  $0.173
new   684    19.7/s       345/s   19.2/s   1.8 %        3  51.0 %  $0.158
                 p50      p95      p99  over time               spread
TTFT    old   282 ms   350 ms   479 ms  ▃▃▂▅▄▂▃▁▅▃▃▄▅▂▆▅▃▂▁▃▅▃  ▁▄█▇▄▁▁ ▁▁▁▁▁▁
        new   308 ms   395 ms   582 ms  ████▇▅▆▅█▅▇▇▆▇▅▅▆▇▆▇█▅  ▁▁▅█▆▃▁▁▁▁▁▁▁▁▁▁
TPOT    old  19.4 ms  21.5 ms  22.4 ms  ▇▂▆▆▆▆▄▅▆▅▅▇▄▃▅▅▄▇▆▅█▅  ▁▁▁▃▃▅▇█▇▇▅▃▂▁▁▁
        new  19.2 ms  21.5 ms  22.2 ms  ▆▅▄▄▄▃▆▆▂▆▇▄▄▅▆▃▃▄▄▁▅█   ▁▁▃▅▅███▅▄▃▂▁▁▁
ITL     old  18.8 ms  28.5 ms  34.3 ms
        new  18.7 ms  28.2 ms  33.6 ms
E2E     old   601 ms   739 ms   847 ms  ▁▃▁▅▆▁▄▃▂▁▄▂▂▃▂▅▂▃▄▁▂▁  ▁▃▆████▆▃▁▁ ▁▁▁
        new   634 ms   776 ms   906 ms  ▇▅▄█▅▅▅▂▄▆▆█▅▄▄▄▅▄▃▂▇▇   ▁▄▆▇▇█▇▅▂▁▁▁▁▁▁
TTFT *  old   282 ms   357 ms   failed
        new   308 ms   422 ms   failed
* with each failed request as infinitely slow

new against old, 16 users
            ratio        interval  verdict     decides
TTFT p50   1.103x  [1.089, 1.117]  slower      FAIL
TPOT p50  ~1.001x  [0.994, 1.008]  same        PASS
E2E p95   ~0.968x  [0.921, 1.012]  not slower  PASS
ITL p99    0.910x  [0.880, 0.940]  faster
2 others without a difference to be seen

Failed requests
              old  new  for example
rate-limited    3    7  rate-limited <b>from</b> "server"
http-5xx        2    3  http-5xx <b>from</b> "server"
reset           2    2  reset <b>from</b> "server"

Gates
PASS: p95(ttft) < 400ms of new at 16 users: 372 ms [360 ms, 389 ms], limit 400
  ms; the whole interval is below the limit
INCONCLUSIVE: output_throughput >= 0.95 * baseline of new at 16 users: 801/s
  [770/s, 830/s], limit 777/s; the interval holds the limit
FAIL: p99(ttft) < 500ms of new at 1 user: not measured, limit 500 ms; p99
  needs 662 requests, there are 54

the client itself, in its busiest block: 8.8 % of a core, event loop 7.2 %
  busy, timers late by 1.58 ms (p99)
warning: new: 2.0 % of its requests failed, of old's 0.4 %; look at its log
  first
warning: 1 user: 54 requests are too few for p95; use --requests 200

goodput: requests with TTFT <= 500 ms and TPOT <= 50.0 ms
noise floor (baseline against itself): TTFT p50 1.2 %, TPOT p50 0.6 %
tokens counted by the server's usage
prices of new: list price of V3.1, 2026-09-05
TTFT: first token event - sent
TPOT: (last - first token event) / (output tokens - 1)
percentiles: type 7, of requests that succeeded; p90, p95, p99 and p99.9 need
  64, 130, 662, 6,636 values
ratio: candidate / baseline of the same prompts, with its 95 % interval; ~: no
  difference to be seen

FAIL: new is 10.3 % slower than old in TTFT p50 [8.9 %, 11.7 %] at 16 users;
  the tolerance is 5.0 % (and 1 more failure)
"
`);
  });

  test("as Markdown", () => {
    expect(endpointForms(heaviest()).markdown()).toMatchInlineSnapshot(`
"## Benchmark of endpoints: FAIL

**FAIL**: new is 10.3 % slower than old in TTFT p50 \\[8.9 %, 11.7 %\\] at 16 users; the tolerance is 5.0 % (and 1 more failure)

- TTFT p50 is slower at 1 user, 4 users and 16 users
- a gate failed: p99(ttft) &lt; 500ms

### new against old, 16 users

|  | ratio | interval | verdict | decides | pairs | p | p after Holm | Cliff's delta |
| --- | --: | --: | --- | --- | --: | --: | --: | --: |
| TTFT p50 | 1.103x | \\[1.089, 1.117\\] | slower | FAIL | 54 | 0.031 | 0.19 | 0.31 |
| TPOT p50 | \\~1.001x | \\[0.994, 1.008\\] | same | PASS | 54 | 0.031 | 0.19 | 0.31 |
| E2E p95 | \\~0.968x | \\[0.921, 1.012\\] | not slower | PASS | 54 | 0.031 | 0.19 | 0.31 |
| ITL p99 | 0.910x | \\[0.880, 0.940\\] | faster |  | 54 | 0.031 | - | 0.31 |

2 others without a difference to be seen

<details><summary>All comparisons</summary>

### new against old, 16 users

|  | ratio | interval | verdict | decides | pairs | p | p after Holm | Cliff's delta |
| --- | --: | --: | --- | --- | --: | --: | --: | --: |
| TTFT p50 | 1.103x | \\[1.089, 1.117\\] | slower | FAIL | 54 | 0.031 | 0.19 | 0.31 |
| TPOT p50 | \\~1.001x | \\[0.994, 1.008\\] | same | PASS | 54 | 0.031 | 0.19 | 0.31 |
| E2E p95 | \\~0.968x | \\[0.921, 1.012\\] | not slower | PASS | 54 | 0.031 | 0.19 | 0.31 |
| output tokens/s | \\~0.981x | \\[0.962, 1.001\\] | same |  | 54 | 0.031 | - | 0.31 |
| ITL p99 | 0.910x | \\[0.880, 0.940\\] | faster |  | 54 | 0.031 | - | 0.31 |
| error rate | \\~+1.8 points | \\[-0.2, +3.1\\] | inconclusive |  | 54 | 0.031 | 0.19 | 0.31 |

</details>

### Gates

|  | gate | of | measured | why |
| --- | --- | --- | --- | --- |
| PASS | p95(ttft) &lt; 400ms | new, 16 users | 372 ms \\[360 ms, 389 ms\\], limit 400 ms | the whole interval is below the limit |
| INCONCLUSIVE | output\\_throughput >= 0.95 \\* baseline | new, 16 users | 801/s \\[770/s, 830/s\\], limit 777/s | the interval holds the limit |
| FAIL | p99(ttft) &lt; 500ms | new, 1 user | not measured, limit 500 ms | p99 needs 662 requests, there are 54 |

### Failed requests

|  | old | new | for example |
| --- | --: | --: | --- |
| rate-limited | 3 | 7 | rate-limited &lt;b>from&lt;/b> "server" |
| http-5xx | 2 | 3 | http-5xx &lt;b>from&lt;/b> "server" |
| reset | 2 | 2 | reset &lt;b>from&lt;/b> "server" |

### Warnings

- new: 2.0 % of its requests failed, of old's 0.4 %; look at its log first
- 1 user: 54 requests are too few for p95; use --requests 200

### Loads

<details><summary>16 users</summary>

### Throughput

|  | sent | requests | input tok | output tok | goodput | failed | retries | cached | tokens | $/1000 |
| --- | --: | --: | --: | --: | --: | --: | --: | --: | --: | --: |
| old | 684 | 21.6/s | 11,036/s | 374/s | 21.4/s | 1.0 % | - | 50.0 % | 17.3 | $0.173 |
| new | 684 | 19.7/s | 10,062/s | 345/s | 19.2/s | 1.8 % | 3 | 51.0 % | 17.5 | $0.158 |

### Latency

|  |  | p50 | p90 | p95 | p99 | p99.9 |
| --- | --- | --: | --: | --: | --: | --: |
| TTFT | old | 282 ms | 332 ms | 350 ms | 479 ms | needs 6,636 |
|  | new | 308 ms | 368 ms | 395 ms | 582 ms | needs 6,636 |
| TPOT | old | 19.4 ms | 21.0 ms | 21.5 ms | 22.4 ms | needs 6,636 |
|  | new | 19.2 ms | 21.0 ms | 21.5 ms | 22.2 ms | needs 6,636 |
| ITL | old | 18.8 ms | 25.9 ms | 28.5 ms | 34.3 ms | 42.0 ms |
|  | new | 18.7 ms | 25.8 ms | 28.2 ms | 33.6 ms | 40.7 ms |
| E2E | old | 601 ms | 707 ms | 739 ms | 847 ms | needs 6,636 |
|  | new | 634 ms | 742 ms | 776 ms | 906 ms | needs 6,636 |
| TTFT \\* | old | 282 ms | 336 ms | 357 ms | failed | needs 6,636 |
|  | new | 308 ms | 375 ms | 422 ms | failed | needs 6,636 |

\\* with each failed request as infinitely slow

</details>

<details><summary>How it was measured</summary>

- old (baseline): deepseek-v3 at http://localhost:8000/v1, chat, streaming
- new (candidate): deepseek-v3.1 at http://localhost:8000/v1, chat, streaming
- workload: synthetic in=512,out=18, 130 prompts, seed 1, each with a beginning of its own, sha256 c0ffee00c0ff
- 130 requests for each target and load, cut into 6 rounds in which the targets take turns; started 2026-11-25T10:00:00.000Z
- from Some CPU, 2 cores, load average 0.1; linux 6 x64, Node.js v20.0.0
- the client itself, in its busiest block: 8.8 % of a core, event loop 7.2 % busy, timers late by 1.58 ms (p99)
- goodput: requests with TTFT &lt;= 500 ms and TPOT &lt;= 50.0 ms
- noise floor (baseline against itself): TTFT p50 1.2 %, TPOT p50 0.6 %
- tokens counted by the server's usage
- prices of new: list price of V3.1, 2026-09-05
- TTFT: first token event - sent
- TPOT: (last - first token event) / (output tokens - 1)
- percentiles: type 7, of requests that succeeded; p90, p95, p99 and p99.9 need 64, 130, 662, 6,636 values
- ratio: candidate / baseline of the same prompts, with its 95 % interval; \\~: no difference to be seen

</details>
"
`);
  });

  test.each([80, 100, 140])("fits %d columns, and has colours only where they are wanted", (columns) => {
    const lines = text(rich, columns).split("\n");
    expect(lines.filter((line) => [...line].length > columns)).toEqual([]);
    expect(lines.join("")).not.toContain("\u001b");
    expect(endpointForms(rich).text(new Chalk({ level: 1 }), columns)).toContain("\u001b[31m");
  });

  test("with more columns has more quantiles and longer lines over time", () => {
    const [narrow, wide] = [text(heaviest()), text(heaviest(), 140)];
    expect(narrow).not.toContain("p90 ");
    expect(wide).toMatch(/p50 +p90 +p95 +p99 +p99\.9 +over time +spread/);
    expect(wide).toMatch(/pairs +p +p after Holm +Cliff's delta/);
  });

  test("repeats the verdict at the end of a long text", () => {
    const lines = text(rich).trimEnd().split("\n");
    expect(lines.at(-2)).toBe(lines[0]);
    const short = heaviest({ summaries: [], comparisons: [], gates: [], warnings: [], formulas: {} });
    expect(text(short).match(/FAIL/g)).toHaveLength(1);
  });

  test("calls gaps by what they are between", () => {
    const several = heaviest();
    const summaries = several.summaries.map((one) => ({
      ...one,
      metrics: { ...one.metrics, tokens_per_chunk: { ...one.metrics.tokens_per_chunk!, mean: 3.2 } },
    }));
    expect(text(several)).toMatch(/^ITL /m);
    expect(text({ ...several, summaries })).toMatch(/^inter-chunk /m);
    expect(text({ ...several, summaries })).not.toMatch(/^ITL +old/m);
  });

  test("shows the time to the first answer token only where it is another", () => {
    expect(text(heaviest())).not.toContain("TTFO");
    const summaries = heaviest().summaries.map((one) => ({
      ...one,
      metrics: { ...one.metrics, ttfo: { ...one.metrics.ttfo!, mean: 1.5, p50: 1.5 } },
    }));
    expect(text(heaviest({ summaries }))).toMatch(/^TTFO +old +1\.50 s/m);
  });

  test("shows what a server said, but nothing that steers a terminal", () => {
    const records = heaviest().raw.records.map((one) =>
      one.error ? { ...one, error: { ...one.error, message: `\u001b[2J\u202eno\nroom ${"x".repeat(500)}` } } : one,
    );
    const said = text(heaviest({ raw: { ...rich.raw, records } }));
    expect(said).toMatch(/rate-limited +\d+ +\d+ +\[2J no room/);
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what must not be there
    expect(said).not.toMatch(/[\u001b\u202e]|x{161}/);
  });

  test("labels too long for the table stay apart", () => {
    const names = ["http://localhost:8000/v1 deepseek-v3", "http://localhost:8000/v1 deepseek-v3.1"];
    const renamed = JSON.parse(
      JSON.stringify(rich).replaceAll('"old"', JSON.stringify(names[0])).replaceAll('"new"', JSON.stringify(names[1])),
    ) as EndpointBenchResult;
    expect(text(renamed)).toMatch(/http:\/\/l\.\. 1 .*\n +http:\/\/l\.\. 2 /);
    expect(text(renamed)).toContain(`${names[1]} (candidate)`);
  });
});

describe("the verdict's sentence", () => {
  const first = (result: EndpointBenchResult) => text(result, 300).split("\n")[0];
  const only = (at: number, verdict: Decision, change: Partial<EndpointBenchResult> = {}) =>
    first(heaviest({ verdict, gates: [], reasons: [], comparisons: [rich.comparisons[at]!], ...change }));

  test("of a failure", () => {
    expect(only(6, "FAIL")).toBe(
      "FAIL: new is 10.3 % slower than old in TTFT p50 [8.9 %, 11.7 %] at 16 users; the tolerance is 5.0 %",
    );
  });

  test("of a pass names what came closest", () => {
    expect(only(8, "PASS")).toBe(
      "PASS: new: no worse by 5.0 % or more in 1 gated comparison; the closest: E2E p95 at 16 users 3.2 % faster",
    );
  });

  test("of an inconclusive one says what would decide", () => {
    expect(only(5, "INCONCLUSIVE")).toBe(
      "INCONCLUSIVE: E2E p95 of new is 2.1 % slower [-3.9 %, 8.4 %] at 4 users and the tolerance is 5.0 %: about 4 more rounds (96 pairs) would decide",
    );
  });

  test("of one that something else made inconclusive gives that reason", () => {
    const reasons = ["the client was the bottleneck in 3 blocks"];
    expect(only(6, "INCONCLUSIVE", { comparisons: [], reasons })).toBe(`INCONCLUSIVE: ${reasons[0]}`);
  });

  test("of what was not measured", () => {
    const missing = { ...rich.comparisons[2]!, gated: true };
    expect(only(2, "FAIL", { comparisons: [missing] })).toBe(
      "FAIL: E2E p95 of new against old at 1 user was not measured; the tolerance is 5.0 %",
    );
  });

  test("of a gate alone", () => {
    expect(only(6, "FAIL", { comparisons: [], gates: rich.gates })).toBe(
      "FAIL: gate p99(ttft) < 500ms of new at 1 user: not measured, limit 500 ms; p99 needs 662 requests, there are 54",
    );
  });

  test("counts the other way for what is better when higher", () => {
    const slow = { ...rich.comparisons[9]!, estimate: 0.8, interval: { lower: 0.75, upper: 0.86, coverage: 0.95 } };
    const gated = { ...slow, gated: true, verdict: "slower" as const, decision: "FAIL" as const };
    const result = heaviest({ comparisons: [gated], gates: [], reasons: [] });
    expect(first(result)).toContain("new is 20.0 % lower than old in output tokens/s [14.0 %, 25.0 %] at 16 users");
    expect(text(result)).toMatch(/output tokens\/s +0\.800x +\[0\.750, 0\.860\] +worse +FAIL/);
  });
});

describe("values for spreadsheets", () => {
  test("have one row a request", () => {
    const [header, ...rows] = parseCsv(endpointForms(rich).csv!());
    expect(rows).toHaveLength(rich.raw.records.length);
    expect(rows.every((row) => row.length === header!.length)).toBe(true);
    const at = (name: string) => header!.indexOf(name);
    const record = rich.raw.records[100]!;
    const row = rows[100]!;
    expect(Number(row[at("ttft")])).toBe(record.firstToken! - record.sent);
    expect([row[at("target")], row[at("load")], row[at("prompt")]]).toEqual([record.target, "1 user", record.prompt]);
    const failed = rows.filter((one) => one[at("error")] !== "");
    expect(failed.length).toBeGreaterThan(0);
    expect(failed.every((one) => one[at("ttft")] === "")).toBe(true);
    expect(failed[0]![at("message")]).toContain('<b>from</b> "server"');
  });

  test("have one row a target, load and metric", () => {
    const [header, ...rows] = parseCsv(endpointForms(rich).summaryCsv!());
    const row = rows.find((one) => one[0] === "new" && one[1] === "16 users" && one[4] === "ttft")!;
    expect(Number(row[header!.indexOf("p50")])).toBe(rich.summaries.at(-1)!.metrics.ttft!.p50);
    expect(row[header!.indexOf("p999")]).toBe("");
    expect(row[header!.indexOf("unit")]).toBe("seconds");
  });

  test.each(["=1+1", "+1", "-1", "@SUM(A1)", "\tx"])("never start a text with a formula: %j", (bad) => {
    const records = rich.raw.records.slice(0, 1).map((one) => ({ ...one, target: bad }));
    const [, row] = parseCsv(endpointForms(heaviest({ raw: { blocks: [], records } })).csv!());
    expect(row![0]).toBe(`'${bad}`);
  });
});

describe("JUnit", () => {
  const junit = (inconclusiveFails: boolean) =>
    endpointForms({ ...rich, settings: { ...rich.settings, inconclusiveFails } }).junit!();

  test("has a case for the verdict, each gate and each comparison", () => {
    const names = elementsOf(junit(false));
    const cases = 1 + rich.gates.length + rich.comparisons.length;
    expect(names.filter((name) => name === "testcase")).toHaveLength(cases);
    expect(junit(false)).toContain(
      `<testsuites name="deepseek bench" tests="${cases}" failures="5" errors="0" skipped="2"`,
    );
    expect(names.filter((name) => name === "failure")).toHaveLength(5);
    expect(names.filter((name) => name === "skipped")).toHaveLength(2);
  });

  test("fails what is inconclusive where that was asked for, but nothing that does not decide", () => {
    expect(junit(true)).toContain('failures="7" errors="0" skipped="0"');
    expect(junit(true)).toContain("does not decide");
  });
});

describe("the page", () => {
  const page = endpointForms(rich).html!() as string;

  test("loads nothing from anywhere", () => {
    expect(page).toContain("default-src 'none'");
    expect(page).not.toMatch(/<(script|img|link|iframe)[^>]+(src|href)=|url\(|@import/i);
  });

  test("has the charts, each with words for those who do not see it", () => {
    for (const words of [
      "Cumulative distribution of TTFT; medians: old 282 ms",
      "TTFT of each request over the time of the run, 1,349 requests in 12 blocks",
      "TTFT against output tokens/s over 3 loads",
      "new, 16 users: median 308 ms, half between",
      "Histogram of ",
      "new is 10.3 % slower than old in TTFT p50 [8.9 %, 11.7 %] at 16 users",
    ]) {
      expect(page).toContain(`"${words}`);
    }
    const pictures = page.match(/<svg [^>]*role="img"[^>]*>/g)!;
    expect(pictures.every((picture) => picture.includes('aria-label="'))).toBe(true);
    expect(page).toContain('class="banner bad" role="status"><b>FAIL</b>');
  });

  test("draws open loops from when requests were due, not from when they were sent", () => {
    const records = heaviest().raw.records.map((one) => ({ ...one, scheduled: one.sent - 1 }));
    const open = endpointForms(heaviest({ raw: { ...heaviest().raw, records } })).html!();
    expect(open).toContain('"Cumulative distribution of TTFT (sched); medians: old 1.28 s');
    expect(open).toContain('"TTFT (sched) of each request over the time of the run');
  });

  test("says to how many points large data were thinned, and stays small", () => {
    expect(page).toContain("(600 of 1,349 requests drawn)");
    const records = Array.from({ length: 20 }, () => rich.raw.records).flat();
    const large = endpointForms({ ...rich, raw: { ...rich.raw, records } }).html!() as string;
    expect(large.length).toBeLessThan(page.length * 2);
  });

  test("shows text of others as text", () => {
    const bad = '<img src=x onerror="alert(1)">`';
    const renamed = JSON.parse(JSON.stringify(rich).replaceAll('"new"', JSON.stringify(bad))) as EndpointBenchResult;
    const result = {
      ...renamed,
      warnings: [{ code: "stopped" as const, message: bad }],
      reasons: [bad],
      gates: renamed.gates.map((gate) => ({ ...gate, text: bad, why: bad })),
      workload: { ...renamed.workload, source: bad },
      saturation: [{ target: bad, point: 2, why: bad }],
    };
    expect(endpointForms(result).html!()).not.toMatch(/<img|onerror="/);
    expect(endpointForms(result).markdown()).not.toMatch(/<img/);
    expect(elementsOf(endpointForms(result).junit!())).not.toContain("img");
  });
});

describe("a result that lacks something", () => {
  const failed = (result: EndpointBenchResult): EndpointBenchResult => ({
    ...result,
    summaries: result.summaries.map((one) => ({
      ...one,
      succeeded: 0,
      errors: { refused: one.requests },
      tokenSource: null,
      metrics: {},
      errorAdjusted: {
        ttft: { p50: Number.POSITIVE_INFINITY, p90: Number.POSITIVE_INFINITY, p95: null, p99: null, p999: null },
      },
      values: { request_throughput: 0, output_throughput: 0, error_rate: 1, goodput: 0 },
    })),
    comparisons: result.comparisons.map((one) => ({
      ...one,
      estimate: null,
      interval: null,
      verdict: "missing" as const,
    })),
    raw: {
      ...result.raw,
      records: result.raw.records.map((one) => ({
        ...one,
        firstToken: null,
        lastToken: null,
        events: null,
        outputTokens: null,
        error: { kind: "refused" as const, message: "refused" },
      })),
    },
  });
  const alone = heaviest();
  const nothing = { comparisons: [], gates: [], reasons: ["nothing is compared and no gate is set"], warnings: [] };
  const cases: Readonly<Record<string, EndpointBenchResult>> = {
    "one target without a baseline": {
      ...alone,
      ...nothing,
      verdict: "PASS",
      targets: alone.targets.slice(0, 1),
      summaries: alone.summaries.slice(0, 1),
      raw: { ...alone.raw, records: alone.raw.records.filter(({ target }) => target === "old") },
    },
    "all requests failed": failed(rich),
    "nothing was measured": { ...rich, ...nothing, summaries: [], raw: { blocks: [], records: [] } },
    "no load at all": {
      ...rich,
      ...nothing,
      points: [],
      summaries: [],
      saturation: null,
      raw: { blocks: [], records: [] },
    },
    "one request": {
      ...alone,
      summaries: alone.summaries.map((one) => ({
        ...one,
        requests: 1,
        metrics: {
          ttft: {
            count: 1,
            mean: 0.1,
            min: 0.1,
            max: 0.1,
            sd: null,
            p50: 0.1,
            p90: null,
            p95: null,
            p99: null,
            p999: null,
          },
        },
      })),
      raw: { blocks: alone.raw.blocks.slice(0, 1), records: alone.raw.records.slice(20, 21) },
    },
    "stamps were not kept": {
      ...alone,
      raw: { ...alone.raw, records: alone.raw.records.map((one) => ({ ...one, events: null })) },
    },
    "not streaming": {
      ...alone,
      raw: {
        ...alone.raw,
        records: alone.raw.records.map((one) => ({
          ...one,
          streamed: false,
          firstToken: null,
          lastToken: null,
          events: [],
        })),
      },
    },
    "values that are no numbers": {
      ...alone,
      summaries: alone.summaries.map((one) => ({
        ...one,
        values: { output_throughput: Number.NaN, cost: Number.POSITIVE_INFINITY },
      })),
      noiseFloor: { "ttft p50": Number.POSITIVE_INFINITY },
      comparisons: alone.comparisons.map((one) => ({ ...one, estimate: Number.NaN, interval: null })),
    },
    "without intervals": {
      ...alone,
      comparisons: alone.comparisons.map((one) => ({ ...one, interval: null, verdict: "inconclusive" as const })),
      verdict: "INCONCLUSIVE",
    },
    "an open loop": {
      ...alone,
      points: [{ kind: "open", rate: 20, arrival: "poisson", burstiness: null, maxConcurrency: null }],
      summaries: alone.summaries.map((one) => ({ ...one, achievedRate: 0.97 })),
    },
  };

  test.each(Object.entries(cases))("%s: every form says so in words", (_, result) => {
    // as it comes back from a file, too
    for (const one of [result, JSON.parse(JSON.stringify(result)) as EndpointBenchResult]) {
      const forms = endpointForms(one);
      const all = [
        text(one),
        text(one, 140),
        forms.markdown(),
        forms.html!(),
        forms.csv!(),
        forms.summaryCsv!(),
        forms.junit!(),
      ];
      for (const form of all) expect(form).not.toMatch(/NaN|undefined|Infinity|\bnull\b(?!,| *\n|\})/);
      expect(elementsOf(forms.junit!())).toContain("testcase");
    }
  });

  test("a quantile that is a failure is no number that is missing", () => {
    expect(text(failed(heaviest()))).toMatch(/TTFT \* +old +failed/);
  });

  test("nothing to judge is said", () => {
    expect(text(cases["one target without a baseline"]!)).toMatch(/^PASS: nothing is compared and no gate is set\n/);
  });
});
