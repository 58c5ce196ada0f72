// Makes one file of what dist/ imports of protobuf and its ONNX types, 47 modules whose loading takes longer than using
// them (50 ms against 14 ms at the start of `deepseek compress`), and lets dist/ import that file instead.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("..", import.meta.url));
const dist = join(root, "dist");
const packages = ["@bufbuild/protobuf", "onnx-buf"];
const target = join(dist, "formats/protobuf.bundle.js");
const statement = /^import \{([^}]*)\} from "(@bufbuild\/protobuf|onnx-buf)";/gm;

const files = readdirSync(dist, { recursive: true, encoding: "utf8" })
  .filter((name) => name.endsWith(".js"))
  .map((name) => join(dist, name));
const used = new Map(packages.map((name) => [name, new Set()]));
for (const file of files) {
  const text = readFileSync(file, "utf8");
  const found = [...text.matchAll(statement)];
  if (found.length === 0) continue;
  for (const [, names, from] of found) {
    for (const name of names.split(",")) if (name.trim()) used.get(from).add(name.trim().split(" as ")[0].trim());
  }
  let path = relative(dirname(file), target).replaceAll("\\", "/");
  if (!path.startsWith(".")) path = `./${path}`;
  writeFileSync(
    file,
    text.replace(statement, (_, names) => `import {${names}} from "${path}";`),
  );
}

await build({
  stdin: {
    contents: packages.map((name) => `export { ${[...used.get(name)].join(", ")} } from "${name}";`).join("\n"),
    resolveDir: root,
  },
  outfile: target,
  bundle: true,
  format: "esm",
  platform: "node",
  target: "node20",
  legalComments: "inline",
  banner: {
    js: "// Parts of @bufbuild/protobuf (Apache-2.0 AND BSD-3-Clause, Copyright Buf Technologies and Google) and onnx-buf (MIT), unchanged but joined.",
  },
  logLevel: "warning",
});
