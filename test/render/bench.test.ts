import { describe, expect, test } from "@jest/globals";
import { Chalk } from "chalk";
import { summarise } from "../../src/bench/models/summarise.js";
import { benchForms } from "../../src/render/bench.js";
import { agreement, context, identical, measured, round, times } from "../bench/models/measured.js";
import { elementsOf } from "./elements.js";

const plain = new Chalk({ level: 0 });
const result = summarise(
  [
    measured("a.onnx", "baseline", { bytes: 10_822_323 }),
    measured("b.onnx", "candidate", {
      bytes: 2_800_000,
      rounds: times.map((time) => round(time * 0.8)),
      agreement: agreement({
        ...identical,
        identical: false,
        sqnrDb: 31.42,
        cosine: 0.99991,
        maxAbsError: 0.0123,
        topOne: { agree: 9870, total: 10000 },
      }),
    }),
    measured("c.onnx", "candidate", { rounds: [...times].reverse().map((time) => round(time * 1.02)) }),
  ],
  context(),
);

describe("the report of a benchmark", () => {
  test("as text", () => {
    expect(benchForms(result).text(plain, 100)).toMatchInlineSnapshot(`
"INCONCLUSIVE: c.onnx is 2.0 % slower than a.onnx in CPU time [-3.8 %, 8.2 %]; the tolerance is 5.0 %: about 19 more rounds would decide

Some CPU (avx2), 2 cores, load average 0.1; linux 6 x64, Node.js v20.0.0, onnxruntime 1.30.0
input: 4 samples (synthetic, seed 1), x 1x3
6 rounds of 1 s, every model in a fresh process, taking turns; 1 thread

model                 size               CPU/run  wall/run    load  first run  peak memory  rounds
a.onnx (baseline)  10.8 MB  10.1 ms [9.90, 10.5]   10.1 ms  100 ms    20.2 ms      80.0 MB  ▂▅▁█▃▃
b.onnx             2.80 MB  8.08 ms [7.92, 8.40]   8.08 ms  100 ms    16.2 ms      80.0 MB  ▂▄▁█▃▃
c.onnx             1.00 kB  10.3 ms [10.1, 10.7]   10.3 ms  100 ms    20.6 ms      80.0 MB  ▃▃█▁▅▂

b.onnx against a.onnx: faster, by more than 5.0 %
  CPU time 0.800x [0.800, 0.800]; wall time 0.800x [0.800, 0.800]; size 0.259x; loss 1.30 %: top-1 disagreement with the original
  output "y": same top class in 9,870 of 10,000, SQNR 31.4 dB, cosine 0.999910, max error 0.012

c.onnx against a.onnx: inconclusive at 5.0 %; about 19 more rounds would decide
  CPU time ~1.020x [0.962, 1.082]; wall time ~1.020x [0.962, 1.082]; size 0.000x; no loss
  output "y": identical

warning: b.onnx: output "y" picks another class in 130 of 10000 positions; random input says little, so repeat with real samples (--data)

times: median over rounds of the median run (its mean over samples), with its 96.9 % interval (order statistics); throughput: 1 / wall; peak memory: whole process, Node.js included
ratio: Hodges-Lehmann estimate over rounds with its Wilcoxon signed-rank interval; ~: not significantly different from 1
"
`);
  });

  test("as Markdown", () => {
    expect(benchForms(result).markdown()).toMatchInlineSnapshot(`
"## Benchmark: INCONCLUSIVE

**INCONCLUSIVE**: c.onnx is 2.0 % slower than a.onnx in CPU time [-3.8 %, 8.2 %]; the tolerance is 5.0 %: about 19 more rounds would decide

| model | size | CPU/run | wall/run | throughput | load | first run | peak memory |
| --- | --: | --: | --: | --: | --: | --: | --: |
| a.onnx (baseline) | 10.8 MB | 10.1 ms [9.90, 10.5] | 10.1 ms [9.90, 10.5] | 99.0/s | 100 ms | 20.2 ms | 80.0 MB |
| b.onnx | 2.80 MB | 8.08 ms [7.92, 8.40] | 8.08 ms [7.92, 8.40] | 124/s | 100 ms | 16.2 ms | 80.0 MB |
| c.onnx | 1.00 kB | 10.3 ms [10.1, 10.7] | 10.3 ms [10.1, 10.7] | 97.1/s | 100 ms | 20.6 ms | 80.0 MB |

**b.onnx** against a.onnx: **faster, by more than 5.0 %**

- CPU time 0.800x [0.800, 0.800]
- wall time 0.800x [0.800, 0.800]
- size 0.259x
- loss 1.30 %: top-1 disagreement with the original
- output \`y\`: same top class in 9,870 of 10,000, SQNR 31.4 dB, cosine 0.999910, max error 0.012

**c.onnx** against a.onnx: **inconclusive at 5.0 %; about 19 more rounds would decide**

- CPU time ~1.020x [0.962, 1.082]
- wall time ~1.020x [0.962, 1.082]
- size 0.000x
- no loss
- output \`y\`: identical

### Warnings

- b.onnx: output "y" picks another class in 130 of 10000 positions; random input says little, so repeat with real samples (--data)

Some CPU (avx2), 2 cores, load average 0.1; linux 6 x64, Node.js v20.0.0, onnxruntime 1.30.0<br>
input: 4 samples (synthetic, seed 1), x 1x3<br>
6 rounds of 1 s, every model in a fresh process, taking turns; 1 thread<br>
times: median over rounds of the median run (its mean over samples), with its 96.9 % interval (order statistics); throughput: 1 / wall; peak memory: whole process, Node.js included<br>
ratio: Hodges-Lehmann estimate over rounds with its Wilcoxon signed-rank interval; ~: not significantly different from 1
"
`);
  });

  test.each([
    ["inconclusive", [...times.slice(1), 0.0133], /inconclusive at 5\.0 %; about \d+ more rounds would decide/],
    ["slower", times.map((time) => time * 1.5), /slower, by more than 5\.0 %/],
    ["not slower", times.map((time, at) => time * (at % 2 ? 0.9 : 1)), /not slower by 5\.0 % or more/],
    ["missing", times.map(() => 0), /no verdict: the runs are too short for this system's cpu clock/],
    ["inconclusive", times.map((time, at) => time * (at % 2 ? 1.4 : 0.7)), /too close to it for more rounds to help/],
  ])("says a verdict of %s in words", (verdict, seconds, words) => {
    const candidate = measured("b.onnx", "candidate", { rounds: seconds.map(round) });
    const judged = summarise([measured("a.onnx", "baseline"), candidate], context());
    expect(judged.comparisons[0]!.time.verdict).toBe(verdict);
    expect(benchForms(judged).text(plain, 100)).toMatch(words);
  });

  test("a model alone has its numbers and no comparison", () => {
    const text = benchForms(summarise([measured("a.onnx", "baseline")], context())).text(plain, 100);
    expect(text).toContain("a.onnx");
    expect(text).not.toContain("against");
    expect(text).not.toContain("Hodges");
  });

  test.each([60, 80, 100, 140])("has a table that fits %d columns as far as names allow", (columns) => {
    const [head] = benchForms(result)
      .text(plain, columns)
      .match(/^model .*$/m)!;
    expect(head).toContain("CPU/run");
    expect(head.includes("throughput")).toBe(columns === 140);
    expect(head.includes("rounds")).toBe(columns >= 100);
  });

  test("the decision is said first, with why", () => {
    const slower = measured("b.onnx", "candidate", { rounds: times.map((time) => round(time * 1.5)) });
    const judged = (...candidates: (typeof slower)[]) =>
      benchForms(summarise([measured("a.onnx", "baseline"), ...candidates], context()))
        .text(plain, 100)
        .split("\n")[0];
    expect(judged(slower)).toBe(
      "FAIL: b.onnx is 50.0 % slower than a.onnx in CPU time [50.0 %, 50.0 %]; the tolerance is 5.0 %",
    );
    expect(judged({ ...slower, rounds: times.map((time) => round(time * 0.9)) })).toMatch(
      /^PASS: b\.onnx is 10\.0 % faster/,
    );
    expect(judged({ ...slower, rounds: times.map(() => round(0)) })).toMatch(/^FAIL: b\.onnx: no verdict/);
  });
});

describe("the other forms of a benchmark of models", () => {
  const sweep = (batch: number, factor: number) => ({
    point: { label: `batch ${batch}`, batch, sizes: {}, threads: 1 },
    shapes: {},
    models: [
      measured("a.onnx", "baseline", { rounds: times.map((time) => round(time * factor)) }),
      measured('<img src="b">', "candidate", { rounds: times.map((time) => round(time * factor * 1.2)) }),
    ],
  });
  const first = sweep(1, 1);
  const swept = {
    ...summarise(first.models, context(), first.point, [sweep(8, 5)]),
    stored: {
      source: "base.json",
      differences: [],
      comparisons: [
        {
          candidate: "a.onnx",
          baseline: "a.onnx of base.json",
          point: "batch 1",
          sameFile: true,
          time: { ratio: 1.01, interval: { lower: 0.99, upper: 1.03, coverage: 0.95 }, verdict: "same" as const },
          other: { ratio: null, interval: null, verdict: "missing" as const },
          sizeRatio: 1,
        },
      ],
    },
  };

  test("every point of a sweep, and the stored run, are in all of them", () => {
    const forms = benchForms(swept);
    for (const form of [forms.text(plain, 100), forms.markdown(), forms.html!()]) {
      expect(form).toContain("batch 1");
      expect(form).toContain("batch 8");
      expect(form).toContain("a.onnx is 1.0 % slower than a.onnx of base.json in CPU time");
    }
    expect(forms.csv!().split("\r\n")).toHaveLength(1 + 2 * 2 * times.length + 1);
    expect(forms.summaryCsv!().split("\r\n")).toHaveLength(1 + 2 * 2 + 1);
    expect(forms.csv!()).toContain('"<img src=""b"">",candidate,batch 8,5,');
  });

  test("the page has charts of what was measured, and text of others as text", () => {
    const page = benchForms(swept).html!();
    for (const words of [
      "CPU time of a run: a.onnx 10.1 ms at batch 1",
      "CPU time of a run by model",
      "Samples of every round",
      "peak memory, Node.js included",
      "first run",
    ]) {
      expect(page).toContain(`"${words}`);
    }
    expect(page).not.toMatch(/<img|url\(|@import|<link/);
  });

  test("JUnit has a case for the verdict and for each candidate under each point", () => {
    const names = (xml: string) => elementsOf(xml).filter((name) => name !== "testsuites" && name !== "testsuite");
    expect(names(benchForms(swept).junit!())).toEqual([
      "testcase",
      "failure",
      "testcase",
      "failure",
      "testcase",
      "failure",
    ]);
    const noisy = [
      measured("a.onnx", "baseline"),
      measured("b.onnx", "candidate", { rounds: [...times.slice(1), 0.0133].map(round) }),
    ];
    const inconclusive = summarise(noisy, context());
    expect(names(benchForms(inconclusive).junit!())).toEqual(["testcase", "skipped", "testcase", "skipped"]);
    expect(names(benchForms(inconclusive, true).junit!())).toContain("failure");
  });

  test.each([
    ["a model alone", summarise([measured("a.onnx", "baseline")], context())],
    [
      "a clock too coarse",
      summarise(
        [
          measured("a.onnx", "baseline", { rounds: times.map(() => round(0)) }),
          measured("b.onnx", "candidate", { rounds: times.map(() => round(0)) }),
        ],
        context(),
      ),
    ],
    [
      "one round",
      summarise(
        [
          measured("a.onnx", "baseline", { rounds: [round(0.01)] }),
          measured("b.onnx", "candidate", { rounds: [round(0.01)] }),
        ],
        context({ rounds: 1 }),
      ),
    ],
    [
      "a control",
      summarise([measured("a.onnx", "baseline"), measured("a.onnx #2", "control")], context({ control: true })),
    ],
  ])("%s: nothing is no number", (_, one) => {
    for (const own of [one, JSON.parse(JSON.stringify(one)) as typeof one]) {
      const forms = benchForms(own);
      const all = [
        forms.text(plain, 80),
        forms.markdown(),
        forms.html!(),
        forms.csv!(),
        forms.summaryCsv!(),
        forms.junit!(),
      ];
      for (const form of all) expect(form).not.toMatch(/NaN|undefined|Infinity/);
    }
  });
});
