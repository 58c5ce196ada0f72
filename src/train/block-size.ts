import { openSession } from "../engine/session.js";
import { encodeModel } from "../formats/onnx.js";
import { assembleModel } from "../graph/assemble.js";
import { createBuilder, type Value } from "../graph/builder.js";

/**
 * How many channels lie side by side in onnxruntime's blocked layout on this machine: 16 with AVX-512, 8 with AVX2, 0 where
 * there is no such layout. Seen by bringing a picture into it.
 */
export async function blockSize(): Promise<number> {
  found ??= probe().catch(() => 0);
  return found;
}

let found: Promise<number> | undefined;

async function probe(): Promise<number> {
  let count = 0;
  const b = createBuilder((base) => `${base}_${count++}`);
  // channel c holds c everywhere: how far it counts is how many lie side by side
  const x: Value = { name: "x", dtype: "float32", shape: [1, 64, 1, 2] };
  const [y] = b.node("ReorderInput", [x], [x], {}, { domain: "com.microsoft.nchwc" });
  const model = assembleModel({ nodes: b.nodes, initializers: [], inputs: [x], outputs: [y!] });
  const session = await openSession(encodeModel(model));
  try {
    const data = Float32Array.from({ length: 128 }, (_, at) => Math.floor(at / 2));
    const lying = (await session.run(new Map([["x", { dtype: "float32", shape: x.shape, data }]]))).get(y!.name)!;
    const run = Array.from(lying.data as Float32Array).findIndex((value, at) => value !== at);
    return run === 8 || run === 16 ? run : 0;
  } finally {
    await session.close();
  }
}
