import type { Balance, Clip, QuantizedForm, QuantizedWeight, Quantizer, QuantizerSource } from "../quantized.js";
import { elementCount } from "../tensor.js";
import { type Crew, gatherCrew, type Task } from "./crew.js";
import { type GroupLayout, groupAt, groupLayout } from "./groups.js";
import { bestOf, clipCount, packNibbles, pieceLength, pointOf, quantizeReference, scaleOf } from "./reference.js";
import { growTo, type KernelCall, layOut, loadSimd, type Simd, type Slot, type SlotNeeds } from "./simd.js";
import { partsOf, type Slab, type Stretch, slabsOf } from "./slabs.js";

/** Below this many elements the other threads are not worth waking; a search does 15 times as much for each. */
const worthThreads = { max: 1 << 19, mse: 1 << 17 };

/** How much work one element is. */
const effort = { max: 1, mse: 15 };

/**
 * So much work is done by one thread sooner than a second one would have started and helped, with some in reserve: the
 * `patience` of a process that only quantizes one model.
 */
export const smallModel = 2 ** 26;

/**
 * A quantizer with SIMD kernels on `threads` threads, this one included; others start with the first large tensor. What
 * it makes equals `quantizeReference` bit for bit, whatever the number of threads. A tensor goes through a few MiB of
 * WebAssembly memory slab by slab. Where the platform has no SIMD or no shared memory, the reference does the work. Other
 * threads wait until `patience` elements (a clip search counts as several) have been quantized.
 */
export function createQuantizer(threads: number, patience = 0): Quantizer {
  const simd = loadSimd();
  if (!simd) {
    return { quantize: async (...all) => quantizeReference(...all), close: async () => {} };
  }
  const crew = gatherCrew(simd, Math.max(1, Math.floor(threads)));
  let last: Promise<unknown> = Promise.resolve();
  let done = 0;
  return {
    quantize(source, form, clip, kernel = 0, over = "outputs") {
      // one at a time: they share the memory
      done += elementCount(source.shape) * effort[clip];
      const alone = done < patience;
      const result = last.then(() => quantizeWith(simd, crew, alone, source, form, clip, kernel, over));
      last = result.catch(() => {});
      return result;
    },
    async close() {
      await last;
      await crew.close();
    },
  };
}

/** One tensor on its way. */
interface Run {
  readonly simd: Simd;
  readonly crew: Crew;
  /** Whether the other threads are left alone. */
  readonly alone: boolean;
  readonly source: QuantizerSource;
  readonly form: QuantizedForm;
  readonly clip: Clip;
  readonly layout: GroupLayout;
  readonly size: number;
  readonly flags: number;
  readonly dtype: number;
  /** Where stretches of 4-bit values end within bytes, they are packed at the very end. */
  readonly packing: boolean;
  readonly values: Uint8Array<ArrayBuffer> | Int8Array<ArrayBuffer>;
  readonly scales: Float32Array<ArrayBuffer>;
  readonly zeroPoints: Uint8Array<ArrayBuffer> | Int8Array<ArrayBuffer>;
  readonly signals: Float64Array;
  readonly noises: Float64Array;
}

async function quantizeWith(
  simd: Simd,
  crew: Crew,
  alone: boolean,
  source: QuantizerSource,
  form: QuantizedForm,
  clip: Clip,
  kernel: number,
  over: Balance,
): Promise<QuantizedWeight> {
  const layout = groupLayout(source.shape, form);
  const size = elementCount(source.shape);
  const slabs = size === 0 ? undefined : slabsOf(layout, crew.threads, kernel);
  // what is balanced are channels that each fit a slab
  if (size === 0 || (kernel > 0 && !slabs)) return quantizeReference(source, form, clip, kernel, over);
  const stretches: readonly Stretch[] = slabs ?? partsOfAll(layout);
  const packing = form.bits === 4 && stretches.every((stretch) => isPackable(stretch, size));
  const array = form.signed ? Int8Array : Uint8Array;
  const run: Run = {
    ...{ simd, crew, alone, source, form, clip, layout, size, packing },
    flags:
      (form.symmetric ? 1 : 0) +
      (form.signed ? 2 : 0) +
      (form.bits === 4 ? 4 : 0) +
      (clip === "mse" ? 8 : 0) +
      (kernel > 0 ? (over === "kernels" ? 48 : 16) : 0),
    dtype: ["float32", "float16", "bfloat16"].indexOf(source.dtype),
    values: packing ? new Uint8Array((size + 1) >> 1) : new array(size),
    scales: new Float32Array(layout.count),
    zeroPoints: new array(layout.count),
    signals: new Float64Array(layout.count),
    noises: new Float64Array(layout.count),
  };
  const done = slabs ? await quantizeSlabs(run, slabs) : await quantizeInParts(run);
  if (!done) return quantizeReference(source, form, clip, kernel, over);
  return {
    form,
    shape: source.shape,
    values: form.bits === 4 && !packing ? packNibbles(run.values) : run.values,
    scales: run.scales,
    scaleShape: layout.scaleShape,
    zeroPoints: form.symmetric && form.signed ? null : run.zeroPoints,
    signal: sum(run.signals),
    noise: sum(run.noises),
  };
}

