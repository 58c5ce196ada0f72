import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "@jest/globals";
import { probeCommand } from "../../src/commands/probe.js";
import { scanCommand } from "../../src/commands/scan.js";
import type { ScanReport } from "../../src/render/scan-report.js";
import { runCommand } from "../host.js";
import { startEndpoint } from "./fake-endpoint.js";

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "scan-"));
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const scan = (...argv: readonly string[]) => runCommand(scanCommand, argv, folder);
const write = (url: string) =>
  writeFileSync(
    join(folder, "a.ts"),
    `const c = new OpenAI({ baseURL: process.env.LLM_BASE ?? "${url}" });
c.chat.completions.create({ model: "deepseek-chat", messages: [{ role: "user", content: "Dear Bob" }], tool_choice: "required" });
other.chat.completions.create({ model: "gpt-4o", messages });
`,
  );

describe("scan --proof", () => {
  test("shows each request to DeepSeek and what each version answers; without the option text says nothing of it", async () => {
    write("https://api.deepseek.com");
    const { stdout } = await scan("--proof");
    expect(stdout).toContain("a.ts:2 c.chat.completions.create");
    expect(stdout).toContain("V3.0 accepted, V3.1 accepted, today rejected");
    expect(stdout).toContain("with the name alone replaced still rejected: `tool_choice`");
    expect(stdout).not.toContain("a.ts:3 other");
    expect(stdout).toContain("USD for 1M tokens: deepseek-chat on 2025-02-10: 0.27 in, 1.1 out; ");
    expect((await scan()).stdout).not.toContain("V3.0 accepted");
    expect((await scan("--proof", "--format", "markdown")).stdout).toContain(
      "| `a.ts:2` | accepted | accepted | rejected |",
    );
  });

  test("JSON always holds it, without the words of prompts", async () => {
    write("https://api.deepseek.com");
    const { stdout } = await scan("--json");
    const { proofs } = JSON.parse(stdout) as ScanReport;
    expect(proofs.map(({ file, line, verdicts }) => [file, line, verdicts?.current.answer])).toEqual([
      ["a.ts", 2, "rejected"],
    ]);
    expect(JSON.stringify(proofs)).not.toContain("Bob");
  });
});

test("scan --probe goes by what the endpoint answered", async () => {
  const endpoint = await startEndpoint("v3.1");
  try {
    await runCommand(probeCommand, ["--base-url", endpoint.url, "--record", "probe.json"], folder);
  } finally {
    await endpoint.close();
  }
  write(endpoint.url);
  const certainties = async (...argv: readonly string[]) =>
    (JSON.parse((await scan("--json", ...argv)).stdout) as ScanReport).proofs.map(
      ({ host }) => `${host.host} ${host.certainty}`,
    );
  expect(await certainties()).toEqual(["self-hosted possible"]);
  expect(await certainties("--probe", "probe.json")).toEqual(["self-hosted certain"]);
  const { code, stderr } = await scan("--probe", "a.ts");
  expect([code, stderr]).toEqual([2, expect.stringContaining("a.ts: is no recording of a probe")]);
});
