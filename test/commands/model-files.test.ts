import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "@jest/globals";
import type { Host } from "../../src/cli.js";
import { refuseTooLarge } from "../../src/commands/compress-check.js";
import { readModelFile } from "../../src/commands/model-files.js";
import { openScratch } from "../../src/commands/scratch.js";
import { writeModelFile } from "../../src/commands/write-model.js";
import { openSession } from "../../src/engine/session.js";
import { encodeModel, type ModelProto, makeTensor, setExternal, tensorInfo } from "../../src/formats/onnx.js";
import { makeNode } from "../../src/graph/node.js";
import type { Tensor } from "../../src/tensor/tensor.js";
import { floats, makeGraph, makeModel, withGraphs } from "../onnx-model.js";

let home: string;
let interrupt: () => void = () => {};
const host = () =>
  ({
    cwd: home,
    onInterrupt(action: () => void) {
      interrupt = action;
      return () => {
        interrupt = () => {};
      };
    },
  }) as unknown as Host;
const at = (name: string) => join(home, name);
const bytesOf = (name: string) => readFileSync(at(name));

beforeAll(() => {
  home = mkdtempSync(join(tmpdir(), "model-files-"));
  writeFileSync(at("m.onnx"), encodeModel(model()));
});
afterAll(() => rmSync(home, { recursive: true, force: true }));

const branch = (name: string) =>
  makeGraph({
    outputs: [[`${name}_o`, "float32", ["n", 32]]],
    nodes: [makeNode("MatMul", "m", ["h", name], [`${name}_o`])],
    initializers: [floats(name, [64, 32])],
  });

function model(): ModelProto {
  return makeModel({
    inputs: [
      ["x", "float32", ["n", 64]],
      ["c", "bool", []],
    ],
    outputs: [["y", "float32", ["n", 32]]],
    nodes: [
      makeNode("MatMul", "m", ["x", "w"], ["g"]),
      makeNode("Add", "a", ["g", "b"], ["h"]),
      withGraphs(makeNode("If", "if", ["c"], ["y"]), { then_branch: branch("p"), else_branch: branch("q") }),
    ],
    initializers: [floats("w", [64, 64]), floats("b", [64])],
  });
}

async function outputOf(name: string): Promise<Tensor> {
  const session = await openSession(at(name));
  const data = Float32Array.from({ length: 128 }, (_, place) => Math.sin(place));
  const results = await session.run(
    new Map<string, Tensor>([
      ["x", { dtype: "float32", shape: [2, 64], data }],
      ["c", { dtype: "bool", shape: [], data: Uint8Array.of(1) }],
    ]),
  );
  await session.close();
  return results.get("y")!;
}