function partsOfAll(layout: GroupLayout): readonly Stretch[] {
  return Array.from({ length: layout.count }, (_, index) => groupAt(layout, index)).flatMap((group) =>
    partsOf(group.base, group.runs * group.runLength),
  );
}

function isPackable({ base, rows, width, stride }: Stretch, size: number): boolean {
  const even = width % 2 === 0 || (rows === 1 && base + width === size);
  return base % 2 === 0 && even && (rows === 1 || stride % 2 === 0);
}

/** The sum of every `step`-th value, in order. */
function sum(values: Float64Array, first = 0, step = 1): number {
  let total = 0;
  for (let at = first; at < values.length; at += step) total += values[at]!;
  return total;
}

/** Does the tasks in memory of their needs; false where that much memory is not to be had. */
async function runTasks(
  { simd, crew, alone, size, clip }: Run,
  needs: SlotNeeds,
  tasks: readonly Task[],
): Promise<boolean> {
  const background = !alone && crew.slots > 1 && tasks.length > 1 && size >= worthThreads[clip];
  const { slots, end } = layOut(needs, background ? crew.slots : 1);
  if (growTo(simd, end)) {
    await crew.run(tasks, slots, background);
    return true;
  }
  const least = layOut(needs, 1);
  if (!growTo(simd, least.end)) return false;
  await crew.run(tasks, least.slots, false);
  return true;
}

function needsOf(run: Run, stretches: readonly Stretch[], results: number, work: number): SlotNeeds {
  return {
    elements: Math.max(...stretches.map(({ rows, width }) => rows * width)),
    halves: run.dtype !== 0,
    fourBits: run.packing,
    results,
    work,
  };
}

/** `once`: no part of the source is wanted again. */
function copyIn({ simd, source }: Run, { base, rows, width, stride }: Stretch, to: number, once: boolean): void {
  const room = rows * width;
  const { buffer } = simd.memory;
  const view = source.dtype === "float32" ? new Float32Array(buffer, to, room) : new Uint16Array(buffer, to, room);
  if (rows === 1 && once && source.fill) {
    source.fill(view, base);
    return;
  }
  const { data } = source;
  for (let row = 0; row < rows; row++) {
    const start = base + row * stride;
    view.set(data.subarray(start, start + width), row * width);
  }
}

function copyOut(run: Run, { base, rows, width, stride }: Stretch, bytes: number, packed: number): void {
  const { values, packing } = run;
  const unit = packing ? 2 : 1;
  const line = (width + unit - 1) >> (unit - 1);
  const from = new Uint8Array(run.simd.memory.buffer, packing ? packed : bytes, rows * line);
  const to = new Uint8Array(values.buffer);
  for (let row = 0; row < rows; row++) {
    to.set(rows === 1 ? from : from.subarray(row * line, (row + 1) * line), (base + row * stride) / unit);
  }
}

