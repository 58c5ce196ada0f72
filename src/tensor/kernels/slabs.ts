import type { GroupLayout } from "./groups.js";

/** Elements a slab aims at: its floats fit the second-level cache of a core. A multiple of the reference's pieces. */
const slabElements = 262144;
/** Strips of columns may have more, so that their rows are not too short to copy one by one. */
const stripElements = 4 * slabElements;
/** A contiguous group above this many elements is worked on in parts instead. */
const largestGroup = 4 * slabElements;

/** `rows` stretches of `width` elements of the source, `stride` apart; worked on as if they lay side by side. */
export interface Stretch {
  readonly base: number;
  readonly rows: number;
  readonly width: number;
  readonly stride: number;
}

/** Whole groups, neighbours in the order of scales, that one kernel call quantizes. */
export interface Slab extends Stretch {
  readonly firstGroup: number;
  readonly groups: number;
  /** What the kernel's `quantizeSlab` takes as kind, a, b, c, d. */
  readonly pattern: readonly [kind: number, a: number, b: number, c: number, d: number];
  /** Bytes of scratch memory the kernel needs. */
  readonly work: number;
}

/**
 * Cuts a tensor into slabs for that many threads; how it is cut does not change the result. Undefined where its groups
 * are contiguous and too large for that: then each is done in `partsOf` it. `kernel`: elements of a convolution's kernel,
 * where channels are balanced.
 */
export function slabsOf(layout: GroupLayout, threads = 1, kernel = 0): readonly Slab[] | undefined {
  const { outer, length, inner, block, across } = layout;
  if (across && outer === 1) return contiguousSlabs(length, inner, inner, kernel);
  if (!across && inner === 1) return contiguousSlabs(outer, length, Math.min(block, length));
  if (across && inner > 1) return runSlabs(outer, length, inner);
  // a matrix whose columns are the channels is one block of all its rows
  if (across) return columnSlabs(1, outer, outer, length, threads);
  return columnSlabs(outer, length, Math.min(block, length), inner, threads);
}

/** A contiguous group in parts that need no more memory than a slab. */
export function partsOf(base: number, count: number): readonly Stretch[] {
  const parts: Stretch[] = [];
  for (let start = 0; start < count; start += slabElements) {
    const width = Math.min(slabElements, count - start);
    parts.push({ base: base + start, rows: 1, width, stride: width });
  }
  return parts;
}

/** How many of `count` things of `size` elements make a slab; even if that keeps slabs at even elements. */
function share(count: number, size: number): number {
  const fit = Math.floor(slabElements / size);
  if (fit >= count) return count;
  return fit >= 2 && size % 2 === 1 ? fit - (fit % 2) : Math.max(1, fit);
}

function contiguousSlabs(rows: number, length: number, block: number, kernel = 0): readonly Slab[] | undefined {
  const perRow = Math.ceil(length / block);
  if (length > largestGroup && block > largestGroup) return undefined;
  const slabs: Slab[] = [];
  const work = kernel > 0 ? 8 * (length + Math.ceil(length / kernel)) : 0;
  const add = (base: number, count: number, width: number, firstGroup: number, groups: number) =>
    slabs.push({
      ...{ base, rows: 1, width: count * width, stride: count * width },
      ...{ firstGroup, groups, pattern: [0, count, width, block, kernel], work },
    });
  if (length <= slabElements || perRow === 1) {
    const step = share(rows, length);
    for (let row = 0; row < rows; row += step) {
      const count = Math.min(step, rows - row);
      add(row * length, count, length, row * perRow, count * perRow);
    }
    return slabs;
  }
  const step = share(perRow, block);
  for (let row = 0; row < rows; row++) {
    for (let at = 0; at < perRow; at += step) {
      const start = at * block;
      const width = Math.min(step * block, length - start);
      add(row * length + start, 1, width, row * perRow + at, Math.ceil(width / block));
    }
  }
  return slabs;
}

function columnSlabs(outer: number, length: number, block: number, columns: number, threads: number): readonly Slab[] {
  const perStack = Math.ceil(length / block);
  const work = 16 * (block * 4 + 32) + 16 * (block + 32);
  const slabs: Slab[] = [];
  if (length * columns <= slabElements) {
    const step = share(outer, length * columns);
    for (let stack = 0; stack < outer; stack += step) {
      const count = Math.min(step, outer - stack);
      const width = count * length * columns;
      slabs.push({
        ...{ base: stack * length * columns, rows: 1, width, stride: width },
        ...{ firstGroup: stack * perStack * columns, groups: count * perStack * columns },
        ...{ pattern: [1, count, length, block, columns], work },
      });
    }
    return slabs;
  }
  const step = share(perStack, block * columns);
  // narrower than the matrix only where not even one fits
  // a few strips for each thread, but not so narrow that copying their rows takes longer than all the rest
  const fair = threads > 1 ? Math.max(64, Math.ceil(columns / (4 * threads))) : columns;
  const fit = Math.max(16, Math.floor(Math.min(stripElements / block, fair + 15) / 16) * 16);
  const wide = block * columns <= slabElements ? columns : fit;
  for (let stack = 0; stack < outer; stack++) {
    for (let at = 0; at < perStack; at += step) {
      const start = at * block;
      const rows = Math.min(step * block, length - start);
      for (let column = 0; column < columns; column += wide) {
        const width = Math.min(wide, columns - column);
        slabs.push({
          base: (stack * length + start) * columns + column,
          ...(width === columns
            ? { rows: 1, width: rows * columns, stride: rows * columns }
            : { rows, width, stride: columns }),
          firstGroup: (stack * perStack + at) * columns + column,
          groups: Math.ceil(rows / block) * width,
          pattern: [1, 1, rows, block, width],
          work,
        });
      }
    }
  }
  return slabs;
}

function runSlabs(outer: number, channels: number, inner: number): readonly Slab[] {
  const slabs: Slab[] = [];
  const step = share(channels, outer * inner);
  for (let channel = 0; channel < channels; channel += step) {
    const groups = Math.min(step, channels - channel);
    const width = groups * inner;
    slabs.push({
      base: channel * inner,
      ...(groups === channels
        ? { rows: 1, width: outer * width, stride: outer * width }
        : { rows: outer, width, stride: channels * inner }),
      ...{ firstGroup: channel, groups, pattern: [2, outer, groups, inner, 0], work: outer * inner * 5 },
    });
  }
  return slabs;
}