describe("large model files", () => {
  const lazily = (name: string) => readModelFile(host(), name, { maxWholeBytes: 0 });

  test("their weights stay in the file; size and hash are those of the whole file", async () => {
    const [lazy, whole] = [lazily("m.onnx"), readModelFile(host(), "m.onnx")];
    expect([lazy.bytes, await lazy.sha256(), lazy.externalFiles]).toEqual([whole.bytes, await whole.sha256(), []]);
    expect(lazy.model.graph!.initializer.map(({ rawData }) => rawData.length)).toEqual([0, 256]);
    const { external, bytes } = tensorInfo(lazy.model.graph!.initializer[0]!);
    const read = lazy.readExternal(external!, bytes);
    expect(Buffer.compare(read, whole.model.graph!.initializer[0]!.rawData)).toBe(0);
  });

  test("are copied byte for byte into one file, and into a data file for the runtime, as the model stays as it is", async () => {
    const { model: source, readExternal } = lazily("m.onnx");
    const written = writeModelFile(at("copy.onnx"), source, null, readExternal);
    expect(written).toEqual({ bytes: bytesOf("m.onnx").length, files: ["copy.onnx"] });
    expect(Buffer.compare(bytesOf("copy.onnx"), bytesOf("m.onnx"))).toBe(0);
    const split = writeModelFile(at("split.onnx"), source, "split.onnx.data", readExternal);
    expect(split.files).toEqual(["split.onnx.data", "split.onnx"]);
    expect(split.bytes).toBe(bytesOf("split.onnx").length + bytesOf("split.onnx.data").length);
    expect(bytesOf("split.onnx").length).toBeLessThan(2000);
    expect(await outputOf("split.onnx")).toEqual(await outputOf("m.onnx"));
    // and back: external data goes into the one file
    const back = readModelFile(host(), "split.onnx");
    writeModelFile(at("back.onnx"), back.model, null, back.readExternal);
    expect(await outputOf("back.onnx")).toEqual(await outputOf("m.onnx"));
    expect(Buffer.compare(encodeModel(source, readExternal), bytesOf("m.onnx"))).toBe(0);
  });

  test("what would be too large for one file gets a data file all the same", async () => {
    const { model: source, readExternal } = lazily("m.onnx");
    const limit = 5000;
    const written = writeModelFile(at("large.onnx"), source, null, readExternal, { maxBytes: limit });
    expect(written.files).toEqual(["large.onnx.data", "large.onnx"]);
    expect(await outputOf("large.onnx")).toEqual(await outputOf("m.onnx"));
    expect(() => writeModelFile(at("l2.onnx"), source, null, readExternal, { maxBytes: 500 })).toThrow(
      /^l2\.onnx: needs \d+ bytes besides its large tensors; a file has at most 500$/,
    );
  });

  test("large tensors stand in the data file where Windows can map them too, with no gap before the small ones", async () => {
    const source = makeModel({
      inputs: [["x", "float32", ["n", 512]]],
      outputs: [["y", "float32", ["n", 512]]],
      nodes: [
        makeNode("MatMul", "m1", ["x", "w1"], ["g"]),
        makeNode("Add", "a", ["g", "b"], ["h"]),
        makeNode("MatMul", "m2", ["h", "w2"], ["i"]),
        makeNode("Add", "a2", ["i", "c"], ["y"]),
      ],
      initializers: [floats("w1", [512, 520]), floats("b", [520]), floats("w2", [520, 512]), floats("c", [512])],
    });
    writeFileSync(at("wide.onnx"), encodeModel(source));
    const { bytes } = writeModelFile(at("wide2.onnx"), source, "wide2.onnx.data", () => new Uint8Array(0));
    const { initializer } = readModelFile(host(), "wide2.onnx").model.graph!;
    const offsets = initializer.map((tensor) => [tensor.name, tensorInfo(tensor).external?.offset]);
    // 512 x 520 floats are 16.25 times 65,536 bytes
    expect(offsets).toEqual([
      ["w1", 0],
      ["b", 33 * 65_536 + 4 * 4096],
      ["w2", 17 * 65_536],
      ["c", 33 * 65_536 + 5 * 4096],
    ]);
    expect(bytes - bytesOf("wide.onnx").length).toBeLessThan(65_536);
    const x: Tensor = { dtype: "float32", shape: [1, 512], data: Float32Array.from({ length: 512 }, Math.sin) };
    const [one, other] = await Promise.all(
      ["wide.onnx", "wide2.onnx"].map(async (name) => {
        const session = await openSession(at(name));
        const results = await session.run(new Map([["x", x]]));
        await session.close();
        return results.get("y");
      }),
    );
    expect(other).toEqual(one);
  });

  test("tensors that share their bytes share them again", () => {
    const source = model();
    const [w] = source.graph!.initializer;
    writeFileSync(at("shared.bin"), w!.rawData);
    setExternal(w!, "shared.bin", 0, 64 * 64 * 4);
    const twin = floats("twin", [64, 64]);
    setExternal(twin, "shared.bin", 0, 64 * 64 * 4);
    source.graph!.initializer.push(twin);
    writeFileSync(at("shared.onnx"), encodeModel(source));
    const { model: read, readExternal } = readModelFile(host(), "shared.onnx");
    writeModelFile(at("shared2.onnx"), read, "shared2.onnx.data", readExternal);
    expect(bytesOf("shared2.onnx.data").length).toBe(16384 + 2 * 8192);
  });

  test("small external tensors come into the model file", async () => {
    const source = model();
    const b = source.graph!.initializer[1]!;
    writeFileSync(at("b.bin"), b.rawData);
    setExternal(b, "b.bin", 0, 256);
    writeFileSync(at("tiny.onnx"), encodeModel(source));
    const { model: read, readExternal } = readModelFile(host(), "tiny.onnx");
    writeModelFile(at("tiny2.onnx"), read, "tiny2.onnx.data", readExternal);
    expect(readModelFile(host(), "tiny2.onnx").model.graph!.initializer[1]!.rawData).toEqual(
      new Uint8Array(bytesOf("b.bin")),
    );
    expect(await outputOf("tiny2.onnx")).toEqual(await outputOf("m.onnx"));
  });

  test("that change while they are read are noticed", async () => {
    writeFileSync(at("changing.onnx"), encodeModel(model()));
    const { model: read, readExternal, sha256 } = lazily("changing.onnx");
    writeFileSync(at("changing.onnx"), Buffer.concat([encodeModel(model()), Buffer.of(0)]));
    const { external, bytes } = tensorInfo(read.graph!.initializer[0]!);
    await expect(sha256()).rejects.toThrow("changing.onnx: was changed by something else");
    expect(() => readExternal(external!, bytes)).toThrow(
      "changing.onnx: was changed by something else while it was read; run again",
    );
  });

  test.each(["\0model", "\0scratch"])("a file that says its bytes lie in %j is refused", (location) => {
    const source = model();
    setExternal(source.graph!.initializer[0]!, location, 2 ** 40, 64 * 64 * 4);
    writeFileSync(at("lie.onnx"), encodeModel(withoutCheck(source, location)));
    for (const settings of [{}, { maxWholeBytes: 0 }]) {
      expect(() => readModelFile(host(), "lie.onnx", settings)).toThrow(/^lie\.onnx: tensor w lies (in a file|beyond)/);
    }
  });
});