async function quantizeSlabs(run: Run, slabs: readonly Slab[]): Promise<boolean> {
  const { flags, dtype, packing, scales, zeroPoints, signals, noises } = run;
  const groups = Math.max(...slabs.map((slab) => slab.groups));
  const work = Math.max(...slabs.map((slab) => slab.work));
  const points = new Uint8Array(zeroPoints.buffer);
  return runTasks(
    run,
    needsOf(run, slabs, groups * 21, work),
    slabs.map((slab) => ({
      fill(slot): KernelCall {
        copyIn(run, slab, slot.source, true);
        return [
          "quantizeSlab",
          ...slab.pattern,
          ...[flags, dtype, slot.source, slab.rows * slab.width, slot.wide],
          ...[slot.bytes, packing ? slot.packed : 0, slot.results, slab.groups, slot.work],
        ];
      },
      take(slot) {
        copyOut(run, slab, slot.bytes, slot.packed);
        const { buffer } = run.simd.memory;
        const { groups: count, firstGroup } = slab;
        signals.set(new Float64Array(buffer, slot.results, count), firstGroup);
        noises.set(new Float64Array(buffer, slot.results + 8 * count, count), firstGroup);
        scales.set(new Float32Array(buffer, slot.results + 16 * count, count), firstGroup);
        points.set(new Uint8Array(buffer, slot.results + 20 * count, count), firstGroup);
      },
    })),
  );
}

/** Does the same with all parts: a kernel call by name, with the part's source, and what is read from its results. */
function runParts(
  run: Run,
  parts: readonly Stretch[],
  call: (slot: Slot, floats: readonly number[]) => KernelCall,
  take: (results: ArrayBufferLike, slot: Slot, part: Stretch, index: number) => void,
): Promise<boolean> {
  const results = Math.ceil(parts[0]!.width / pieceLength) * clipCount * 8;
  const tasks = parts.map(
    (part, index): Task => ({
      fill(slot) {
        copyIn(run, part, slot.source, false);
        return call(slot, [run.dtype, slot.source, part.width, slot.wide]);
      },
      take: (slot) => take(run.simd.memory.buffer, slot, part, index),
    }),
  );
  return runTasks(run, needsOf(run, parts, results, 0), tasks);
}

/** Contiguous groups too large for a slab, one after the other, each in passes over its parts. */
async function quantizeInParts(run: Run): Promise<boolean> {
  const { form, clip, layout, flags, packing } = run;
  for (let index = 0; index < layout.count; index++) {
    const { base, runs, runLength } = groupAt(layout, index);
    const parts = partsOf(base, runs * runLength);
    // every part but the last has as many pieces as the first
    const perPart = Math.ceil(parts[0]!.width / pieceLength);
    const piecesOf = (part: Stretch) => Math.ceil(part.width / pieceLength);
    const pieces = parts.reduce((total, part) => total + piecesOf(part), 0);
    let low = 0;
    let high = 0;
    const ranged = await runParts(
      run,
      parts,
      (slot, floats) => ["rangeOfPart", ...floats, slot.results],
      (buffer, slot) => {
        const [partLow, partHigh] = new Float32Array(buffer, slot.results, 2);
        low = Math.min(low, partLow!);
        high = Math.max(high, partHigh!);
      },
    );
    if (!ranged) return false;
    let percent = 100;
    if (clip === "mse") {
      const errors = new Float64Array(pieces * clipCount);
      await runParts(
        run,
        parts,
        (slot, floats) => ["errorsOfPart", flags, low, high, ...floats, slot.results],
        (buffer, slot, part, at) =>
          errors.set(new Float64Array(buffer, slot.results, piecesOf(part) * clipCount), at * perPart * clipCount),
      );
      percent = bestOf(low, high, form, (candidate) => sum(errors, candidate, clipCount));
    }
    const sums = new Float64Array(pieces * 2);
    await runParts(
      run,
      parts,
      (slot, floats) => [
        ...(["quantizePart", flags, low, high, percent, ...floats] as const),
        ...[slot.bytes, packing ? slot.packed : 0, slot.results],
      ],
      (buffer, slot, part, at) => {
        copyOut(run, part, slot.bytes, slot.packed);
        sums.set(new Float64Array(buffer, slot.results, piecesOf(part) * 2), at * perPart * 2);
      },
    );
    const scale = scaleOf(low, high, form, percent) || 1;
    run.scales[index] = scale;
    run.zeroPoints[index] = pointOf(low, high, form).zeroPoint;
    run.signals[index] = sum(sums, 0, 2) * (scale * scale);
    run.noises[index] = sum(sums, 1, 2) * (scale * scale);
  }
  return true;
}
