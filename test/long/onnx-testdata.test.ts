import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "@jest/globals";
import { openSession } from "../../src/engine/session.js";
import { UserError } from "../../src/errors.js";
import { decodeModel, encodeModel, type ModelProto } from "../../src/formats/onnx.js";
import { skeletonOf } from "../../src/formats/onnx-skeleton.js";
import { checkGraphs } from "../../src/graph/check.js";
import { normalise } from "../../src/graph/normalise/index.js";
import { raiseOpset } from "../../src/graph/opset.js";
import { isNumericDType, numbersOf, tensorOfNumbers } from "../../src/tensor/numbers.js";
import type { Tensor } from "../../src/tensor/tensor.js";

/** Models of the ONNX project; Debian has them in the package libonnx-testdata. */
const home = process.env["ONNX_TESTDATA"] ?? "/usr/share/libonnx-testdata/data";
const kinds = ["node", "simple", "pytorch-operator", "pytorch-converted"];
const noExternal = () => {
  throw new Error("no external data here");
};

type Feeds = ReadonlyMap<string, Tensor>;

/** Runs a model, unoptimized, on the given samples or on made-up ones. */
async function run(bytes: Uint8Array, given?: Feeds): Promise<{ readonly feeds: Feeds; readonly results: Feeds }> {
  const session = await openSession(bytes, { graphOptimization: "disabled" });
  try {
    let state = 7;
    const next = () => {
      state = (Math.imul(state, 1103515245) + 12345) >>> 0;
      return state / 2 ** 32;
    };
    const feeds =
      given ??
      new Map(
        session.inputs.map(({ name, dtype, shape }) => {
          if (!isNumericDType(dtype)) throw new UserError(`no samples of ${dtype}`);
          const sizes = shape.map((size) => (typeof size === "number" ? size : 1));
          const value = () => (dtype === "bool" || dtype.includes("int") ? Math.floor(next() * 2) : next() * 2 - 1);
          return [name, tensorOfNumbers(dtype, sizes, value)] as const;
        }),
      );
    return { feeds, results: await session.run(feeds) };
  } finally {
    await session.close();
  }
}

function differs(before: Feeds, after: Feeds): boolean {
  return [...before].some(([name, tensor]) => {
    const other = after.get(name);
    if (!other || other.data.length !== tensor.data.length) return true;
    if (tensor.dtype === "string") return false;
    const [one, two] = [numbersOf(tensor), numbersOf(other)].map((numbers) => Array.from(numbers));
    const peak = one!.filter(Number.isFinite).reduce((most, value) => Math.max(most, Math.abs(value)), 1e-30);
    // equal NaN and infinities differ by NaN
    return one!.some((value, at) => !Object.is(value, two![at]) && !(Math.abs(value - two![at]!) <= 1e-5 * peak));
  });
}

const describeIf = existsSync(home) ? describe : describe.skip;

describeIf(`models of the ONNX project (apt install libonnx-testdata; ${home})`, () => {
  test.each(kinds)(
    "%s: read both ways, checked, normalised and raised, they compute the same",
    async (kind) => {
      const problems: string[] = [];
      let compared = 0;
      for (const name of readdirSync(join(home, kind)).sort()) {
        const path = join(home, kind, name, "model.onnx");
        if (!existsSync(path)) continue;
        const bytes = new Uint8Array(readFileSync(path));
        const note = (what: string, error: unknown) => problems.push(`${name}: ${what}: ${(error as Error).message}`);
        let model: ModelProto;
        try {
          model = decodeModel(bytes, name);
          const skeleton = decodeModel(
            skeletonOf((at, length) => bytes.slice(at, at + length), bytes.length, name),
            name,
          );
          const lazy = encodeModel(skeleton, ({ offset }, length) => bytes.slice(offset, offset + length));
          if (Buffer.compare(lazy, encodeModel(model)) !== 0) problems.push(`${name}: read lazily it is another model`);
          checkGraphs(model, name);
        } catch (error) {
          note("reading", error);
          continue;
        }
        // many are of versions or types that onnxruntime does not run
        const before = await run(bytes).catch(() => undefined);
        try {
          normalise(model, noExternal);
          checkGraphs(model, name);
          if (!before) continue;
          const same = await run(encodeModel(model), before.feeds);
          if (differs(before.results, same.results)) problems.push(`${name}: differs once it is normalised`);
          compared += 1;
        } catch (error) {
          note("normalised", error);
          continue;
        }
        try {
          raiseOpset(model, name);
        } catch (error) {
          if (!(error instanceof UserError)) note("raising", error);
          continue;
        }
        try {
          const raised = await run(encodeModel(model), before.feeds);
          if (differs(before.results, raised.results)) problems.push(`${name}: differs once it is raised`);
        } catch (error) {
          note("raised", error);
        }
      }
      expect(problems).toEqual([]);
      expect(compared).toBeGreaterThan(10);
    },
    300_000,
  );
});
