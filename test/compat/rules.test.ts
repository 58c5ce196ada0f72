import { describe, expect, test } from "@jest/globals";
import { applyFixes } from "../../src/compat/fix/fix.js";
import { readerOf } from "../../src/compat/readers/index.js";
import { exampleFiles } from "../../src/compat/rule.js";
import { rules } from "../../src/compat/rules/index.js";
import { scan } from "../../src/compat/scan.js";
import { targets } from "../../src/compat/targets.js";
import { memorySources } from "./memory.js";

const examples = rules.flatMap((rule) =>
  rule.examples.map((example, index) => ({ rule, ...example, name: `${rule.code} ${rule.id}, example ${index + 1}` })),
);

describe("the examples of every rule", () => {
  test.each(examples)("$name, target $target", async ({ rule, target, language, before, after, by, beside }) => {
    const file = exampleFiles[language];
    // what is unused depends on the rules that ran
    const options = { target, rules: rule.aboutSuppressions ? rules : [rule] };
    const old = { ...beside?.before, [file]: before };
    expect((await scan(memorySources(old), options)).findings.length).toBeGreaterThan(0);
    expect((await scan(memorySources({ ...beside?.after, [file]: after }), options)).findings).toEqual([]);
    const reader = await readerOf(file)!.load();
    expect(reader.countSyntaxErrors(file, after)).toBe(0);
    if (by === "none") return;
    const fixing = await applyFixes(memorySources(old), options, by);
    expect(fixing.changed.get(file)).toBe(after);
    expect(fixing.withdrawn).toEqual([]);
    // what a person has to look at is not written by the safe level
    if (by === "suggested") {
      expect((await applyFixes(memorySources(old), options, "safe")).changed.size).toBe(0);
    }
  });
});

describe("the catalogue", () => {
  test("ids and codes are unique, well formed and in order", () => {
    const codes = rules.map(({ code }) => code);
    expect(codes).toEqual([...new Set(codes)].sort());
    expect(new Set(rules.map(({ id }) => id)).size).toBe(rules.length);
    for (const { id, code } of rules) {
      expect(id).toMatch(/^[a-z0-9]+(-[a-z0-9]+)*$/);
      expect(code).toMatch(/^R\d\d$/);
    }
  });

  test.each(rules)("$code says why, since when and from where", ({ explanation, source, examples: own, severity }) => {
    expect(explanation.length).toBeGreaterThan(150);
    expect(explanation).not.toContain("\n");
    expect(source.urls.every((url) => URL.canParse(url))).toBe(true);
    expect(source.date).toMatch(/^\d{4}-\d\d-\d\d$/);
    expect(own.length).toBeGreaterThan(0);
    expect(Object.keys(severity).sort()).toEqual(Object.keys(targets).sort());
  });
});
