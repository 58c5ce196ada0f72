import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { parse } from "yaml";
import { scanCommand } from "../src/commands/scan.js";

interface Step {
  readonly name: string;
  readonly run?: string;
  readonly uses?: string;
  readonly if?: string;
  readonly env?: Readonly<Record<string, string>>;
}
const action = parse(readFileSync("action.yml", "utf8")) as {
  readonly inputs: Readonly<Record<string, { readonly description: string; readonly default: string }>>;
  readonly runs: { readonly using: string; readonly steps: readonly Step[] };
};
const [scan, upload, result] = action.runs.steps as [Step, Step, Step];

describe("action.yml", () => {
  test("every option it passes is one of scan, every form is known", () => {
    const known = scanCommand.options.map(({ long }) => long);
    const passed = [...scan.run!.matchAll(/(?<=["\s(])--[a-z-]+/g)].map(([option]) => option);
    expect(passed.filter((option) => option !== "--yes" && !known.includes(option))).toEqual([]);
    expect(passed).toEqual(expect.arrayContaining(["--target", "--from", "--fail-on", "--baseline", "--changed"]));
  });

  test("every input is described, has a default and is used; what it says goes through variables only", () => {
    const text = readFileSync("action.yml", "utf8");
    for (const [name, { description, default: value }] of Object.entries(action.inputs)) {
      expect(description).toBeTruthy();
      expect(typeof value).toBe("string");
      expect(text).toContain(`inputs.${name}`);
    }
    for (const { run } of action.runs.steps) expect(run ?? "").not.toContain("${{");
    for (const name of Object.keys(scan.env!)) expect(scan.run).toContain(`$${name}`);
  });

  test("SARIF is uploaded when there are findings too, and not when the scan failed", () => {
    expect(upload.uses).toMatch(/^github\/codeql-action\/upload-sarif@v\d+$/);
    expect(upload.if).toContain("steps.scan.outputs.exit-code != '2'");
  });

  describe("its script, with a stand-in for npx", () => {
    let folder: string;
    beforeAll(() => {
      folder = mkdtempSync(join(tmpdir(), "action-"));
      writeFileSync(join(folder, "npx"), '#!/bin/sh\nprintf "%s\\n" "$@"\nexit 1\n');
      chmodSync(join(folder, "npx"), 0o755);
    });
    afterAll(() => rmSync(folder, { recursive: true, force: true }));

    test("passes what was given and keeps the exit code for the last step", () => {
      const defaults = Object.fromEntries(
        Object.entries(scan.env!).map(([name, value]) => [
          name,
          action.inputs[/inputs\.([a-z-]+)/.exec(value)![1]!]!.default,
        ]),
      );
      const outputs = join(folder, "outputs");
      const env = {
        PATH: `${folder}${delimiter}${process.env["PATH"]}`,
        ...defaults,
        INPUT_PATHS: "src lib",
        INPUT_BASELINE: "a b.json",
        INPUT_CHANGED: "true",
        GITHUB_OUTPUT: outputs,
        GITHUB_STEP_SUMMARY: "/summary",
      };
      // as the runner starts it
      const { status, stdout } = spawnSync("bash", ["--noprofile", "--norc", "-eo", "pipefail", "-c", scan.run!], {
        encoding: "utf8",
        env,
      });
      expect(status).toBe(0);
      expect(stdout.trimEnd().split("\n")).toEqual([
        "--yes",
        "deepseek-compat@latest",
        "scan",
        "--baseline=a b.json",
        "--changed",
        "--format=sarif:deepseek-compat.sarif",
        "--format=github",
        "--format=markdown:/summary",
        "--",
        "src",
        "lib",
      ]);
      expect(readFileSync(outputs, "utf8")).toBe("exit-code=1\nsarif-file=./deepseek-compat.sarif\n");
      expect(spawnSync("bash", ["-c", result.run!], { env: { ...env, CODE: "1" } }).status).toBe(1);
    });
  });
});
