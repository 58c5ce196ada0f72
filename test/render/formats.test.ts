import { readFileSync } from "node:fs";
import { describe, expect, test } from "@jest/globals";
import { Ajv2020 } from "ajv/dist/2020.js";
import addFormats from "ajv-formats";
import { Chalk } from "chalk";
import { applyEdits } from "../../src/compat/fix/fix.js";
import { checkstyle } from "../../src/render/checkstyle.js";
import { fixDiff } from "../../src/render/fix-diff.js";
import { github } from "../../src/render/github.js";
import { gitlab } from "../../src/render/gitlab.js";
import { html } from "../../src/render/html.js";
import { junit } from "../../src/render/junit.js";
import { sarif } from "../../src/render/sarif.js";
import { scanForms } from "../../src/render/scan.js";
import { type FormatName, formatNames, scanFormats } from "../../src/render/scan-formats.js";
import type { ScanReport, Surroundings } from "../../src/render/scan-report.js";
import { elementsOf } from "./elements.js";
import { call, client, reportOf } from "./report.js";

const ajv = new Ajv2020({ strict: false });
addFormats.default(ajv);
const isSarif = ajv.compile(JSON.parse(readFileSync("test/schemas/sarif-2.1.0.json", "utf8")));

const rich = {
  "src/a b.ts": `${client}${call}client.chat.completions.create({ model: "deepseek-reasoner", messages, max_tokens: 100 });\n`,
  "broken.ts": 'const a = "deepseek";\nconst = ;\n',
  "quiet.ts": `${client}// deepseek-compat-ignore-next-line R01 -- moved next week\n${call}// deepseek-compat-ignore R01\n`,
};

interface Result {
  readonly ruleId: string;
  readonly level: string;
  readonly partialFingerprints: Readonly<Record<string, string>>;
  readonly suppressions: readonly { readonly kind: string; readonly justification: string }[];
  readonly baselineState?: string;
  readonly locations: readonly {
    readonly physicalLocation: {
      readonly artifactLocation: { readonly uri: string; readonly uriBaseId?: string };
      readonly region: Readonly<Record<string, number>>;
    };
  }[];
  readonly fixes?: readonly {
    readonly artifactChanges: readonly {
      readonly replacements: readonly {
        readonly deletedRegion: Readonly<Record<string, number>>;
        readonly insertedContent?: { readonly text: string };
      }[];
    }[];
  }[];
}
const parseSarif = (text: string) => {
  const log = JSON.parse(text) as { runs: [unknown] };
  const valid: boolean = isSarif(log);
  if (!valid) throw new Error(JSON.stringify(isSarif.errors?.slice(0, 3), undefined, 2));
  return log.runs[0] as {
    results: Result[];
    tool: { driver: { rules: { id: string; properties: { tags: string[] } }[] } };
    invocations: { exitCode: number; toolExecutionNotifications: { message: { text: string } }[] }[];
  };
};

