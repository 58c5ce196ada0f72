import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { explainCommand } from "../../src/commands/explain.js";
import { rulesCommand } from "../../src/commands/rules.js";
import { rules } from "../../src/compat/rules/index.js";
import type { RuleResult, RulesResult } from "../../src/render/rule.js";
import { runCommand } from "../host.js";

describe("rules", () => {
  test("lists every rule with its severities", async () => {
    const { code, stdout } = await runCommand(rulesCommand, []);
    expect(code).toBe(0);
    for (const rule of rules) expect(stdout).toMatch(new RegExp(`^${rule.code} +${rule.id} `, "m"));
    expect(stdout).toMatch(/^R01 +retired-model-alias +info +error +hard error +safe, suggested +A model name/m);
  });

  test("--json holds explanations and sources", async () => {
    const { stdout } = await runCommand(rulesCommand, ["--json"]);
    const result = JSON.parse(stdout) as RulesResult;
    expect(result.schema).toBe("deepseek-compat/rules@1");
    expect(result.rules.map(({ id }) => id)).toEqual(rules.map(({ id }) => id));
  });

  test("rules of one's own are among them", async () => {
    const folder = mkdtempSync(join(tmpdir(), "rules-"));
    try {
      writeFileSync(
        join(folder, "mine.mjs"),
        'export const rule = { id: "mine", code: "X01", title: "Mine", effect: "cost", explanation: "So.", severity: { "v3.1": null, current: "info" }, examples: [], source: { urls: [] }, check: () => [] };\n',
      );
      writeFileSync(join(folder, "deepseek-compat.config.json"), '{"plugins": ["mine.mjs"]}');
      expect((await runCommand(rulesCommand, [], folder)).stdout).toMatch(/^X01 +mine +- +info /m);
      expect((await runCommand(explainCommand, ["x01"], folder)).stdout).toMatch(/^X01 mine\nMine\n/);
      expect((await runCommand(explainCommand, ["x01", "--no-config"], folder)).code).toBe(2);
    } finally {
      rmSync(folder, { recursive: true, force: true });
    }
  });
});

describe("explain", () => {
  test.each(["R01", "r01", "retired-model-alias"])("%s", async (name) => {
    const { code, stdout } = await runCommand(explainCommand, [name]);
    expect(code).toBe(0);
    for (const part of [
      "R01 retired-model-alias",
      "target current   error",
      "effect           hard error",
      "example, target current (ts); --fix writes this",
      '-   model: "deepseek-chat",',
      '+   model: "deepseek-flash",',
    ]) {
      expect(stdout).toContain(part);
    }
    expect(stdout).toContain(rules[0]!.source.urls[0]);
    expect(
      Math.max(
        ...stdout
          .split("\n\n")[2]!
          .split("\n")
          .map((line) => line.length),
      ),
    ).toBeLessThanOrEqual(100);
  });

  test.each(rules)("$code can be shown in every form", async ({ id }) => {
    for (const format of ["text", "markdown"]) {
      expect((await runCommand(explainCommand, [id, "--format", format])).stdout).toContain(id);
    }
    const { rule } = JSON.parse((await runCommand(explainCommand, [id, "--json"])).stdout) as RuleResult;
    expect(rule.id).toBe(id);
  });

  test.each([
    ["retired-model-alais", "did you mean retired-model-alias?"],
    ["sampling", "did you mean reasoner-sampling-params?"],
    ["R1", "did you mean R01"],
    ["nothing-like-it-at-all", "`deepseek-compat rules` lists them"],
  ])("%s is unknown", async (name, hint) => {
    const { code, stderr } = await runCommand(explainCommand, [name]);
    expect(code).toBe(2);
    expect(stderr).toContain(`${name}: there is no such rule; ${hint}`);
  });
});
