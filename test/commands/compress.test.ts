import { execFileSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { compressCommand } from "../../src/commands/compress.js";
import { readModelFile } from "../../src/commands/model-files.js";
import { writeModelFile } from "../../src/commands/write-model.js";
import { decodeModel, encodeModel, type GraphProto, makeTensor, setExternal } from "../../src/formats/onnx.js";
import { makeNode } from "../../src/graph/node.js";
import type { CompressResult } from "../../src/render/compress-result.js";
import { linear, lookUp, writeSamples } from "../compress-models.js";
import { runCommand } from "../host.js";
import { ocrLines, ocrRecognition } from "../ocr-lines.js";
import { floats, makeGraph, makeModel, withGraphs } from "../onnx-model.js";

const ocr = ocrRecognition;
const lines = ocrLines;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "compress-"));
  writeFileSync(join(folder, "linear.onnx"), encodeModel(linear()));
  const bytes = readFileSync(ocr);
  writeFileSync(join(folder, "cut.onnx"), bytes.subarray(0, bytes.length >> 1));
  writeFileSync(join(folder, "random.onnx"), Buffer.from(Array.from({ length: 4000 }, (_, at) => (at * 31 + 7) % 256)));
  writeFileSync(join(folder, "empty.onnx"), "");
  const bare = makeModel({
    inputs: [["x", "float32", [2]]],
    outputs: [["y", "float32", [2]]],
    nodes: [makeNode("Abs", "n", ["x"], ["y"])],
  });
  writeFileSync(join(folder, "bare.onnx"), encodeModel(bare));
  const large = linear();
  large.graph!.node[1]!.opType = "NoSuchOperator";
  writeFileSync(join(folder, "unloadable.onnx"), encodeModel(large));
  mkdirSync(join(folder, "taken"));
  symlinkSync(".", join(folder, "link"));
  execFileSync("mkfifo", [join(folder, "pipe")]);
  writeSamples(join(folder, "rows"), "x", [2, 64], 4);
  writeSamples(join(folder, "other-name"), "image", [2, 64], 1);
  writeSamples(join(folder, "other-shape"), "x", [2, 65], 1);
  writeFileSync(join(folder, "labels.txt"), "1\n2\n3\n");
  const nan = linear();
  nan.graph!.initializer.splice(0, 1, floats("w", [64, 64], Array(4096).fill(Number.NaN)));
  writeFileSync(join(folder, "nan.onnx"), encodeModel(nan));
  const broken: Readonly<Record<string, (graph: GraphProto) => void>> = {
    "circle.onnx": ({ node: [first, add], node }) => {
      first!.name = "first";
      first!.input[0] = "back";
      node.splice(0, 2, makeNode("Neg", "back", ["h"], ["back"]), first!, add!);
    },
    "twice.onnx": ({ node }) => node.push(makeNode("Abs", "again", ["x"], ["y"])),
    "gap.onnx": ({ node }) => node.push(makeNode("Abs", "again", ["nowhere"], ["z"])),
    "lines.onnx": ({ node }) => node.push(makeNode("Abs", "again", ["no\n\u001b[2Jwhere"], ["z"])),
    "axes.onnx": ({ node, initializer }) => {
      node.unshift(makeNode("Transpose", "turn", ["b2"], ["t"], { perm: [5, -3] }));
      initializer.push(floats("b2", [64, 64]));
      node.push(makeNode("Gather", "rows", ["w", "i"], ["z"], { axis: 7 }));
      initializer.push(makeTensor("i", { dtype: "int64", shape: [1], data: BigInt64Array.of(1n) }));
    },
    "type.onnx": ({ initializer }) => {
      initializer[1]!.dataType = 99;
    },
    "quantized.onnx": ({ node, initializer }) => {
      const q = makeTensor("q", { dtype: "int8", shape: [64, 64], data: new Int8Array(4096).fill(3) });
      initializer.splice(0, 1, q, makeTensor("s", { dtype: "float32", shape: [], data: Float32Array.of(0.5) }));
      node.unshift(makeNode("DequantizeLinear", "dq", ["q", "s"], ["w"]));
    },
    "deep.onnx": (graph) => {
      for (let depth = 0; depth < 60; depth++) {
        const inner = makeGraph({ outputs: [], nodes: [...graph.node] });
        graph.node = [withGraphs(makeNode("If", "if", ["x"], []), { then_branch: inner })];
      }
    },
  };
  for (const [name, damage] of Object.entries(broken)) {
    const model = linear();
    damage(model.graph!);
    writeFileSync(join(folder, name), encodeModel(model));
  }
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Without the comparison of speeds, which takes seconds. */
const compress = (...argv: string[]) => runCommand(compressCommand, [...argv, "--speed-seconds", "0"], folder);
const listing = () => readdirSync(folder).sort();

