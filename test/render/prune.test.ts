import { describe, expect, test } from "@jest/globals";
import { Chalk } from "chalk";
import { latencyWords, pruneForms, prunePlanForms } from "../../src/render/prune.js";
import type { PrunePlanResult, PruneResult } from "../../src/render/prune-result.js";
import { course, group, prunePlan, pruneResult, recovery, stages } from "./prune-result.js";

const hostile = `<script>alert("1")</script>|a\`b`;
const rubbish = /NaN|undefined|Infinity|\[object/;

const text = (one: PruneResult, columns = 100) => pruneForms(one).text(new Chalk({ level: 0 }), columns);
const planText = (one: PrunePlanResult) => prunePlanForms(one).text(new Chalk({ level: 0 }), 100);
const page = async (one: PruneResult) => pruneForms(one).html!();
const planPage = async (one: PrunePlanResult) => prunePlanForms(one).html!();

/** Share of the bar and what is said beside it, by the name of the row. */
function barsOf(html: string): Readonly<Record<string, readonly [number, string]>> {
  const chart = /class="bars groups[\s\S]*?<\/div>/.exec(html)![0];
  const rows = [
    ...chart.matchAll(/<span class="name[^"]*"[^>]*>(.*?)<\/span><svg[^>]*>(.*?)<\/svg><span[^>]*>(.*?)<\/span>/g),
  ];
  return Object.fromEntries(
    rows.map(([, name, rects, words]) => [
      name!.replaceAll("&lrm;", ""),
      [Number(/tone-[17]" x="0%" width="([\d.]+)%"/.exec(rects!)?.[1] ?? 0), words!] as const,
    ]),
  );
}

describe("on a terminal", () => {
  test("size, time, score, what went and exactness are said, the written file first", () => {
    const words = text(pruneResult());
    expect(words).toMatch(/^Pruned model\.onnx\n {2}wrote out\.onnx: 400 kB -> 280 kB \(0\.700 of it\)\n/);
    expect(words).toContain("0.62 of the original model's CPU time [0.60, 0.65]");
    expect(words).toContain("accuracy: 92.00 % original, 71.00 % pruned, 91.50 % recovered");
    expect(words).toContain("parameters 100,000 -> 70,000 (-30.0 %), of which 90.0 % could go");
    expect(words).toContain("a run 200 MFLOP -> 120 MFLOP (-40.0 %), channels 320 -> 200 (-37.5 %)");
    expect(words).toMatch(/channels zeroed\s+by at most 3\.4e-7 of the largest \(2\.1e-6\)/);
    expect(words).toMatch(/SHA-256 aa {2}model\.onnx\nSHA-256 bb {2}out\.onnx/);
    expect(words).not.toMatch(rubbish);
  });

  test("each stage has a row, and the one that was written is marked", () => {
    const table = text(pruneResult()).split("Stage by stage\n")[1]!.split("\n");
    expect(table[1]).toMatch(/^original +92\.00 % +- +100,000 +200 MFLOP +400 kB +- +-$/);
    expect(table[3]).toMatch(/^recovered \* +91\.50 % +95\.00 % +70,000 +120 MFLOP +280 kB +0\.62 +10 min$/);
  });

  test("the groups that lost most parameters come first, whole ones are counted by why", () => {
    const groups = [
      group("a", 64, 60),
      group("b", 64, 8),
      group("c", 16, 16, { why: "--keep stem.*" }),
      group("heads", 12, 8, { width: 64, parameters: { before: 30_000, after: 20_000 } }),
    ];
    const section = text(pruneResult({ groups })).split("Channels of 3 of 4 groups went\n")[1]!;
    const rows = section.split("\n").slice(1, 4);
    expect(rows[0]).toMatch(/^ *12 x 64 +8 +#######\.\.\. +30,000 +20,000 +heads$/);
    expect(rows[1]).toMatch(/^ *64 +8 +#\.{9} +576 +72 +b$/);
    expect(rows[2]).toMatch(/^ *64 +60 +#{9}\. .* a$/);
    expect(section).toContain("whole: 1 x --keep stem.*");
  });

  test("hundreds of groups and causes stay on one screen, and what is not shown is counted", () => {
    const groups = Array.from({ length: 300 }, (_, at) => group(`w${at}`, 64, at % 2 === 0 ? 32 : 64));
    const frozen = Array.from({ length: 200 }, (_, at) => ({
      operator: `Op${at % 20}`,
      node: `n${at}`,
      why: "is not in the table",
      tensors: [`t${at}`],
      parameters: at,
    }));
    const words = text(pruneResult({ groups, frozen }));
    expect(words.split("\n").length).toBeLessThan(70);
    expect(words).toMatch(/Channels of 150 of 300 groups went, the 12 that lose most/);
    expect(words).toMatch(/138 groups more lose channels/);
    expect(words).toMatch(/whole: 150 x --keep/);
    expect(words).toMatch(/12 causes more/);
  });

  test("causes that differ by their node alone are one row with the sum, largest first", () => {
    const section = text(pruneResult()).split("What cannot go: 10,000 of 100,000 parameters (10.0 %)\n")[1]!;
    const rows = section.split("\n").slice(1, 3);
    expect(rows[0]).toMatch(/^NonZero +9,500 +3 +2 +is not in the table \(nz_1, \.\.\.\)$/);
    expect(rows[1]).toMatch(/^graph output +1,000 +1 +1 +outputs keep their shapes \(y\)$/);
  });

  test("rounds of recovery are summed, and what quantization and sparsity did is said", () => {
    const words = text(
      pruneResult({
        recovery: { ...recovery, courses: [course, { ...course, ended: "time" }] },
        quantization: { decisions: [], schemes: [{ scheme: "qdq", tensors: 31 }], takenBack: 2 },
        sparsity: { pattern: "2:4", zeros: 0.5, tensors: 3 },
      }),
      300,
    );
    expect(words).toContain("400 steps of 32 samples in 2 rounds in 20 min; --time ended it");
    expect(words).toContain(
      "quantized: 31 tensors as integers that the runtime turns back (QDQ); 2 taken back to keep --max-drop",
    );
    expect(words).toContain("2:4: 50.0 % zeros in 3 tensors, which changes neither size nor speed on onnxruntime");
  });

  test("without labels the agreement stands for the score; without data samples are made up", () => {
    const words = text(
      pruneResult({
        metric: null,
        data: null,
        recovery: null,
        stages: stages.slice(0, 2).map((stage) => ({ ...stage, metric: null })),
        kept: "pruned",
      }),
    );
    expect(words).toContain("agreement with the original: 74.00 % pruned");
    expect(words).toContain("Against the original, on made-up samples");
    expect(words).not.toMatch(/samples\.npz|accuracy|minimised/);
  });

  test("a result that missed its limit and was not written is not said to be", async () => {
    const one = pruneResult({ missed: true, written: false });
    expect(text(one)).toMatch(/\n {2}not written: out\.onnx \(400 kB -> 280 kB \(0\.700 of it\)\)\n/);
    expect(text(one)).not.toMatch(/wrote|recovered \*/);
    expect(await page(one)).toMatch(/<div class="tile error"><b>280 kB<\/b> not written/);
  });

  test("where only layers are dropped nothing is said of channels", () => {
    const settings = { ...pruneResult().settings, ratio: 0 };
    const words = text(
      pruneResult({
        settings,
        groups: [group("a", 64, 64)],
        layers: [
          { name: "encoder.0", parameters: 10, kept: true, why: "" },
          { name: "encoder.1", parameters: 10, kept: false, why: "does little" },
        ],
      }),
    );
    expect(words).toMatch(/Layers: 1 of 2 are kept\n[\s\S]*encoder\.1 +10 +left out +does little/);
    expect(words).not.toMatch(/to go:|Channels of/);
  });

  test("settings that were given are told, those that were not are not", () => {
    const words = text(pruneResult(), 400);
    expect(words).toContain(
      "to go: 30 % of the operations of a run; importance l2 (mean over a channel), the least important for what they save; widths in multiples of 8; at least 8 left, at most 90 % of a group gone; head.* at most 50 %; whole: stem.*\n",
    );
  });
});

test("a wanted time is held against what was reached, also where it could not be measured", () => {
  const tries = [{ ratio: 0.3, time: 0.82 }];
  const reached = { ratio: 0.71, interval: { lower: 0.69, upper: 0.72, coverage: 0.95 }, verdict: "faster" as const };
  expect(latencyWords({ wanted: 0.3, prepared: 1.01, reached, tries })).toBe(
    "wanted 30 % less time, reached 29.0 % [28.0, 31.0] in 1 try",
  );
  expect(latencyWords({ wanted: 0.3, prepared: 0.88, reached, tries })).toBe(
    "wanted 30 % less time, reached 29.0 % [28.0, 31.0] in 1 try, 12.0 % by preparing the file alone",
  );
  const before = { wanted: 0.3, prepared: 0.71, reached };
  expect(latencyWords({ ...before, tries: [] }, true)).toBe(
    "wanted 30 % less time, reached 29.0 % [28.0, 31.0] by preparing the file alone, before a channel went: so none has to",
  );
  expect(latencyWords({ ...before, tries }, true)).toMatch(/ went: and of 1 try to prune it none came nearer$/);
  const missing = { ratio: null, interval: null, verdict: "missing" as const };
  expect(latencyWords({ wanted: 0.3, prepared: 1, reached: missing, tries })).toMatch(/which could not be measured/);
});

test("a plan says that nothing was written, about how large the file gets, and what would go", () => {
  const words = planText(prunePlan());
  expect(words).toMatch(
    /^Plan to prune model\.onnx\n {2}nothing was written\n {2}size 400 kB -> 280 kB \(-30\.0 %\), about\n/,
  );
  expect(words).toContain("Channels of 2 of 3 groups would go");
  expect(words).not.toMatch(rubbish);
});

test("Markdown has the tables, and no name breaks them", () => {
  const markdown = pruneForms(pruneResult({ groups: [group("a|b", 8, 4)] })).markdown();
  expect(markdown).toContain("### Stage by stage\n\n| stage |");
  expect(markdown).toContain("a\\|b");
});

describe("the page", () => {
  test("has a bar for every group in the order of the model, and grey ones for what is frozen", async () => {
    const html = await page(pruneResult());
    expect(Object.entries(barsOf(html))).toEqual([
      ["stem.weight", [100, "32, whole"]],
      ["block.1.weight", [62.5, "64 -&#62; 40 (-38 %)"]],
      ["block.2.weight", [50, "128 -&#62; 64 (-50 %)"]],
      ["NonZero: is not in the table", [100, "9,500 parameters (9.5 %)"]],
      ["graph output: outputs keep their shapes", [100, "1,000 parameters (1.0 %)"]],
    ]);
    expect(html).not.toMatch(rubbish);
  });

  test("of hundreds of groups has them all, folded", async () => {
    const groups = Array.from({ length: 300 }, (_, at) => group(`w${at}`, 64, 32));
    const html = await page(pruneResult({ groups }));
    expect(html).toMatch(/<details><summary>300 groups, 300 of them cut/);
    expect(Object.keys(barsOf(html)).length).toBe(302);
    expect([...html.matchAll(/<tr data-search/g)].length).toBe(300);
  });

  test("shows names as they are, whatever is in them", async () => {
    const one = pruneResult({
      groups: [group(hostile, 8, 4, { operators: [hostile], why: hostile, curve: [{ removed: 0.5, damage: 1 }] })],
      frozen: [{ operator: hostile, node: hostile, why: hostile, tensors: [hostile], parameters: 1 }],
      layers: [{ name: hostile, parameters: 1, kept: false, why: hostile }],
      quantization: { decisions: [hostile], schemes: [], takenBack: 0 },
      warnings: [hostile],
    });
    const html = await page(one);
    expect(html).not.toContain("<script>alert");
    expect(html).toContain("&#60;script&#62;alert");
    expect(await planPage(prunePlan({ groups: one.groups, warnings: [hostile] }))).not.toContain("<script>alert");
  });

  test("steps of several rounds of recovery go on counting", async () => {
    const html = await page(pruneResult({ recovery: { ...recovery, courses: [course, course] } }));
    expect(html).toMatch(/<title>step 400: /);
    // the weights that are kept are those of the last round
    expect(html).toMatch(/<title>step 350: 88\.8 %<\/title><\/circle><text[^>]*>best: 88\.8 %/);
  });

  test("has the damage of each group alone, the most harmed first, and infinite damage in words", async () => {
    const curve = (damage: number) => [
      { removed: 0.25, damage: damage / 4 },
      { removed: 0.5, damage },
    ];
    const groups = [
      group("mild", 64, 32, { curve: curve(0.01) }),
      group("bad", 64, 64, { curve: curve(0.4) }),
      group("broken", 64, 64, { curve: [{ removed: 0.25, damage: Number.POSITIVE_INFINITY }] }),
    ];
    const html = await page(pruneResult({ groups, damage: "rise of the loss" }));
    const table = /<table class="heat">[\s\S]*?<\/table>/.exec(html)![0];
    expect([...table.matchAll(/<tr><td>(\w+)/g)].map(([, name]) => name)).toEqual(["broken", "bad", "mild"]);
    expect(table).toMatch(/25 %:<\/span> not finite/);
    expect(html).not.toMatch(rubbish);
  });

  test("has the search for a time with the wanted one as a line", async () => {
    const reached = { ratio: 0.71, interval: null, verdict: "inconclusive" as const };
    const tries = [
      { ratio: 0.3, time: 0.82 },
      { ratio: 0.42, time: 0.71 },
    ];
    const html = await page(pruneResult({ latency: { wanted: 0.3, prepared: 1, reached, tries } }));
    expect(html).toContain("<title>wanted: 0.70</title>");
    expect(html).toContain("<title>try 2: 42.0 % less work, 0.710 of the time</title>");
  });

  test("of a model that holds nothing has no empty charts", async () => {
    const none = { before: 0, after: 0 };
    const html = await planPage(
      prunePlan({
        parameters: { ...none, prunable: 0 },
        flops: none,
        channels: none,
        bytes: { before: 100, after: 100 },
        groups: [],
        frozen: [],
        shapes: [],
        data: null,
      }),
    );
    expect(html).not.toMatch(rubbish);
    expect(html).not.toMatch(/class="bars groups|<table/);
  });

  test("a missed limit and a slower model stand out", async () => {
    const slow = { ratio: 1.2, interval: null, verdict: "slower" as const };
    const html = await page(
      pruneResult({ missed: true, stages: stages.map((stage, at) => (at > 0 ? { ...stage, speed: slow } : stage)) }),
    );
    expect(html).toMatch(/<div class="tile error"><b>91\.50 %<\/b> accuracy/);
    expect(html).toMatch(/<div class="tile warning"><b>1\.20<\/b>/);
  });
});
