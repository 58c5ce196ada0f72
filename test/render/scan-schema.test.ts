import { describe, expect, test } from "@jest/globals";
import { Ajv2020 } from "ajv/dist/2020.js";
import { z } from "zod";
import { configSchema, matcher } from "../../src/compat/gates/config.js";
import { scanSchema } from "../../src/render/scan-schema.js";
import { call, client, reportOf } from "./report.js";

const ajv = new Ajv2020({ strict: false });

describe("the schema of a scan's report", () => {
  const schema = z.toJSONSchema(scanSchema, { io: "input" });
  const isReport = ajv.compile(schema);

  test("takes real reports, and names every field they have", async () => {
    const { report } = await reportOf(
      {
        "a.ts": `${client}// deepseek-compat-ignore-next-line R01 -- why until 2027-01-01\n${call}${call}client.chat.completions.create({ ...rest });\n`,
        "broken.ts": 'const a = "deepseek";\nconst = ;\n',
      },
      {},
      {
        rest: {
          baseline: {
            file: "b.json",
            known: 0,
            gone: [{ fingerprint: "a:1", rule: "r", file: "f", line: 1, message: "m" }],
            updated: false,
          },
          changed: { since: "main (0)", files: 1 },
          skipped: [{ file: "x", reason: "minified" }],
        },
      },
    );
    expect(isReport(report) ? [] : isReport.errors).toEqual([]);
    expect(unnamed(report, schema as Schema)).toEqual([]);
    expect(report.suppressed).toHaveLength(1);
  });

  test("refuses what is none", () => {
    expect(isReport({ schema: "deepseek-compat/scan@1" })).toBe(false);
  });
});

interface Schema {
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly items?: Schema;
  readonly propertyNames?: Schema;
}

/** Paths of values that a schema does not speak of. */
function unnamed(value: unknown, schema: Schema, at = ""): readonly string[] {
  if (Array.isArray(value)) return value.flatMap((item) => unnamed(item, schema.items ?? {}, `${at}[]`));
  // a table whose keys are free
  if (typeof value !== "object" || value === null || schema.propertyNames) return [];
  return Object.entries(value).flatMap(([key, item]) => {
    const own = schema.properties?.[key];
    return own ? unnamed(item, own, `${at}.${key}`) : [`${at}.${key}`];
  });
}

describe("the schema of the configuration", () => {
  const isConfig = ajv.compile(z.toJSONSchema(configSchema, { io: "input" }));
  test.each([
    [{}, true],
    [{ $schema: "x", target: "v3.1", rules: { R01: "off" }, overrides: [{ files: ["a"], rules: {} }] }, true],
    [{ baseline: false, failOn: "never", plugins: ["a.ts"], tokensPerMonth: { input: 1, output: 2 } }, true],
    [{ unknown: 1 }, false],
    [{ rules: { R01: "fatal" } }, false],
    [{ overrides: [{ files: [] }] }, false],
  ])("%j: %s", (config, valid) => expect(isConfig(config)).toBe(valid));
});

describe("globs of the configuration", () => {
  test.each([
    ["*.spec.ts", "src/deep/a.spec.ts", true],
    ["legacy", "legacy/a.ts", true],
    ["legacy", "src/legacy/a.ts", true],
    ["legacy/", "legacy/deep/a.ts", true],
    ["src/legacy", "src/legacy/a.ts", true],
    ["src/legacy", "other/src/legacy/a.ts", false],
    ["./src/**/*.ts", "src/a/b.ts", true],
    ["src/*.ts", "src/a/b.ts", false],
    [".env*", "deploy/.env.local", true],
    ["**/.github/**", ".github/workflows/a.yml", true],
    ["lega", "legacy/a.ts", false],
  ])("%s on %s: %s", (glob, path, matches) => expect(matcher([glob])(path)).toBe(matches));
});
