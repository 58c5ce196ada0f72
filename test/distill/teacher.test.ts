import { describe, expect, test } from "@jest/globals";
import { createTeacher, type OutputStore, type TeacherSettings } from "../../src/distill/teacher.js";
import { classesForShare, topClasses } from "../../src/distill/top-classes.js";
import { residualModel, rowsOf } from "./models.js";
import { floatTensor } from "./run-loss.js";

/** A store in memory, and how often the teacher had to run for lack of an answer in it. */
function memoryStore() {
  const kept = new Map<string, Uint8Array>();
  let written = 0;
  const store: OutputStore = {
    read: async (key) => kept.get(key),
    write: async (key, bytes) => {
      kept.set(key, bytes);
      written += 1;
    },
  };
  return { kept, store, written: () => written };
}

const settings: TeacherSettings = {
  model: residualModel([1, 1]),
  readExternal: undefined,
  values: ["logits", "r0"],
  topValues: [],
  topShare: 1,
  temperature: 1,
  threads: 1,
};
const [one, other] = rowsOf(2, [1, 8]) as [ReadonlyMap<string, never>, ReadonlyMap<string, never>];

describe("a teacher", () => {
  test("gives logits and hidden values, once a sample, bit for bit", async () => {
    const { store, kept, written } = memoryStore();
    const first = createTeacher({ ...settings, store });
    const fresh = await first.extrasOf(one);
    expect([...fresh].map(([name, { shape }]) => [name, [...shape]])).toEqual([
      ["teacher:logits", [1, 5]],
      ["teacher:r0", [1, 8]],
    ]);
    expect(await first.extrasOf(one)).toEqual(fresh);
    await first.extrasOf(other);
    expect(written()).toBe(2);
    await first.close();
    const later = createTeacher({ ...settings, store });
    const again = await later.extrasOf(one);
    expect(again.get("teacher:logits")!.data).toEqual(fresh.get("teacher:logits")!.data);
    expect(written()).toBe(2);
    // a damaged file is made anew
    for (const key of kept.keys()) kept.set(key, new Uint8Array([1, 2, 3]));
    expect(await later.extrasOf(one)).toEqual(fresh);
    expect(written()).toBe(3);
    await later.close();
  });

  test("is not mistaken for another model, nor for another question", async () => {
    const { store, written } = memoryStore();
    const ask = async (over: Partial<TeacherSettings>) => {
      const teacher = createTeacher({ ...settings, store, ...over });
      await teacher.extrasOf(one);
      await teacher.close();
      return written();
    };
    expect(await ask({})).toBe(1);
    expect(await ask({ model: residualModel([1, 1], 9) })).toBe(2);
    expect(await ask({ values: ["logits"] })).toBe(3);
    expect(await ask({})).toBe(3);
  });

  test("keeps the likeliest classes, as many for each sample", async () => {
    const { store } = memoryStore();
    const how = { ...settings, values: [], topValues: ["logits"], topShare: 0.9, store };
    const teacher = createTeacher(how);
    const [first, second] = [await teacher.extrasOf(one), await teacher.extrasOf(other)];
    const k = first.get("teacher:logits:classes")!.shape.at(-1)!;
    expect(k).toBeLessThan(5);
    expect(second.get("teacher:logits:shares")!.shape).toEqual([1, k]);
    await teacher.close();
    const later = createTeacher(how);
    expect(await later.extrasOf(one)).toEqual(first);
    await later.close();
  });
});

test("the likeliest classes and their shares", () => {
  const logits = floatTensor([2, 3], [0, Math.log(6), Math.log(3), Math.log(8), 0, 0]);
  const { classes, shares } = topClasses(logits, 2, 1);
  expect([...(classes.data as BigInt64Array)]).toEqual([1n, 2n, 0n, 1n]);
  for (const [at, share] of [0.6, 0.3, 0.8, 0.1].entries()) expect(shares.data[at]).toBeCloseTo(share, 6);
  // in the mean the first hold 0.7, the first two 0.9
  expect(classesForShare(logits, 0.69, 1)).toBe(1);
  expect(classesForShare(logits, 0.89, 1)).toBe(2);
  expect(classesForShare(logits, 1.1, 1)).toBe(3);
});