describe("SARIF", () => {
  test("is valid against the official schema, with nothing found too", async () => {
    const { report, surroundings } = await reportOf(rich);
    const run = parseSarif(sarif(report, surroundings));
    expect(run.results.length).toBe(report.findings.length + report.suppressed.length);
    const clean = await reportOf({ "a.ts": "export {};\n" });
    expect(parseSarif(sarif(clean.report, clean.surroundings)).results).toEqual([]);
  });

  test("every rule is described, with at most 10 tags", async () => {
    const { report, surroundings } = await reportOf(rich);
    const { rules } = parseSarif(sarif(report, surroundings)).tool.driver;
    expect(rules.map(({ id }) => id)).toEqual(surroundings.rules!.map(({ id }) => id));
    expect(Math.max(...rules.map(({ properties }) => properties.tags.length))).toBeLessThanOrEqual(10);
  });

  test("paths are relative URIs, places are those of the finding", async () => {
    const { report, surroundings } = await reportOf(rich);
    const [first] = parseSarif(sarif(report, surroundings)).results;
    expect(first!.locations[0]!.physicalLocation).toMatchObject({
      artifactLocation: { uri: "src/a%20b.ts", uriBaseId: "%SRCROOT%" },
      region: { startLine: 2, startColumn: 41, endLine: 2, endColumn: 56 },
    });
  });

  test("the regions of a fix, replaced, give what the fix gives", async () => {
    const { report, surroundings } = await reportOf({
      "a.ts": `${client}client.chat.completions.create({\r\n  model: "deepseek-chat",\r\n  messages,\r\n});\r\n`,
    });
    const text = surroundings.texts.get("a.ts")!;
    const finding = report.findings.find(({ code }) => code === "R01")!;
    const result = parseSarif(sarif(report, surroundings)).results.find(({ ruleId }) => ruleId === finding.rule)!;
    const starts = [0, ...[...text.matchAll(/\n/g)].map(({ index }) => index + 1)];
    const edits = result.fixes![0]!.artifactChanges[0]!.replacements.map(({ deletedRegion: at, insertedContent }) => ({
      start: starts[at["startLine"]! - 1]! + at["startColumn"]! - 1,
      end: starts[at["endLine"]! - 1]! + at["endColumn"]! - 1,
      text: insertedContent?.text ?? "",
    }));
    expect(applyEdits(text, edits)).toBe(applyEdits(text, finding.fix!.edits));
  });

  test("suppressed findings and those of the baseline are in it, marked", async () => {
    const before = await reportOf(rich);
    const [known] = before.report.findings;
    const { report, surroundings } = await reportOf(
      rich,
      {},
      {
        known: [known!.fingerprint],
        rest: { baseline: { file: "b.json", known: 1, gone: [], updated: false } },
      },
    );
    const { results } = parseSarif(sarif(report, surroundings));
    const marked = results.filter(({ suppressions }) => suppressions.length > 0);
    expect(marked.map(({ suppressions, baselineState }) => [suppressions[0], baselineState])).toEqual([
      [{ kind: "inSource", justification: "moved next week" }, "new"],
      [{ kind: "external", justification: "in the baseline b.json" }, "unchanged"],
    ]);
    expect(results.filter(({ baselineState }) => baselineState === "new").length).toBe(results.length - 1);
  });

  test("fingerprints are unique, and broken files are notifications", async () => {
    const { report, surroundings } = await reportOf({ ...rich, "copy.ts": rich["src/a b.ts"] });
    const run = parseSarif(sarif(report, surroundings));
    const marks = run.results.map(({ partialFingerprints }) => partialFingerprints["deepseekCompat/v1"]);
    expect(new Set(marks).size).toBe(marks.length);
    expect(run.invocations[0]!.toolExecutionNotifications.map(({ message }) => message.text)).toContainEqual(
      expect.stringMatching(/^not a valid program: /),
    );
    expect(run.invocations[0]!.exitCode).toBe(1);
  });

  test("of more than GitHub shows, the gravest come first and a note says so", async () => {
    const { report, surroundings } = await reportOf(rich);
    const many = Array.from({ length: 6000 }, () => report.findings).flat();
    const run = parseSarif(sarif({ ...report, findings: many }, surroundings));
    const levels = run.results.map(({ level }) => level);
    expect(levels.lastIndexOf("error")).toBeLessThan(levels.indexOf("warning"));
    expect(levels).toHaveLength(Math.min(25_000, many.length + 1));
    const notes = run.invocations[0]!.toolExecutionNotifications.map(({ message }) => message.text);
    expect(notes).toContainEqual(expect.stringContaining("GitHub shows 5000, the gravest come first"));
  });
});

describe("GitHub annotations", () => {
  test("values are escaped as the runner wants it", async () => {
    const { report } = await reportOf({ "a,b:c%.ts": `${client}${call}` });
    const [line] = github(report).split("\n");
    expect(line).toMatch(
      /^::error file=a%2Cb%3Ac%25\.ts,line=2,col=41,endColumn=55,title=R01 retired-model-alias::"deepseek-chat" is/,
    );
    expect(line).toContain("%0Afix: ");
    expect(github(report)).not.toContain("\r");
  });

  test("ten errors, ten warnings, nine notices, then one notice with the rest", async () => {
    const { report } = await reportOf({ "a.ts": `${client}${call}` });
    const [error] = report.findings;
    const of = (severity: "error" | "warning" | "info", count: number) =>
      Array.from({ length: count }, () => ({ ...error!, severity }));
    const lines = github({ ...report, findings: [...of("info", 30), ...of("warning", 12), ...of("error", 11)] })
      .trimEnd()
      .split("\n");
    const count = (kind: string) => lines.filter((line) => line.startsWith(`::${kind} `)).length;
    expect([count("error"), count("warning"), count("notice")]).toEqual([10, 10, 10]);
    expect(lines.at(-1)).toBe(
      "::notice title=deepseek-compat::24 more findings not shown as annotations; see the job's log or summary",
    );
  });

  test("findings of the baseline are left out", async () => {
    const { report } = await reportOf({ "a.ts": `${client}${call}` });
    expect(github({ ...report, findings: report.findings.map((one) => ({ ...one, baseline: true as const })) })).toBe(
      "",
    );
  });
});

test("GitLab: unique fingerprints and relative paths", async () => {
  const { report } = await reportOf({ "./a.ts": `${client}${call}${call}`, "b.ts": `${client}${call}` });
  const issues = JSON.parse(gitlab(report)) as Record<string, string & { path: string; lines: { begin: number } }>[];
  expect(issues).toHaveLength(3);
  expect(new Set(issues.map(({ fingerprint }) => fingerprint)).size).toBe(3);
  expect(issues.map(({ location }) => `${location!.path}:${location!.lines.begin}`)).toEqual([
    "a.ts:2",
    "a.ts:3",
    "b.ts:2",
  ]);
  for (const issue of issues) {
    expect(["info", "minor", "major", "critical", "blocker"]).toContain(issue["severity"]);
    expect(issue["description"]).toBeTruthy();
  }
});