/** Writes the location into the file in spite of the check that it is nobody's. */
function withoutCheck(source: ModelProto, location: string): ModelProto {
  const [w] = source.graph!.initializer;
  const entry = w!.externalData.find(({ key }) => key === "location")!;
  const text = new TextEncoder().encode(location);
  w!.externalData = w!.externalData.filter((other) => other !== entry);
  const fields = Uint8Array.of(10, 8, ...new TextEncoder().encode("location"), 18, text.length, ...text);
  w!.$unknown = [{ no: 13, wireType: 2, data: Uint8Array.of(fields.length, ...fields) }];
  // tensorInfo wants a location to be there
  w!.dataLocation = 0;
  w!.$unknown.push({ no: 14, wireType: 0, data: Uint8Array.of(1) });
  return source;
}

test("a single file that no runtime opens is refused by the check, before any work", () => {
  expect(() => refuseTooLarge({ path: "big.onnx", fileBytes: 3e9 })).toThrow(
    /^big\.onnx: has 3000000000 bytes.*--no-verify/,
  );
  expect(() => refuseTooLarge({ path: "small.onnx", fileBytes: 2e9 })).not.toThrow();
});

describe("a disk that fills up", () => {
  const { model: source, readExternal } = { model: model(), readExternal: () => new Uint8Array(0) };
  const full = (after: number) => () => {
    let written = 0;
    return {
      write(bytes: Uint8Array) {
        written += bytes.length;
        if (written > after) throw Object.assign(new Error("ENOSPC: no space left on device"), { code: "ENOSPC" });
      },
      close() {},
    };
  };
  test.each([
    ["the model", null, "out.onnx"],
    ["its data", "out.onnx.data", "out.onnx.data"],
  ])("while %s is written: one line that says so", (_, dataName, named) => {
    expect(() => writeModelFile(at("out.onnx"), source, dataName, readExternal, { open: full(3000) })).toThrow(
      new RegExp(`^${named.replaceAll(".", "\\.")}: cannot write: no space left on the device; nothing was kept$`),
    );
  });
});

test("what a file under a temporary name cannot be written for is told by the user's name", () => {
  const open = () => {
    throw Object.assign(new Error("full"), { code: "ENOSPC" });
  };
  const write = () =>
    writeModelFile(at("probe.onnx"), model(), null, () => new Uint8Array(0), { open, label: "out/mine.onnx" });
  expect(write).toThrow(/^out\/mine\.onnx: cannot write: no space left/);
});

describe("scratch files", () => {
  test("give back what was put away, pass on what was not, and are gone afterwards", async () => {
    const scratch = openScratch(host(), "out.onnx", (place) => new TextEncoder().encode(place.location) as never);
    const [one, two] = [Uint8Array.of(1, 2, 3), Uint8Array.of(4, 5)].map((bytes) => scratch.put(bytes));
    expect(scratch.readExternal(two!, 2)).toEqual(Uint8Array.of(4, 5));
    const [same] = [Uint8Array.of(6, 7, 8, 9)];
    expect(scratch.put(same!.subarray(1))).toBe(scratch.put(same!.subarray(1)));
    expect(scratch.readExternal(scratch.put(same!), 4)).toEqual(same);
    expect(scratch.readExternal({ ...one!, offset: 1 }, 2)).toEqual(Uint8Array.of(2, 3));
    expect(scratch.readExternal({ location: "w", offset: 0, length: 1 }, 1)).toEqual(Uint8Array.of(119));
    expect(readdirSync(home).filter((name) => name.endsWith(".scratch"))).toHaveLength(1);
    scratch.close();
    scratch.close();
    expect(readdirSync(home).filter((name) => name.endsWith(".scratch"))).toEqual([]);
  });

  test("what lies in one ends up in the model that is written; Ctrl-C removes it", async () => {
    const source = model();
    const [w] = source.graph!.initializer;
    const scratch = openScratch(host(), "out.onnx", () => new Uint8Array(0));
    const stored = makeTensor("w", { dtype: "float32", shape: [64, 64], data: new Float32Array(4096) });
    stored.rawData = w!.rawData;
    const place = scratch.put(stored.rawData);
    setExternal(
      stored,
      place.location,
      place.offset,
      stored.dims.reduce((a, b) => a * Number(b), 4),
    );
    source.graph!.initializer[0] = stored;
    writeModelFile(at("from-scratch.onnx"), source, null, scratch.readExternal);
    interrupt();
    expect(readdirSync(home).filter((name) => name.endsWith(".scratch"))).toEqual([]);
    expect(await outputOf("from-scratch.onnx")).toEqual(await outputOf("m.onnx"));
  });
});
