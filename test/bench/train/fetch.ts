// Data and peers for `npm run bench:train` and `npm run bench:distill`, fetched into the git-ignored work folder. What
// cannot be had comes back as undefined with a line on the terminal, and what needs it is left out.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { missing } from "../quantize/fetch.js";

/** Where everything of these scripts lies. */
export const work = resolve("bench-work", "train");

/** The four files of Fashion-MNIST, out of Debian's package, installed or not. */
export function fashionFolder(): string | undefined {
  const inside = "usr/share/datasets/fashion-mnist";
  const unpacked = join(work, "fashion");
  for (const root of ["/", unpacked]) {
    const folder = join(root, inside);
    if (existsSync(join(folder, "t10k-labels-idx1-ubyte.gz"))) return folder;
  }
  mkdirSync(unpacked, { recursive: true });
  console.log("fetching Fashion-MNIST");
  const got = spawnSync("apt-get", ["download", "dataset-fashion-mnist"], { cwd: unpacked, stdio: "ignore" });
  const archive = readdirSync(unpacked).find((name) => name.endsWith(".deb"));
  if (got.status !== 0 || !archive) {
    return missing("Fashion-MNIST: `apt-get download dataset-fashion-mnist` failed; install that Debian package");
  }
  spawnSync("dpkg-deb", ["-x", archive, "."], { cwd: unpacked, stdio: "ignore" });
  const folder = join(unpacked, inside);
  return existsSync(folder) ? folder : missing("dataset-fashion-mnist holds no Fashion-MNIST");
}

/**
 * A Python with PyTorch: the one that the variable BENCH_PYTHON names, else in a virtual environment of its own, 0.5 to 5 GB,
 * as the wheel for Linux brings CUDA along.
 */
export function torchPython(): string | undefined {
  const given = process.env["BENCH_PYTHON"];
  if (given !== undefined) return given;
  const folder = join(work, "python");
  const program = join(folder, "bin", "python");
  const ready = join(folder, "ready");
  if (existsSync(ready)) return program;
  mkdirSync(work, { recursive: true });
  console.log("making a Python environment with PyTorch (minutes, gigabytes)");
  const made = spawnSync("python3", ["-m", "venv", folder], { stdio: "inherit" });
  if (made.status !== 0) return missing("PyTorch: no python3 with the venv module");
  const got = spawnSync(program, ["-m", "pip", "install", "--quiet", "torch", "numpy"], { stdio: "inherit" });
  if (got.status !== 0) return missing("PyTorch: pip could not install it");
  if (spawnSync(program, ["-c", "import torch"]).status !== 0) return missing("PyTorch: installed, but does not load");
  writeFileSync(ready, "");
  return program;
}

/** A folder from whose node_modules TensorFlow.js and its wasm backend load. */
export function tfjsFolder(): string | undefined {
  const folder = join(work, "tfjs");
  if (existsSync(join(folder, "node_modules", "@tensorflow", "tfjs-backend-wasm"))) return folder;
  mkdirSync(folder, { recursive: true });
  writeFileSync(join(folder, "package.json"), '{ "private": true }\n');
  console.log("fetching TensorFlow.js");
  const names = ["@tensorflow/tfjs@4.22.0", "@tensorflow/tfjs-backend-wasm@4.22.0"];
  const argv = ["install", "--ignore-scripts", "--no-audit", "--no-fund", "--silent", ...names];
  const got = spawnSync("npm", argv, { cwd: folder, stdio: "inherit" });
  return got.status === 0 ? folder : missing("TensorFlow.js: npm could not install it");
}
