import { spawnSync } from "node:child_process";
import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { compressCommand } from "../../src/commands/compress.js";
import { trainingGroups } from "../../src/commands/training-options.js";
import { termWords } from "../../src/distill/mix.js";
import { encodeModel } from "../../src/formats/onnx.js";
import { classifier, rowsFile } from "../training-models.js";

/* The commands of docs/train.md do what the page says, on models made here. Needs the built programs. */
const repository = process.cwd();
const page = readFileSync(join(repository, "docs/train.md"), "utf8");
const commands = [...page.matchAll(/```bash\n([\s\S]*?)```/g)].flatMap(([, body]) =>
  [...body!.matchAll(/^npx (.*)$/gm)].map(([, text]) => text!),
);

let folder: string;
const write = (name: string, content: string | Uint8Array) => writeFileSync(join(folder, name), content);
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "train-docs-"));
  write("teacher.onnx", encodeModel(classifier(48, 5, 1)));
  write("student.onnx", encodeModel(classifier(16, 1, 50)));
  write("model.onnx", encodeModel(classifier(48, 2, 1)));
  const labels = (count: number) => Array.from({ length: count }, (_, at) => `${at % 4}\n`).join("");
  write("train.npz", rowsFile(200, 7));
  write("train-labels.txt", labels(200));
  write("test.npz", rowsFile(40, 8));
  write("test-labels.txt", labels(40));
  write("npx", `#!/bin/sh\nname=$1\nshift\nexec ${process.execPath} ${join(repository, "bin")}/$name.js "$@"\n`);
  chmodSync(join(folder, "npx"), 0o755);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("docs/train.md", () => {
  test.each(commands)("%s", (command) => {
    // what takes the time is no part of the pages
    const { status, stdout, stderr } = spawnSync("sh", ["-c", `npx ${command} --steps 8 --speed-seconds 0`], {
      cwd: folder,
      encoding: "utf8",
      env: { PATH: `${folder}${delimiter}${process.env["PATH"]}` },
    });
    expect(stderr).not.toMatch(/error/);
    // so few steps may leave more of a loss than --max-drop allows
    expect(command.includes("--qat") ? [0, 1] : [0]).toContain(status);
    expect(stdout).not.toBe("");
  });

  test("names every option of training and every term, and no option that there is not", () => {
    const options = new Set(compressCommand.options.map(({ long }) => long));
    const named = new Set([...page.matchAll(/--[a-z][\w-]+/g)].map(([option]) => option));
    expect([...named].filter((option) => !options.has(option))).toEqual([]);
    expect(
      Object.values(trainingGroups)
        .flat()
        .filter((option) => !named.has(option)),
    ).toEqual([]);
    expect(Object.keys(termWords).filter((term) => !page.includes(`\`${term}\``))).toEqual([]);
  });
});
