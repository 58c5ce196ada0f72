import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "@jest/globals";
import { compressCommand } from "../../src/commands/compress.js";
import { encodeModel } from "../../src/formats/onnx.js";
import { linear } from "../compress-models.js";
import { runCommand } from "../host.js";
import fc from "../property.js";

test("models with a few wrong bytes are compressed or refused, and never trip the program", async () => {
  const folder = mkdtempSync(join(tmpdir(), "compress-damage-"));
  const bytes = encodeModel(linear());
  // the weights are most of the file; faults belong into what describes them
  const start = Buffer.from(bytes).indexOf("w") - 64;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.tuple(fc.nat({ max: 200 }), fc.nat({ max: 255 })), { minLength: 1, maxLength: 3 }),
      fc.boolean(),
      async (faults, fromEnd) => {
        const bad = Buffer.from(bytes);
        for (const [at, value] of faults) bad[fromEnd ? bad.length - 1 - at : Math.max(0, start) + at] = value;
        writeFileSync(join(folder, "bad.onnx"), bad);
        const { code, stderr } = await runCommand(
          compressCommand,
          ["--int8", "bad.onnx", "-o", "bad.int8.onnx", "--force", "--speed-seconds", "0"],
          folder,
        );
        expect(stderr).not.toMatch(/internal error/);
        expect([0, 1, 2]).toContain(code);
      },
    ),
    { numRuns: 150, seed: 7 },
  );
  rmSync(folder, { recursive: true, force: true });
});
