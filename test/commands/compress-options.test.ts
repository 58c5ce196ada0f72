import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { compressCommand } from "../../src/commands/compress.js";
import { decodeModel, encodeModel } from "../../src/formats/onnx.js";
import type { CompressResult, PlanResult } from "../../src/render/compress-result.js";
import { convolutions, linear, lookUp, writeSamples } from "../compress-models.js";
import { runCommand } from "../host.js";

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "compress-options-"));
  writeFileSync(join(folder, "look-up.onnx"), encodeModel(lookUp()));
  writeFileSync(join(folder, "conv.onnx"), encodeModel(convolutions()));
  writeFileSync(join(folder, "linear.onnx"), encodeModel(linear()));
  writeSamples(join(folder, "images"), "x", [1, 8, 16, 16], 4);
  writeSamples(join(folder, "rows"), "x", [3, 64], 4);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const run = (...argv: string[]) =>
  runCommand(compressCommand, [...argv, "-o", "out.onnx", "--force", "--speed-seconds", "0"], folder);

/** The result of a run that must succeed, for a target that is the same on every machine. */
async function compress(...argv: string[]): Promise<CompressResult> {
  const target = argv.includes("--target") ? [] : ["--target", "avx2"];
  const { code, stdout, stderr } = await run(...argv, ...target, "--json");
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

async function plan(...argv: string[]): Promise<PlanResult> {
  const { code, stdout, stderr } = await run(...argv, "--dry-run", "--json");
  if (code !== 0) throw new Error(stderr);
  return JSON.parse(stdout);
}

const schemesOf = ({ tensors }: Pick<PlanResult["plan"], "tensors">) =>
  Object.fromEntries(tensors.map(({ name, scheme }) => [name, scheme]));
const operators = () =>
  decodeModel(new Uint8Array(readFileSync(join(folder, "out.onnx"))), "out").graph!.node.map(({ opType }) => opType);
const sqnr = ({ verification }: CompressResult) => {
  if (!verification.checked) throw new Error("not checked");
  return verification.agreement.total.sqnrDb;
};

describe("schemes", () => {
  test("by rule: a table is gathered as integers, products of few rows use 8-bit kernels, and the report says why", async () => {
    const result = await compress("--int8", "look-up.onnx");
    expect(schemesOf(result)).toEqual({ table: "gather", first_w: "nbits", second_w: "qdq" });
    expect(result.decisions).toEqual([
      expect.stringMatching(/^1 tensor of Gather, 65\.5 kB -> .*rows are gathered as integers/),
      expect.stringMatching(/^1 tensor of MatMul, 32\.8 kB -> .*few rows at a time: .*Relu follows it/),
      expect.stringMatching(/^1 tensor of MatMul, 32\.8 kB -> .*few rows at a time: 8-bit kernels are faster/),
    ]);
    expect(sqnr(result)).toBeGreaterThan(30);
  });

  test.each([
    ["qdq", "DequantizeLinear"],
    ["unpack", "Cast"],
    ["nbits", "MatMulNBits"],
    ["dynamic", "MatMulInteger"],
  ] as const)("--scheme %s puts in %s", async (scheme, operator) => {
    const result = await compress("--int8", "look-up.onnx", "--scheme", scheme);
    expect([schemesOf(result)["first_w"], schemesOf(result)["second_w"]]).toEqual([scheme, scheme]);
    expect(operators()).toContain(operator);
    expect(sqnr(result)).toBeGreaterThan(25);
  });

  test("--dynamic is --scheme dynamic", async () => {
    const { settings } = await compress("--int8", "look-up.onnx", "--dynamic");
    expect(settings.scheme).toBe("dynamic");
    expect((await run("--int8", "look-up.onnx", "--dynamic", "--scheme", "qdq")).stderr).toMatch(/choose one scheme/);
  });

  test("--static runs convolutions with integers, with ranges from the samples", async () => {
    const result = await compress("--int8", "conv.onnx", "--static", "--everywhere", "--data", "images");
    if (!result.verification.checked) throw new Error("not checked");
    const { fused } = result.verification;
    expect(fused.find(({ opType }) => opType === "Conv")!.planned).toBeGreaterThan(0);
    for (const { planned, fused: run } of fused) expect(run).toBe(planned);
    expect(schemesOf(result)).toMatchObject({ one_w: "static", two_w: "static" });
    expect(result.nodes.filter(({ opType }) => opType === "Conv").map(({ runs }) => runs)).toEqual(["int8", "int8"]);
    expect(operators()).toContain("QuantizeLinear");
    expect(["mse", "minmax", "percentile"]).toContain(result.calibration!.ranges);
    const [widest] = result.calibration!.widest;
    expect(widest!.histogram.counts.length).toBeLessThanOrEqual(64);
    expect(widest!.range!.max).toBeGreaterThan(0);
    expect(result.verification.runtime!.words).toEqual(["2 of 2 weights of Conv are computed with as integers"]);
  });

  test("--static takes the range, sides and extent it is told", async () => {
    const ways = ["--range", "percentile", "--percentile", "99.9", "--symmetric-activations", "--attention"];
    const result = await compress("--int8", "conv.onnx", "--static", "--everywhere", "--data", "images", ...ways);
    expect(result.calibration!.ranges).toBe("percentile");
    const ranges = result.calibration!.widest.flatMap(({ range }) => (range && range.min < 0 ? [range] : []));
    expect(ranges.length).toBeGreaterThan(0);
    for (const { min, max } of ranges) expect(max / -min).toBeCloseTo(127 / 128, 2);
  });

  test("--int4 stores products in 4 bits and the rest in 8", async () => {
    const result = await compress("--int4", "look-up.onnx", "--asymmetric");
    const forms = Object.fromEntries(result.tensors.map(({ name, form }) => [name, form]));
    expect(forms["first_w"]).toMatchObject({ bits: 4, granularity: "block", blockSize: 32, symmetric: false });
    expect(forms["table"]).toMatchObject({ bits: 8 });
    expect(sqnr(result)).toBeGreaterThan(12);
  });

  test("--int4-convolutions stores convolutions in 4 bits, too, in blocks of their channels", async () => {
    const forms = async (...argv: string[]) =>
      (await compress("--int4", "conv.onnx", "--data", "images", "--max-drop", "100%", ...argv)).tensors.flatMap(
        ({ form }) => (form ? [`${form.bits} ${form.granularity} ${form.axis}`] : []),
      );
    expect(await forms()).toEqual(["8 channel 0", "8 channel 0"]);
    expect(await forms("--int4-convolutions")).toEqual(["4 block 1", "4 block 1"]);
    expect((await run("--int4", "look-up.onnx", "--int4-convolutions")).stderr).toMatch(/without effect: --int4-conv/);
    expect((await run("--int8", "conv.onnx", "--int4-convolutions")).stderr).toMatch(
      /--int4-convolutions: is for --int4/,
    );
  });

  test("--block n lets n elements share a scale", async () => {
    const { tensors } = await compress("--int8", "look-up.onnx", "--block", "64");
    expect(tensors.find(({ name }) => name === "first_w")!.form).toMatchObject({ bits: 8, blockSize: 64 });
    expect((await run("--int8", "look-up.onnx", "--block", "48")).stderr).toMatch(/must be 16, 32, 64, 128 or 256/);
  });

  test("--optimize-for changes what is chosen for many rows", async () => {
    const schemes = async (goal: string) =>
      schemesOf((await plan("--int8", "linear.onnx", "--target", "avx2", "--optimize-for", goal)).plan)["w"];
    expect([await schemes("size"), await schemes("throughput")]).toEqual(["unpack", "dynamic"]);
    expect(["nbits", "qdq"]).toContain(await schemes("latency"));
  });
});

describe("decisions by name and size", () => {
  test("--tensor leaves or forces what matches a tensor's or node's name", async () => {
    const result = await compress("--int8", "look-up.onnx", "--tensor", "sec*=float", "--tensor", "first_w=unpack");
    expect(schemesOf(result)).toMatchObject({ first_w: "unpack", second_w: null });
    expect(result.tensors.find(({ name }) => name === "second_w")!.reason).toBe("as told for sec*");
  });

  test("--tensor stores as float16, or leaves, also what is no weight", async () => {
    const given = ["--tensor", "first_w=half", "--tensor", "table=half", "--tensor", "*b=float"];
    const result = await compress("--int8", "look-up.onnx", ...given);
    expect(schemesOf(result)).toMatchObject({ first_w: "half", table: "half" });
    const [weight] = result.tensors.filter(({ name }) => name === "first_w");
    expect(weight).toMatchObject({ bytesAfter: weight!.bytes / 2, reason: "as told for first_w" });
    for (const { name, scheme } of result.tensors) if (name.endsWith("b")) expect(scheme).toBeNull();
  });

  test("a share above 1 is refused with what was meant", async () => {
    const { code, stderr } = await run("--int8", "look-up.onnx", "--max-drop", "2");
    expect([code, stderr]).toEqual([2, expect.stringMatching(/a share from 0 to 1.* For 2 percent write 2%\./)]);
    expect((await run("--int8", "look-up.onnx", "--max-drop", "200%")).stderr).not.toContain("percent write");
  });

  test("--tensor that names no scheme is refused with those there are", async () => {
    const { code, stderr } = await run("--int8", "look-up.onnx", "--tensor", "first_w=best");
    expect([code, stderr]).toEqual([
      2,
      expect.stringMatching(/--tensor first_w=best: .*schemes: float, half, qdq, unpack/),
    ]);
  });

  test("--min-elements leaves what is smaller", async () => {
    const { plan: found } = await plan("--int8", "look-up.onnx", "--min-elements", "10000");
    expect(schemesOf(found)).toMatchObject({ table: "gather" });
    expect(found.tensors.filter(({ form }) => form !== null).map(({ name }) => name)).toEqual(["table"]);
  });

  test("--freeze-inputs takes initializers that callers could replace for constants", async () => {
    const model = linear();
    model.graph!.input.push({ ...model.graph!.input[0]!, name: "w" });
    writeFileSync(join(folder, "replaceable.onnx"), encodeModel(model));
    const kept = await run("--int8", "replaceable.onnx", "--no-verify", "--json");
    expect([kept.code, kept.stderr]).toEqual([2, expect.stringMatching(/w: is also a graph input/)]);
    const frozen = await compress("--int8", "replaceable.onnx", "--no-verify", "--freeze-inputs");
    expect(schemesOf(frozen)["w"]).toBe("unpack");
  });
});

describe("targets", () => {
  test("--target and --ort-min decide what is exact and fused there", async () => {
    const signs = async (...argv: string[]) => {
      const { tensors } = await compress("--int8", "look-up.onnx", "--dynamic", "--no-verify", ...argv);
      return tensors.find(({ name }) => name === "first_w")!.form;
    };
    const [avx2, arm64] = [await signs("--target", "avx2"), await signs("--target", "arm64")];
    expect(avx2).not.toEqual(arm64);
    const older = await compress("--int8", "look-up.onnx", "--ort-min", "1.22");
    expect(schemesOf(older)["second_w"]).toBe("nbits");
    expect(older.decisions.join("\n")).toMatch(/onnxruntime fuses it from 1\.25 on only/);
    const oldest = await compress("--int8", "look-up.onnx", "--ort-min", "1.20");
    expect(schemesOf(oldest)["second_w"]).toBe("unpack");
    expect(oldest.decisions.join("\n")).toMatch(/MatMulNBits with 8 bits needs onnxruntime 1\.22/);
    expect((await run("--int8", "look-up.onnx", "--ort-min", "1.3")).stderr).toMatch(/a version from 1\.20 on/);
  });
});

describe("samples, labels and metrics", () => {
  const rows = ["linear.onnx", "--data", "rows"] as const;

  test("--calibration is written once and read after that: same result, no change of the file", async () => {
    const static_ = ["--int8", "conv.onnx", "--static", "--everywhere", "--data", "images"] as const;
    await compress(...static_, "--calibration", "c.json");
    const first = readFileSync(join(folder, "out.onnx"));
    const { mtimeMs } = statSync(join(folder, "c.json"));
    const again = await compress(...static_, "--calibration", "c.json");
    expect(again.calibration!.samples).toBe(2);
    expect(statSync(join(folder, "c.json")).mtimeMs).toBe(mtimeMs);
    expect(Buffer.compare(first, readFileSync(join(folder, "out.onnx")))).toBe(0);
    const other = await run("--int8", ...rows, "--calibration", "c.json");
    expect([other.code, other.stderr]).toEqual([2, expect.stringMatching(/c\.json: was made with another model/)]);
  });

  test("--labels makes the loss one of accuracy", async () => {
    // 3 rows in each of 4 samples
    writeFileSync(join(folder, "labels.json"), JSON.stringify([1, 2, 3, 4].map((at) => [at, at, at])));
    const { verification } = await compress("--int8", ...rows, "--labels", "labels.json");
    if (!verification.checked) throw new Error("not checked");
    expect(verification.drop).toMatchObject({ kind: "metric", name: "top-1 accuracy" });
    expect(verification.drop.reference).not.toBeNull();
  });

  test.each([
    ["js", "export const metric = { name: 'largest', score: ({ outputs }) => Math.max(...outputs.get('y').data) };"],
    [
      "ts",
      "export const metric = { name: 'largest', score: (one: { outputs: Map<string, { data: Float32Array }> }): number => Math.max(...one.outputs.get('y')!.data) };",
    ],
  ])("--metric takes a module (.%s)", async (ending, text) => {
    writeFileSync(join(folder, `score.${ending}`), text);
    const { verification } = await compress("--int8", ...rows, "--metric", `score.${ending}`);
    if (!verification.checked) throw new Error("not checked");
    expect(verification.drop).toMatchObject({ kind: "metric", name: "largest" });
    expect(Math.abs(verification.drop.value)).toBeLessThan(0.02);
    expect(verification.drop.reference).toBeGreaterThan(1);
  });

  test("--no-verify writes without a check, and says so", async () => {
    const { code, stdout, stderr } = await run("--int8", "linear.onnx", "--no-verify");
    expect([code, stderr]).toEqual([0, expect.stringMatching(/not checked against the original: --no-verify/)]);
    expect(stdout).toMatch(/not checked/);
  });

  test("--no-bias-correction, --clip and --keep-names hold", async () => {
    const corrected = await compress("--int8", "conv.onnx", "--data", "images", "--max-drop", "50%");
    expect(corrected.correctedBiases).toBeGreaterThan(0);
    expect(corrected.choices.map(({ what }) => what)).toEqual(["clip"]);
    const plain = ["--no-bias-correction", "--clip", "max", "--keep-names"];
    const kept = await compress("--int8", "conv.onnx", "--data", "images", "--max-drop", "50%", ...plain);
    expect([kept.correctedBiases, kept.choices, kept.namesShortened]).toEqual([0, [], false]);
    expect(kept.settings.clip).toBe("max");
  });
});

test("--threads changes no byte", async () => {
  const bytes: Buffer[] = [];
  for (const threads of ["1", "2"]) {
    await compress("--int8", "look-up.onnx", "--threads", threads);
    bytes.push(readFileSync(join(folder, "out.onnx")));
  }
  expect(Buffer.compare(bytes[0]!, bytes[1]!)).toBe(0);
});

test("--report writes the same result as JSON, Markdown and a page", async () => {
  const reports = ["json", "md", "html"].flatMap((ending) => ["--report", `r.${ending}`]);
  const { stdout } = await run("--int8", "look-up.onnx", ...reports);
  const read = (ending: string) => readFileSync(join(folder, `r.${ending}`), "utf8");
  const result: CompressResult = JSON.parse(read("json"));
  expect(stdout).toContain(result.output.files[0]!.sha256);
  for (const text of [read("md"), read("html")]) expect(text).toContain(result.output.files[0]!.sha256);
  expect(read("html")).toMatch(/<tr data-search="table gather int8/);
  const dry = await run("--int8", "look-up.onnx", "--dry-run", "--report", "plan.html");
  expect([dry.code, readFileSync(join(folder, "plan.html"), "utf8")]).toEqual([
    0,
    expect.stringContaining("Plan for look-up.onnx"),
  ]);
});

test("a model that is half done is refused, and --requantize goes on with what is still floats", async () => {
  await compress("--int8", "look-up.onnx", "--tensor", "second_w=float");
  writeFileSync(join(folder, "half-done.onnx"), readFileSync(join(folder, "out.onnx")));
  expect((await run("--int8", "half-done.onnx")).stderr).toMatch(/is quantized already/);
  const { tensors } = await compress("--int8", "half-done.onnx", "--requantize");
  expect(tensors.filter(({ form }) => form !== null).map(({ elements }) => elements)).toEqual([128 * 64]);
});

test("an option that changes nothing is not passed over in silence", async () => {
  for (const [argv, words] of [
    [["--tensor", "nothing=float"], /--tensor nothing=\.\.\.: there is no tensor or node of such a name/],
    [["--everywhere", "--range", "mse"], /--everywhere: is for --static\n.*--range mse: is for --static/],
    [["--percentile", "99"], /--percentile: is for --range percentile/],
    [["--calibration", "never.json"], /--calibration: nothing was calibrated; that needs --data/],
    [["--tune", "--no-verify"], /--tune: nothing was measured/],
  ] as const) {
    const { code, stderr } = await run("--int8", "linear.onnx", ...argv);
    expect([code, stderr]).toEqual([0, expect.stringMatching(words)]);
  }
  const heeded = await run("--int8", "look-up.onnx", "--tensor", "second_w=float", "--block", "32", "--asymmetric");
  expect(heeded.stderr).not.toMatch(/without effect/);
});