describe("XML", () => {
  const nasty = (report: ScanReport): ScanReport => ({
    ...report,
    findings: report.findings.map((one) => ({ ...one, message: `<&>"']]>\u0000\u001b\ud800 ${one.message}` })),
  });

  test("JUnit: a suite for each file; errors fail, the baseline and suppressions are skipped, infos pass", async () => {
    const before = await reportOf(rich);
    const [known] = before.report.findings;
    const { report } = await reportOf(rich, {}, { known: [known!.fingerprint] });
    const text = junit(nasty(report));
    const names = elementsOf(text);
    const count = (name: string) => names.filter((one) => one === name).length;
    const cases = report.findings.length + report.suppressed.length;
    expect(count("testsuite")).toBe(2);
    expect(count("testcase")).toBe(cases);
    expect(count("skipped")).toBe(2);
    const errors = report.findings.filter(({ severity, baseline }) => severity === "error" && !baseline).length;
    expect(count("failure")).toBe(errors);
    expect(text).toContain(
      `<testsuites name="deepseek-compat" tests="${cases}" failures="${errors}" errors="0" skipped="2"`,
    );
  });

  test("JUnit without findings has one case that passes", async () => {
    const { report } = await reportOf({ "a.ts": "export {};\n" });
    expect(elementsOf(junit(report))).toEqual(["testsuites", "testsuite", "testcase"]);
  });

  test("Checkstyle: an error element for each finding", async () => {
    const { report } = await reportOf(rich);
    const names = elementsOf(checkstyle(nasty(report)));
    expect(names.filter((name) => name === "error")).toHaveLength(report.findings.length);
  });
});

describe("HTML", () => {
  test("shows findings, diffs and what was not seen; loads nothing", async () => {
    const { report, surroundings } = await reportOf(rich);
    const page = html(report, surroundings);
    for (const part of ["src/a b.ts", "R01 retired-model-alias", "moved next week", "not a valid program"]) {
      expect(page).toContain(part);
    }
    expect(page).toContain('<span class="add">+  model: &#34;deepseek-flash&#34;,</span>');
    expect(page).not.toMatch(/<(script|link|img|iframe)[^>]+(src|href)=|@import|url\(/);
  });

  test("what stands in code, paths and messages is escaped", async () => {
    const evil = '<script>alert("x")</script>';
    const { report, surroundings } = await reportOf({
      [`${evil}.ts`]: `${client}client.chat.completions.create({ model: "deepseek-chat", messages }); // ${evil}\n`,
    });
    const page = html(report, surroundings);
    expect(page).not.toContain(evil);
    expect(page.match(/<script>/g)).toHaveLength(1);
  });
});

test("the diff of one fix is made of the lines around it", async () => {
  const { report, surroundings } = await reportOf({ "a.js": `${"// line\n".repeat(1000)}${client}${call}` });
  expect(fixDiff(report.findings[0]!.fix!, surroundings)).toBe(
    [
      "--- a/a.js",
      "+++ b/a.js",
      "@@ -1000,3 +1000,3 @@",
      " // line",
      ' const client = new OpenAI({ baseURL: "https://api.deepseek.com" });',
      '-client.chat.completions.create({ model: "deepseek-chat", messages });',
      '+client.chat.completions.create({ model: "deepseek-flash", thinking: { type: "disabled" }, messages });',
      "",
    ].join("\n"),
  );
});

const render = async (format: FormatName, report: ScanReport, surroundings: Surroundings): Promise<string> => {
  const forms = scanForms(report, surroundings);
  if (format === "json") return JSON.stringify(forms.json);
  if (format === "markdown") return forms.markdown();
  if (format === "text") return forms.text(new Chalk({ level: 0 }), 200);
  return (await scanFormats[format]())(report, surroundings);
};

describe("a secret in the code is in no form", () => {
  const secret = "sk-1a2b3c4d5e6f7a8b9c0d1e2f3a4b5c6d";
  const password = "hunter2hunter2";
  const files = {
    "a.ts": `const DB_PASSWORD = "${password}";\nconst client = new OpenAI({ apiKey: "${secret}", baseURL: "https://api.deepseek.com" }); client.chat.completions.create({ model: "deepseek-chat", user: "${secret}", messages });\n`,
    "b.ts": `/* https://me:${password}@example.org/ */ fetch("https://api.deepseek.com/chat/completions", { headers: { Authorization: "Bearer ${secret}" }, body: JSON.stringify({ model: "deepseek-chat", messages }) });\n`,
  };
  test.each(formatNames)("%s", async (format) => {
    const { report, surroundings } = await reportOf(files);
    expect(report.findings.length).toBeGreaterThan(1);
    const text = await render(format, report, surroundings);
    expect(text).not.toContain(secret.slice(3));
    expect(text).not.toContain(password);
  });
});