describe("what the user sees", () => {
  test("a report in words, with sizes, reasons and agreement, and the file beside the model by default", async () => {
    const { code, stdout, stderr } = await compress("--int8", "linear.onnx", "--report", "r.json", "--report", "r.md");
    expect(code).toBe(0);
    expect(stdout).toMatch(/wrote linear\.int8\.onnx/);
    expect(stdout).toMatch(/file\s+16\.8 kB\s+4\.\d+ kB\s+0\.2[0-9]{2}/);
    expect(stdout).toMatch(/left\s+1\s+256 B\s+256 B\s+Add; no weight/);
    expect(stdout).toMatch(/SQNR/);
    expect(stderr).toMatch(/random numbers only/);
    expect(JSON.parse(readFileSync(join(folder, "r.json"), "utf8")).schema).toBe("deepseek/compress@2");
    expect(readFileSync(join(folder, "r.md"), "utf8")).toMatch(/^## Compressed linear\.onnx\n/);
    expect(listing().filter((name) => name.startsWith("."))).toEqual([]);
  });

  test("--dry-run prints each tensor's fate and writes nothing", async () => {
    const before = listing();
    const { code, stdout } = await compress("--int8", "linear.onnx", "--dry-run", "-o", "never.onnx");
    expect(code).toBe(0);
    expect(stdout).toMatch(/unpack\s+w\s+64x64\s+16\.4 kB\s+4\.\d+ kB\s+MatMul\s+int8 per channel/);
    expect(stdout).toMatch(/left\s+b\s+64\s+256 B\s+256 B\s+Add/);
    expect(listing()).toEqual(before);
  });

  test("a model whose samples cannot be made up is written unproven, and says so", async () => {
    const { code, stdout, stderr } = await compress("--int8", ocr, "-o", "unproven.onnx");
    expect(code).toBe(0);
    expect(stderr).toMatch(/not checked against the original: input "x".*--shape x=1x3x48x\?/);
    expect(stdout).toMatch(/not checked/);
  });
});

test("outputs far from the original's are warned of, with the way to check them", async () => {
  const model = linear();
  // one huge weight takes the scale of its column: the others become zeros
  const weights = floats("w", [64, 64]);
  const data = new Float32Array(weights.rawData.slice().buffer);
  for (let at = 0; at < 64; at++) data[at] = 1e5;
  weights.rawData = new Uint8Array(data.buffer);
  model.graph!.initializer[0] = weights;
  model.graph!.node.splice(0, 1, makeNode("MatMul", "n", ["z", "w"], ["h"]));
  model.graph!.node.unshift(makeNode("Mul", "mask", ["x", "keep"], ["z"]));
  model.graph!.initializer.push(floats("keep", [64], [0, ...Array(63).fill(1)]));
  model.graph!.output[0]!.name = "y";
  writeFileSync(join(folder, "outlier.onnx"), encodeModel(model));
  const { code, stderr } = await compress("--int8", "outlier.onnx", "--force");
  expect(code).toBe(0);
  expect(stderr).toMatch(/output "y" (picks another class|differs).*check its accuracy/);
});

test("a text output that stays the same is no damage", async () => {
  const model = linear();
  model.graph!.node.push(makeNode("Identity", "label", ["names"], ["label"]));
  model.graph!.initializer.push(makeTensor("names", { dtype: "string", shape: [2], data: ["cat", "dog"] }));
  model.graph!.output.push(makeModel({ outputs: [["label", "string", [2]]], nodes: [] }).graph!.output[0]!);
  writeFileSync(join(folder, "text.onnx"), encodeModel(model));
  const { code, stderr } = await compress("--int8", "text.onnx", "--force");
  expect([code, stderr]).toEqual([0, expect.not.stringMatching(/broken|text/)]);
});

describe("external data", () => {
  test("is read from beside the model, and what is left stays external in a data file of the output's name", async () => {
    const home = join(folder, "external");
    mkdirSync(home);
    const model = linear();
    const weight = model.graph!.initializer[0]!;
    const data = Buffer.concat([Buffer.alloc(4096), Buffer.from(weight.rawData)]);
    writeFileSync(join(home, "weights.bin"), data);
    setExternal(weight, "weights.bin", 4096, 64 * 64 * 4);
    writeFileSync(join(home, "m.onnx"), encodeModel(model));
    const { code, stdout } = await runCommand(
      compressCommand,
      ["--int8", "m.onnx", "-o", "out.onnx", "--json", "--speed-seconds", "0"],
      home,
    );
    expect(code).toBe(0);
    const result: CompressResult = JSON.parse(stdout);
    expect(readdirSync(home).sort()).toEqual(["m.onnx", "out.onnx", "out.onnx.data", "weights.bin"]);
    if (!result.verification.checked) throw new Error("not checked");
    expect(result.verification.agreement.total.sqnrDb).toBeGreaterThan(34);
    expect(Buffer.compare(readFileSync(join(home, "weights.bin")), data)).toBe(0);
    // a second round: nothing is lost when the source's tensors are external and stay so
    const host = { cwd: home } as never;
    const source = readModelFile(host, "out.onnx");
    writeModelFile(join(home, "copy.onnx"), source.model, "copy.onnx.data", source.readExternal);
    const [a, b] = ["out.onnx.data", "copy.onnx.data"].map((name) => readFileSync(join(home, name)));
    expect(Buffer.compare(a!, b!)).toBe(0);
  });

  test("a data file that is there already is kept: the input's own even with --force, another's without", async () => {
    const home = join(folder, "kept");
    mkdirSync(home);
    const model = linear();
    const weight = model.graph!.initializer[0]!;
    writeFileSync(join(home, "m.onnx.data"), weight.rawData);
    setExternal(weight, "m.onnx.data", 0, 64 * 64 * 4);
    writeFileSync(join(home, "original.onnx"), encodeModel(model));
    writeFileSync(join(home, "other.onnx.data"), "precious");
    const before = readFileSync(join(home, "m.onnx.data"));
    const run = (...argv: string[]) => runCommand(compressCommand, ["--int8", "original.onnx", ...argv], home);
    const own = await run("-o", "m.onnx", "--force");
    expect([own.code, own.stderr]).toEqual([2, expect.stringMatching(/holds the input's own weights/)]);
    const others = await run("-o", "other.onnx");
    expect([others.code, others.stderr]).toEqual([2, expect.stringMatching(/other\.onnx\.data: exists already/)]);
    expect(Buffer.compare(readFileSync(join(home, "m.onnx.data")), before)).toBe(0);
    expect(readFileSync(join(home, "other.onnx.data"), "utf8")).toBe("precious");
    expect(readdirSync(home).sort()).toEqual(["m.onnx.data", "original.onnx", "other.onnx.data"]);
  });

  const lie = (location: string, offset: number, length: number) => {
    const model = linear();
    setExternal(model.graph!.initializer[0]!, location, offset, length);
    writeFileSync(join(folder, "lie.onnx"), encodeModel(model));
    return compress("--int8", "lie.onnx");
  };
  test.each([
    ["outside the model's folder", "../../../etc/passwd", 0, 16384, /points outside the model's folder/],
    ["by an absolute path", "/etc/passwd", 0, 16384, /points outside the model's folder/],
    ["in a file that is not there", "gone.bin", 0, 16384, /external data file gone\.bin cannot be read: no such file/],
    ["beyond the end of its file", "linear.onnx", 2 ** 40, 16384, /which has \d+; the file is cut off/],
    ["with another length than its shape", "linear.onnx", 0, 100, /needs 16384 bytes, its external data has 100/],
  ])("a tensor %s is refused", async (_, location, offset, length, message) => {
    const { code, stderr } = await lie(location, offset, length);
    expect([code, stderr.split("\n").length]).toEqual([2, 2]);
    expect(stderr).toMatch(message);
  });
});

describe("bad input: one line, exit 2, nothing written, input untouched", () => {
  const rows: readonly [what: string, argv: readonly string[], message: RegExp][] = [
    ["no scheme", ["linear.onnx"], /say how to compress: --int8/],
    ["a missing model", ["--int8", "nowhere.onnx"], /nowhere\.onnx: cannot read the model: no such file/],
    ["a folder as model", ["--int8", "."], /\.: is a folder; give a model file/],
    ["a truncated model", ["--int8", "cut.onnx"], /cut\.onnx: .*cut off/],
    ["random bytes", ["--int8", "random.onnx"], /random\.onnx: is not an ONNX model/],
    ["an empty file", ["--int8", "empty.onnx"], /empty\.onnx: is empty, not an ONNX model/],
    ["a model without weights", ["--int8", "bare.onnx"], /bare\.onnx: has no weights to quantize/],
    ["a model onnxruntime refuses", ["--int8", "unloadable.onnx"], /onnxruntime cannot load it.*--no-verify$/m],
    [
      "nodes in a circle",
      ["--int8", "circle.onnx"],
      /circle\.onnx: nodes wait for each other in a circle: first \(MatMul\) -> back \(Neg\) -> first \(MatMul\)/,
    ],
    [
      "a value made twice",
      ["--int8", "twice.onnx"],
      /twice\.onnx: value "y" is made twice: by node .* and by node again/,
    ],
    [
      "a value that nothing makes",
      ["--int8", "gap.onnx"],
      /gap\.onnx: node again \(Abs\) reads "nowhere", which nothing/,
    ],
    ["axes that tensors do not have", ["--int8", "axes.onnx"], /axes\.onnx: onnxruntime cannot load it: .*turn/],
    [
      "names that would break the line and steer the terminal",
      ["--int8", "lines.onnx"],
      /lines\.onnx: node again \(Abs\) reads "no\\n\\u001b\[2Jwhere", which nothing/,
    ],
    [
      "a model that is quantized already",
      ["--int8", "quantized.onnx"],
      /quantized\.onnx: is quantized already \(1 DequantizeLinear node; .*\); nothing was done; --requantize/,
    ],
    ["an element type ONNX does not have", ["--int8", "type.onnx"], /type\.onnx: tensor \S+ has element type 99/],
    [
      "graphs nested without end",
      ["--int8", "deep.onnx"],
      /deep\.onnx: graphs or types in it are nested absurdly deep/,
    ],
    ["a folder as output", ["--int8", "linear.onnx", "-o", "taken"], /taken: is a folder; give the name of a file/],
    [
      "an output folder that is not there",
      ["--int8", "linear.onnx", "-o", "no/out.onnx"],
      /cannot write into .*no such file/,
    ],
    [
      "an unwritable output folder",
      ["--int8", "linear.onnx", "-o", "/sys/out.onnx"],
      /cannot write into \/sys: [a-z -]+$/m,
    ],
    ["the input as output", ["--int8", "linear.onnx", "-o", "linear.onnx", "--force"], /is the input itself/],
    [
      "the input as output, by way of a link",
      ["--int8", "linear.onnx", "-o", "link/linear.onnx", "--force"],
      /is the input itself/,
    ],
    [
      "a path through a file",
      ["--int8", "linear.onnx", "-o", "bare.onnx/out.onnx"],
      /part of the path is not a folder/,
    ],
    ["a name that is too long", ["--int8", "linear.onnx", "-o", `${"x".repeat(300)}.onnx`], /the name is too long/],
    ["a pipe as model", ["--int8", "pipe"], /pipe: is a pipe or device; give a model file/],
    ["samples for no check", ["--int8", "linear.onnx", "--no-verify", "--data", "gone"], /--no-verify: leave it out/],
    [
      "weights that are not finite",
      ["--int8", "nan.onnx"],
      /nan\.onnx: weight w: holds NaN or infinite elements; .*--tensor "w=float"/,
    ],
    ["an output that exists", ["--int8", "linear.onnx", "-o", "bare.onnx"], /bare\.onnx: exists already; use --force/],
    ["an unknown option", ["--int8", "linear.onnx", "--int7"], /unknown option '--int7'/],
    [
      "a shape of another rank",
      ["--int8", "linear.onnx", "--shape", "x=1x2x3"],
      /--shape x=1x2x3: input "x" has 2 axes/,
    ],
    [
      "a shape against a fixed axis",
      ["--int8", "linear.onnx", "--shape", "x=1x65"],
      /axis 1 of input "x" is fixed at 64/,
    ],
    ["a shape of an unknown input", ["--int8", "linear.onnx", "--shape", "z=1x64"], /no such input; its inputs: x/],
    ["a shape that is no shape", ["--int8", "linear.onnx", "--shape", "x=1xtwo"], /"two" is not a size/],
    ["samples that are not there", ["--int8", "linear.onnx", "--data", "gone"], /--data gone: no such file/],
    ["samples for another model", ["--int8", "linear.onnx", "--data", lines], /line-01\.npz/],
    [
      "samples with another input",
      ["--int8", "linear.onnx", "--data", "other-name"],
      /sample-0\.npz.*image.*\bx\b|sample-0\.npz.*\bx\b.*image/,
    ],
    [
      "samples of another shape",
      ["--int8", "linear.onnx", "--data", "other-shape"],
      /sample-0\.npz: array "x": the model expects shape \?x64, found 2x65/,
    ],
    [
      "labels of another length",
      ["--int8", "linear.onnx", "--data", "rows", "--labels", "labels.txt"],
      /labels\.txt: .*3.*4|labels\.txt: .*4.*3/,
    ],
    ["labels for made-up samples", ["--int8", "linear.onnx", "--labels", "labels.txt"], /--labels: give the samples/],
    ["a report of unknown kind", ["--int8", "linear.onnx", "--report", "r.pdf"], /must end in \.json, \.md or \.html/],
    ["a count that is no number", ["--int8", "linear.onnx", "--samples", "few"], /--samples/],
  ];
  test.each(rows)("%s", async (_, argv, message) => {
    for (const name of ["linear.int8.onnx", "x86.onnx"]) rmSync(join(folder, name), { force: true });
    const before = listing();
    const input = readFileSync(join(folder, "linear.onnx"));
    const { code, stdout, stderr } = await compress(...argv);
    expect(stderr).toMatch(message);
    expect([code, stdout]).toEqual([2, ""]);
    expect(stderr).not.toMatch(/\bat .*\.(ts|js):\d+/);
    expect(listing()).toEqual(before);
    expect(Buffer.compare(readFileSync(join(folder, "linear.onnx")), input)).toBe(0);
  });

  test("a model that the work broke is reported before it takes its name", async () => {
    copyFileSync(join(folder, "linear.onnx"), join(folder, "in.onnx"));
    const model = decodeModel(new Uint8Array(readFileSync(join(folder, "in.onnx"))), "in");
    // no such operator: original and result are both refused, so nothing may appear
    model.graph!.node[1]!.opType = "NoSuchOperator";
    writeFileSync(join(folder, "in.onnx"), encodeModel(model));
    const { code } = await compress("--int8", "in.onnx");
    expect([code, listing().includes("in.int8.onnx")]).toEqual([2, false]);
  });
});

/** A disk of 64 kB; undefined where this process may not make one. */
function smallDisk(): { readonly path: string; close(): void } | undefined {
  const path = join(folder, "small-disk");
  mkdirSync(path);
  try {
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=64k", "tmpfs", path], { stdio: "ignore" });
  } catch {
    return undefined;
  }
  return { path, close: () => execFileSync("umount", [path], { stdio: "ignore" }) };
}

test("a full disk is an error that leaves nothing behind; one that just holds the result is enough", async () => {
  const disk = smallDisk();
  if (!disk) {
    console.warn("skipped: making a small disk needs root");
    return;
  }
  try {
    writeFileSync(join(folder, "look-up.onnx"), encodeModel(lookUp()));
    const run = () => compress("--int8", "look-up.onnx", "-o", join(disk.path, "out.onnx"));
    writeFileSync(join(disk.path, "fill"), Buffer.alloc(40_000));
    const full = await run();
    expect([full.code, full.stderr]).toEqual([2, expect.stringMatching(/cannot write: no space left on the device/)]);
    expect(readdirSync(disk.path)).toEqual(["fill"]);
    rmSync(join(disk.path, "fill"));
    const enough = await run();
    expect([enough.code, readdirSync(disk.path)]).toEqual([0, ["out.onnx"]]);
  } finally {
    disk.close();
  }
});

test("--static: an input with a default, which no sample gives, has no range and stays", async () => {
  const model = linear();
  const [{ name }] = model.graph!.initializer as unknown as [{ name: string }];
  model.graph!.input.push(
    makeModel({ inputs: [[name, "float32", [64, 64]]], outputs: [], nodes: [] }).graph!.input[0]!,
  );
  model.graph!.node.push(makeNode("MatMul", "m", ["y", "v"], ["z"]));
  model.graph!.initializer.push(floats("v", [64, 64]));
  model.graph!.output.push(makeModel({ outputs: [["z", "float32", ["n", 64]]], nodes: [] }).graph!.output[0]!);
  writeFileSync(join(folder, "default.onnx"), encodeModel(model));
  const { code, stderr } = await compress("--static", "--attention", "default.onnx", "--shape", "x=4x64");
  expect([code, stderr]).toEqual([0, expect.not.stringMatching(/error/)]);
});

test("the result holds the warnings that stderr shows", async () => {
  const { stdout, stderr } = await compress(
    "--int8",
    "linear.onnx",
    "--no-verify",
    "--asymmetric",
    "--json",
    "--force",
  );
  const { warnings } = JSON.parse(stdout) as CompressResult;
  expect(warnings).toContain("not checked against the original: --no-verify");
  expect(stderr).toBe(warnings.map((line) => `warning: ${line}\n`).join(""));
});

test("one weight of an LSTM that is not finite is named, and nothing is written", async () => {
  const lstm = makeModel({
    inputs: [["x", "float32", [4, 1, 32]]],
    outputs: [["y", "float32", []]],
    nodes: [makeNode("LSTM", "l", ["x", "W", "R"], ["y"], { hidden_size: 16 })],
    initializers: [floats("W", [1, 64, 32]), floats("R", [1, 64, 16], Array(1024).fill(Number.NaN))],
  });
  writeFileSync(join(folder, "lstm.onnx"), encodeModel(lstm));
  const { code, stderr } = await compress("--int8", "lstm.onnx", "--dynamic", "--no-verify", "-o", "lstm.out.onnx");
  expect([code, stderr]).toEqual([2, expect.stringMatching(/lstm\.onnx: weight R: holds NaN or infinite elements/)]);
  expect(existsSync(join(folder, "lstm.out.onnx"))).toBe(false);
});
