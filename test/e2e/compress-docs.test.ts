import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { createCanvas } from "@napi-rs/canvas";
import { compressCommand } from "../../src/commands/compress.js";
import { encodeNpz } from "../../src/formats/npz.js";
import { encodeModel } from "../../src/formats/onnx.js";
import { makeNode } from "../../src/graph/node.js";
import { schemeIds } from "../../src/quantize/settings.js";
import { floats, makeModel } from "../onnx-model.js";
import { tokenizer } from "../tokenizer.js";

/* The commands of docs/compress.md do what the page says, on models made here. Needs the built programs. */
const repository = process.cwd();
const page = readFileSync(join(repository, "docs/compress.md"), "utf8");
const blocks = (kind: string) =>
  [...page.matchAll(new RegExp(`\`\`\`(?:${kind})\\n([\\s\\S]*?)\`\`\``, "g"))].map(([, body]) => body!);
const commands = [
  ...new Set(
    blocks("bash|yaml").flatMap((body) => [...body.matchAll(/^\s*(?:- run: )?npx (.*)$/gm)].map(([, text]) => text!)),
  ),
];

/** Pictures of 3 x 32 x 32 in 10 classes. */
const pictures = () => {
  const pads = { pads: [1, 1, 1, 1], strides: [2, 2], kernel_shape: [3, 3] };
  return makeModel({
    inputs: [["x", "float32", ["n", 3, 32, 32]]],
    outputs: [["y", "float32", ["n", 10]]],
    nodes: [
      makeNode("Conv", "conv1", ["x", "conv1_w", "conv1_b"], ["a"], pads),
      makeNode("Relu", "relu", ["a"], ["b"]),
      makeNode("Conv", "conv2", ["b", "conv2_w"], ["c"], pads),
      makeNode("GlobalAveragePool", "pool", ["c"], ["d"]),
      makeNode("Flatten", "flat", ["d"], ["e"]),
      makeNode("Gemm", "fc", ["e", "fc_w", "fc_b"], ["y"], { transB: 1 }),
    ],
    initializers: [
      floats("conv1_w", [48, 3, 3, 3]),
      floats("conv1_b", [48]),
      floats("conv2_w", [128, 48, 3, 3]),
      floats("fc_w", [10, 128]),
      floats("fc_b", [10]),
    ],
  });
};

/** Token ids to scores of 5 classes, through an LSTM. */
const texts = () =>
  makeModel({
    opset: 17,
    inputs: [["input_ids", "int64", [1, "length"]]],
    outputs: [["scores", "float32", [1, 1, 1, 5]]],
    nodes: [
      makeNode("Gather", "look_up", ["table", "input_ids"], ["rows"]),
      makeNode("Transpose", "turn", ["rows"], ["steps"], { perm: [1, 0, 2] }),
      makeNode("LSTM", "lstm", ["steps", "w", "r"], ["all"], { hidden_size: 32 }),
      makeNode("ReduceMean", "mean", ["all"], ["state"], { axes: [0] }),
      makeNode("MatMul", "head", ["state", "head_w"], ["scores"]),
    ],
    initializers: [
      floats("table", [64, 32]),
      floats("w", [1, 128, 32]),
      floats("r_", [1, 128, 32]),
      floats("r", [1, 128, 32]),
      floats("head_w", [32, 5]),
    ],
  });

let folder: string;
const write = (name: string, content: string | Uint8Array) => writeFileSync(join(folder, name), content);
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "compress-docs-"));
  write("model.onnx", encodeModel(pictures()));
  write("text.onnx", encodeModel(texts()));
  write("tokenizer.json", JSON.stringify(tokenizer));
  write("lines.txt", "hello\nworld\nhello world\nworlds hello\n");
  write("metric.ts", blocks("ts")[0]!);
  mkdirSync(join(folder, "samples"));
  mkdirSync(join(folder, "images"));
  const lines: string[] = [];
  for (let at = 0; at < 6; at++) {
    const data = Float32Array.from({ length: 3072 }, (_, index) => Math.sin(index * (at + 1)));
    const x = { dtype: "float32" as const, shape: [1, 3, 32, 32], data };
    write(`samples/${at}.npz`, encodeNpz(new Map([["x", x]])));
    lines.push(JSON.stringify({ x: { dtype: "float32", shape: x.shape, data: [...data] } }));
    const canvas = createCanvas(40, 30);
    const pen = canvas.getContext("2d");
    pen.fillStyle = `hsl(${at * 60} 80% 50%)`;
    pen.fillRect(at * 4, 0, 20, 30);
    write(`images/${at}.png`, canvas.toBuffer("image/png"));
  }
  write("samples.jsonl", `${lines.join("\n")}\n`);
  write("labels.csv", `file,label\n${[0, 1, 2, 3, 4, 5].map((at) => `${at}.png,${at}`).join("\n")}\n`);
  write("npx", `#!/bin/sh\nname=$1\nshift\nexec ${process.execPath} ${join(repository, "bin")}/$name.js "$@"\n`);
  chmodSync(join(folder, "npx"), 0o755);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("docs/compress.md", () => {
  test.each(commands)("%s", (command) => {
    // what takes the time is no part of the pages
    const quick = command.startsWith("deepseek compress") ? " --speed-seconds 0" : "";
    const { status, stdout, stderr } = spawnSync("sh", ["-c", `npx ${command}${quick}`], {
      cwd: folder,
      encoding: "utf8",
      env: { PATH: `${folder}${delimiter}${process.env["PATH"]}` },
    });
    expect(stderr).not.toMatch(/error/);
    expect(status).toBe(0);
    expect(stdout).not.toBe("");
  });

  test("names every scheme, and no option that there is not", () => {
    expect(schemeIds.filter((id) => !page.includes(`| \`${id}\` |`))).toEqual([]);
    const options = new Set(compressCommand.options.map(({ long }) => long));
    const named = [...page.matchAll(/--[a-z][\w-]+/g)].map(([option]) => option);
    expect(named.filter((option) => !options.has(option))).toEqual([]);
  });
});
