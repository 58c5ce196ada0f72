import { expect, test } from "@jest/globals";
import { gatherCrew, type Task } from "../../../src/tensor/kernels/crew.js";
import { growTo, layOut, loadSimd } from "../../../src/tensor/kernels/simd.js";

test("a thread that dies at its work costs time, not results", async () => {
  const simd = loadSimd()!;
  // a module without kernels: such a thread starts well and fails at its first task
  const { Module } = (globalThis as unknown as { WebAssembly: { Module: new (bytes: Uint8Array) => object } })
    .WebAssembly;
  const empty = new Module(Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0));
  const crew = gatherCrew({ ...simd, module: empty }, 3);
  const needs = { elements: 1024, halves: false, fourBits: false, results: 64, work: 0 };
  const { slots, end } = layOut(needs, crew.slots);
  growTo(simd, end);
  let fills = 0;
  const takes = new Array<number>(100).fill(0);
  const tasks = takes.map(
    (_, index): Task => ({
      fill(slot) {
        fills++;
        new Float32Array(simd.memory.buffer, slot.source, 1024).fill(index + 1);
        return ["rangeOfPart", 0, slot.source, 1024, slot.wide, slot.results];
      },
      take(slot) {
        expect(new Float32Array(simd.memory.buffer, slot.results, 2)[1]).toBe(index + 1);
        takes[index]!++;
      },
    }),
  );
  let rounds = 0;
  // until one has failed and its tasks were done again
  while (fills === rounds * tasks.length && rounds < 20000) {
    await crew.run(tasks, slots, true);
    rounds++;
  }
  expect(fills).toBeGreaterThan(rounds * tasks.length);
  expect(takes.every((count) => count === rounds)).toBe(true);
  await crew.close();
});
