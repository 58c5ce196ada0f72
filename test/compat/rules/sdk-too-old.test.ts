import { describe, expect, test } from "@jest/globals";
import { sdkTooOld as rule } from "../../../src/compat/rules/sdk-too-old.js";
import { findingsOf } from "./check.js";

const code = 'import { deepseek } from "@ai-sdk/deepseek";\nexport const model = deepseek("deepseek-flash");\n';
const project = (version: string, lock: Readonly<Record<string, string>> = {}) => ({
  "app/package.json": JSON.stringify({ dependencies: { "@ai-sdk/deepseek": version } }),
  "app/src/a.ts": code,
  "app/src/b.ts": code,
  ...lock,
});
const npm = (version: string) => ({
  "app/package-lock.json": JSON.stringify({ packages: { "node_modules/@ai-sdk/deepseek": { version } } }),
});

describe("sdk-too-old", () => {
  test("the installed version counts, one finding a project", async () => {
    const [finding, ...others] = await findingsOf(rule, "current", project("^2.0.60", npm("2.0.60")));
    expect(others).toEqual([]);
    expect(finding).toMatchObject({ severity: "warning" });
    expect(finding!.message).toContain("2.0.60 treats deepseek-v4-flash as V4");
    expect(finding!.manual).toContain("2.0.64");
    expect(await findingsOf(rule, "current", project("^2.0.10", npm("2.0.69")))).toEqual([]);
  });

  test("a range without a lock file may be new enough, and is said to be no more than that", async () => {
    const [finding] = await findingsOf(rule, "current", project("^2.0.10"));
    expect(finding).toMatchObject({ severity: "info" });
    expect((await findingsOf(rule, "current", project("2.0.10")))[0]).toMatchObject({ severity: "warning" });
    expect((await findingsOf(rule, "current", project("0.2.1")))[0]!.message).toContain("knows no V4 model");
  });

  test.each([["^2.0.64"], ["~3.0.44"], ["1.0.57"], ["latest"], ["workspace:*"]])(
    "is content with %s",
    async (version) => {
      expect(await findingsOf(rule, "current", project(version))).toEqual([]);
    },
  );
});
