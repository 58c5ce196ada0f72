// Compiles assembly/kernels.ts into src/tensor/kernels/simd-wasm.ts: `npm run kernels`; with `--check` only says whether
// the checked-in file is what the source compiles to.
import { readFileSync, writeFileSync } from "node:fs";
import asc from "assemblyscript/asc";

const source = "assembly/kernels.ts";
const target = "src/tensor/kernels/simd-wasm.ts";
const options = [
  ...["-O3", "--converge", "--runtime", "stub", "--use", "abort="],
  ...["--enable", "simd", "--enable", "threads"],
  ...["--importMemory", "--sharedMemory", "--noExportMemory", "--initialMemory", "1", "--maximumMemory", "65536"],
];

const written = new Map();
const { error, stderr } = await asc.main([source, "--outFile", "kernels.wasm", ...options], {
  readFile: (name) => (name === source ? readFileSync(source, "utf8") : null),
  writeFile: (name, content) => void written.set(name, content),
  listFiles: () => [],
});
const wasm = written.get("kernels.wasm");
if (error || !(wasm instanceof Uint8Array)) throw new Error(`${source}: ${stderr.toString() || error?.message}`);

const lines = Buffer.from(wasm)
  .toString("base64")
  .replace(/.{1,110}/g, '  "$&" +\n')
  .replace(/ \+\n$/, "");
const text = `// Compiled from ${source} by \`npm run kernels\`: ${wasm.length} bytes of WebAssembly in base64.
export const simdWasm =
${lines};
`;
const checking = process.argv.includes("--check");
if (!checking) writeFileSync(target, text);
else if (readFileSync(target, "utf8") !== text) {
  console.error(`${target} is not what ${source} compiles to; run: npm run kernels`);
  process.exitCode = 1;
}
