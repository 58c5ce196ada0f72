import { describe, expect, test } from "@jest/globals";
import { readStored } from "../../../src/bench/endpoints/read-stored.js";
import type { EndpointBenchResult } from "../../../src/bench/endpoints/result.js";
import { compareStored, type StoredOptions } from "../../../src/bench/endpoints/stored.js";
import { summariseEndpoints } from "../../../src/bench/endpoints/summarise.js";
import fc from "../../property.js";
import { contextOf, type Simulated, simulate } from "./simulated-run.js";

function stored(
  change: Partial<Simulated> = {},
  seed = 1,
  result: Partial<EndpointBenchResult> = {},
): EndpointBenchResult {
  const run = simulate([{ label: "api", ttft: 0.2, tpot: 0.02, ...change }], {
    rounds: 10,
    perRound: 12,
    seed,
    request: 0.05,
    round: 0.005,
  });
  return { ...summariseEndpoints(run, contextOf(["api"])), ...result };
}

const options: StoredOptions = {
  names: { old: "base.json", new: "new.json" },
  otherMachine: false,
  otherWorkload: false,
  tolerance: 0.05,
  confidence: 0.95,
  seed: 1,
  inconclusiveFails: false,
  gates: [],
};
const codes = ({ warnings }: EndpointBenchResult) => warnings.map(({ code }) => code);

describe("two stored runs", () => {
  test("are compared like versions of one, and said not to be interleaved", () => {
    // the same prompts, other noise
    const slower = compareStored(stored(), stored({ tpot: 0.024 }), options);
    expect(slower.verdict).toBe("FAIL");
    expect(slower.targets.map(({ label, role }) => [label, role])).toEqual([
      ["api (old)", "baseline"],
      ["api (new)", "candidate"],
    ]);
    expect(codes(slower)).toContain("not-interleaved");
    expect(compareStored(stored(), stored(), options).verdict).toBe("PASS");
  });

  test("of another machine only when told", () => {
    const other = stored({}, 1, { environment: { ...stored().environment, cpu: "Other CPU" } });
    expect(() => compareStored(other, stored(), options)).toThrow(
      /new\.json was measured on another machine than base\.json \(CPU Other CPU, then Some CPU\)/,
    );
    expect(codes(compareStored(other, stored(), { ...options, otherMachine: true }))).toContain(
      "different-environment",
    );
    // a newer kernel or Node.js is the same machine
    const newer = stored({}, 1, { environment: { ...stored().environment, platform: "linux 7 x64", node: "v22.0.0" } });
    expect(compareStored(newer, stored(), options).verdict).toBe("PASS");
  });

  test("of other prompts only when told, and then not by pairs", () => {
    const workload = { ...stored().workload, sha256: "cd" };
    const made = stored();
    const records = made.raw.records.map((record) => ({ ...record, prompt: `other ${record.prompt}` }));
    const other = { ...made, workload, raw: { ...made.raw, records } };
    expect(() => compareStored(other, stored(), options)).toThrow(/sent other prompts/);
    const result = compareStored(other, stored({ tpot: 0.03 }), { ...options, otherWorkload: true });
    expect(codes(result)).toContain("different-workload");
    expect(result.comparisons.find(({ metric }) => metric === "tpot")).toMatchObject({ pairs: 0, decision: "FAIL" });
  });

  test("need a load in common, and targets that exist", () => {
    const other = stored({}, 1, { points: [{ kind: "closed", concurrency: 4 }] });
    expect(() => compareStored(other, stored(), options)).toThrow(/no load in common/);
    expect(() => compareStored(stored(), stored(), { ...options, targets: { old: "ap" } })).toThrow(
      /base\.json has no target "ap"; it has api/,
    );
  });

  test("stay limited by a client that was", () => {
    const message = "api at 1 user: this machine set the pace, not the server (busy); lower the load";
    const limited = stored({}, 1, { warnings: [{ code: "client-limited", message }] });
    expect(compareStored(limited, stored(), options).verdict).toBe("INCONCLUSIVE");
  });

  test("say which of them was cut short", () => {
    const cut = stored({}, 1, { warnings: [{ code: "stopped", message: "the run ended early: interrupted" }] });
    expect(compareStored(stored(), cut, options).warnings).toContainEqual({
      code: "stopped",
      message: "api (new): the run ended early: interrupted",
    });
  });

  test("survive the way through a file", async () => {
    const text = JSON.stringify(stored({ errors: 0.2 }));
    const read = await readStored(JSON.parse(text), "base.json");
    expect(compareStored(read, read, options).comparisons.find(({ metric }) => metric === "ttft")!.estimate).toBe(1);
  });
});

describe("a file that is no stored run", () => {
  const good = JSON.parse(JSON.stringify(stored()));
  const changed = (change: (result: typeof good) => void) => {
    const copy = structuredClone(good);
    change(copy);
    return JSON.stringify(copy);
  };

  test.each([
    ["null", "null", /it names no schema/],
    ["a benchmark of models", '{"schema":"deepseek/bench@1"}', /its schema is "deepseek\/bench@1"/],
    ["nothing but a schema", '{"schema":"deepseek/bench-endpoints@1"}', /damaged at started/],
    [
      "a time that is text",
      changed((r) => {
        r.raw.records[3].sent = "1";
      }),
      /damaged at raw\.records\.3\.sent/,
    ],
    [
      "a target nobody knows",
      changed((r) => {
        r.raw.records[0].target = "x";
      }),
      /raw\.records\.0: its target or load/,
    ],
    [
      "a load that is not there",
      changed((r) => {
        r.raw.blocks[0].point = 7;
      }),
      /raw\.blocks\.0: its target or load/,
    ],
    [
      "a window that ends first",
      changed((r) => {
        r.raw.blocks[1].window.end = -5;
      }),
      /raw\.blocks\.1: its window/,
    ],
    [
      "a limit on nothing",
      changed((r) => {
        r.settings.slo = { constructor: 1 };
      }),
      /no metric "constructor"/,
    ],
    [
      "two targets of one name",
      changed((r) => {
        r.targets.push(r.targets[0]);
      }),
      /the same label/,
    ],
  ])("%s is refused in one line", async (_, text, message) => {
    await expect(readStored(JSON.parse(text), "base.json")).rejects.toThrow(message);
  });

  test("whatever else it holds, it is a user's mistake or can be compared", async () => {
    const paths = [
      "raw.records.0.events",
      "raw.records.0.done",
      "raw.records.1.usage",
      "raw.blocks.0.window",
      "points.0",
      "targets.0",
    ];
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...paths), fc.jsonValue(), async (path, value) => {
        const text = changed((result) => {
          const parts = path.split(".");
          const last = parts.pop()!;
          parts.reduce((at, part) => at[part], result)[last] = value;
        });
        try {
          const read = await readStored(JSON.parse(text), "base.json");
          expect(compareStored(read, good, options).schema).toBe("deepseek/bench-endpoints@1");
        } catch (error) {
          expect((error as Error).name).toBe("UserError");
        }
      }),
      { numRuns: 40 },
    );
  });
});
