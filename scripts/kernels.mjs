// Compiles the modules of assembly/ into src/tensor/kernels/: `npm run kernels`; with `--check` only says whether the
// checked-in files are what the sources compile to.
import { readFileSync, writeFileSync } from "node:fs";
import asc from "assemblyscript/asc";

const common = [
  ...["-O3", "--converge", "--runtime", "stub", "--use", "abort=", "--enable", "simd"],
  ...["--importMemory", "--noExportMemory", "--initialMemory", "1"],
];
const modules = [
  {
    source: "assembly/kernels.ts",
    target: "src/tensor/kernels/simd-wasm.ts",
    name: "simdWasm",
    options: ["--enable", "threads", "--sharedMemory", "--maximumMemory", "65536"],
  },
  // onnxruntime takes tensors in a memory only where it is not shared
  {
    source: "assembly/optimizer.ts",
    target: "src/tensor/kernels/optimizer-wasm.ts",
    name: "optimizerWasm",
    options: [],
  },
];

const checking = process.argv.includes("--check");
for (const { source, target, name, options } of modules) {
  const written = new Map();
  const { error, stderr } = await asc.main([source, "--outFile", "kernels.wasm", ...common, ...options], {
    readFile: (file) => (file === source ? readFileSync(source, "utf8") : null),
    writeFile: (file, content) => void written.set(file, content),
    listFiles: () => [],
  });
  const wasm = written.get("kernels.wasm");
  if (error || !(wasm instanceof Uint8Array)) throw new Error(`${source}: ${stderr.toString() || error?.message}`);

  const lines = Buffer.from(wasm)
    .toString("base64")
    .replace(/.{1,110}/g, '  "$&" +\n')
    .replace(/ \+\n$/, "");
  const text = `// Compiled from ${source} by \`npm run kernels\`: ${wasm.length} bytes of WebAssembly in base64.
export const ${name} =
${lines};
`;
  if (!checking) writeFileSync(target, text);
  else if (readFileSync(target, "utf8") !== text) {
    console.error(`${target} is not what ${source} compiles to; run: npm run kernels`);
    process.exitCode = 1;
  }
}
