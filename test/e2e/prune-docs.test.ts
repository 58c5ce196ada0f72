import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { compressCommand } from "../../src/commands/compress.js";
import { pruneGroups } from "../../src/commands/prune-options.js";
import { encodeModel } from "../../src/formats/onnx.js";
import { classifier, rowsFile } from "../training-models.js";

/* The commands of docs/prune.md do what the page says, on models made here. Needs the built programs. */
const repository = process.cwd();
const page = readFileSync(join(repository, "docs/prune.md"), "utf8");
const commands = [...page.matchAll(/```bash\n([\s\S]*?)```/g)].flatMap(([, body]) =>
  [...body!.matchAll(/^npx (.*)$/gm)].map(([, text]) => text!),
);

let folder: string;
const write = (name: string, content: string | Uint8Array) => writeFileSync(join(folder, name), content);
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "prune-docs-"));
  write("model.onnx", encodeModel(classifier(128, 3, 1)));
  write("deep.onnx", encodeModel(classifier(16, 6, 9)));
  write("train.npz", rowsFile(200, 7));
  write("train-labels.txt", Array.from({ length: 200 }, (_, at) => `${at % 4}\n`).join(""));
  write("npx", `#!/bin/sh\nname=$1\nshift\nexec ${process.execPath} ${join(repository, "bin")}/$name.js "$@"\n`);
  chmodSync(join(folder, "npx"), 0o755);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("docs/prune.md", () => {
  test.each(commands)("%s", (command) => {
    // what takes the time is no part of the page
    const quick = command.includes("--distill") ? "--steps 8 --speed-seconds 0" : "--speed-seconds 0";
    const { status, stdout, stderr } = spawnSync("sh", ["-c", `npx ${command} ${quick}`], {
      cwd: folder,
      encoding: "utf8",
      env: { PATH: `${folder}${delimiter}${process.env["PATH"]}` },
    });
    // so small a model takes no time that could be measured truly
    if (command.includes("--by latency")) {
      expect(stderr.replace(/error: --prune .* of the time can go.*/, "")).not.toMatch(/error/);
      return;
    }
    expect(stderr).not.toMatch(/error/);
    expect(status).toBe(0);
    expect(stdout).not.toBe("");
  });

  test("names every option of pruning, and no option that there is not", () => {
    const options = new Set(compressCommand.options.map(({ long }) => long));
    const named = new Set([...page.matchAll(/--[a-z][\w-]+/g)].map(([option]) => option));
    expect([...named].filter((option) => !options.has(option))).toEqual([]);
    expect(
      Object.values(pruneGroups)
        .flat()
        .filter((option) => !named.has(option)),
    ).toEqual([]);
  });
});
