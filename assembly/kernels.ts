// The SIMD twin of src/tensor/kernels/reference.ts, which says what it computes and in which order: AssemblyScript,
// compiled by `npm run kernels` into src/tensor/kernels/simd-wasm.ts. All pointers are bytes into one shared memory
// whose layout the caller decides; there is no static data, so that several threads may work in it.
// Long because AssemblyScript inlines only within one module.

/** Float weights in pieces of this many elements have sums of their own (reference.ts: pieceLength). */
const pieceLength: i32 = 65536;
/** Elements whose squares are summed in float32 (reference.ts: partLength). */
const partLength: i32 = 1024;
/** Clips tried, `clipStep` percent apart. */
const clips: i32 = 21;
const smallestScale: f32 = 1.1754943508222875e-38;
/** Adding 1.5 * 2^23 rounds a small float32 to an integer, halves to even, and leaves it in the low bits. */
const rounder: f32 = 12582912.0;

const symmetricFlag: i32 = 1;
const signedFlag: i32 = 2;
const fourBitsFlag: i32 = 4;
const searchFlag: i32 = 8;
const balanceFlag: i32 = 16;
/** Errors are balanced within kernels, not over the kernels of an output. */
const kernelsFlag: i32 = 32;

// what the groups of one job share
let symmetric: bool = false;
let searching: bool = false;
let levels: f64 = 0;
let clipStep: i32 = 1;
let smallest: i32 = 0;
let largest: i32 = 0;
let signedForm: bool = false;
let signals: usize = 0;
let noises: usize = 0;
let scales: usize = 0;
let zeroPoints: usize = 0;
let errors: usize = 0;

// what the functions about one group hand to each other
let low: f32 = 0;
let high: f32 = 0;
let peak: f32 = 0;
let base: f64 = 0;
let scale: f32 = 1;
let zeroPoint: i32 = 0;
let lowest: f32 = 0;
let highest: f32 = 0;

function setForm(flags: i32): void {
  symmetric = (flags & symmetricFlag) !== 0;
  searching = (flags & searchFlag) !== 0;
  signedForm = (flags & signedFlag) !== 0;
  const count = (flags & fourBitsFlag) !== 0 ? 16 : 256;
  levels = f64(count - 1);
  clipStep = (flags & fourBitsFlag) !== 0 ? 3 : 1;
  smallest = signedForm ? -(count >> 1) : 0;
  largest = smallest + count - 1;
}

/** 1 to 3 floats, the other lanes 0. */
function partial(from: usize, count: i32): v128 {
  if (count === 1) return v128.load32_zero(from);
  const two = v128.load64_zero(from);
  return count === 2 ? two : f32x4.replace_lane(two, 2, load<f32>(from + 8));
}

/** Sets low = min(0, all), high = max(0, all) and peak = max(-low, high). */
function findRange(from: usize, count: i32): void {
  let low0 = f32x4.splat(0);
  let low1 = low0;
  let high0 = low0;
  let high1 = low0;
  let at = from;
  const end8 = from + (usize(count & ~7) << 2);
  for (; at < end8; at += 32) {
    const a = v128.load(at);
    const b = v128.load(at, 16);
    low0 = f32x4.pmin(low0, a);
    low1 = f32x4.pmin(low1, b);
    high0 = f32x4.pmax(high0, a);
    high1 = f32x4.pmax(high1, b);
  }
  if (count & 4) {
    const a = v128.load(at);
    low0 = f32x4.pmin(low0, a);
    high0 = f32x4.pmax(high0, a);
    at += 16;
  }
  if (count & 3) {
    const a = partial(at, count & 3);
    low1 = f32x4.pmin(low1, a);
    high1 = f32x4.pmax(high1, a);
  }
  low0 = f32x4.pmin(low0, low1);
  high0 = f32x4.pmax(high0, high1);
  // no `?:` here: which of the two is larger is a coin toss, and processors guess
  const size0 = f32x4.pmax(high0, f32x4.neg(low0));
  const size1 = f32x4.pmax(size0, v128.shuffle<f64>(size0, size0, 1, 1));
  peak = f32x4.extract_lane(f32x4.pmax(size1, v128.shuffle<f32>(size1, size1, 1, 1, 1, 1)), 0);
  low0 = f32x4.pmin(low0, v128.shuffle<f64>(low0, low0, 1, 1));
  high0 = f32x4.pmax(high0, v128.shuffle<f64>(high0, high0, 1, 1));
  low = f32x4.extract_lane(f32x4.pmin(low0, v128.shuffle<f32>(low0, low0, 1, 1, 1, 1)), 0);
  high = f32x4.extract_lane(f32x4.pmax(high0, v128.shuffle<f32>(high0, high0, 1, 1, 1, 1)), 0);
}

/** Sets the unclipped scale in float64, zero point and limits from low, high and peak. */
function choosePoint(): void {
  if (symmetric) {
    const half = i32(levels) >> 1;
    base = f64(peak) / f64(half);
    zeroPoint = signedForm ? 0 : half + 1;
    lowest = f32(-half);
    highest = f32(half);
    return;
  }
  base = (f64(high) - f64(low)) / levels;
  const point = scaleOf(100) === 0 ? 0 : nearest(f64(smallest) - f64(low) / base);
  zeroPoint = max(smallest, min(largest, i32(point)));
  lowest = f32(smallest - zeroPoint);
  highest = f32(largest - zeroPoint);
}

/** The scale for a clip of `percent` of the range: 0 where it is too small to divide by. */
function scaleOf(percent: i32): f32 {
  const chosen = f32(f64(percent) * 0.01 * base);
  return chosen < smallestScale ? 0 : chosen;
}

/** Lanes 0 + 2 and 1 + 3, then both, in float64. */
function sumLanes(lanes: v128): f64 {
  const pair = f64x2.add(
    f64x2.promote_low_f32x4(lanes),
    f64x2.promote_low_f32x4(v128.shuffle<f64>(lanes, lanes, 1, 1)),
  );
  return f64x2.extract_lane(pair, 0) + f64x2.extract_lane(pair, 1);
}

/** The square of what is lost of `value` in steps of one scale, added to `sum`. */
function addError(sum: v128, value: v128, inverse: v128, limitLow: v128, limitHigh: v128): v128 {
  const steps = f32x4.mul(value, inverse);
  const clamped = f32x4.pmin(f32x4.pmax(steps, limitLow), limitHigh);
  const magic = f32x4.splat(rounder);
  const lost = f32x4.sub(steps, f32x4.sub(f32x4.add(clamped, magic), magic));
  return f32x4.add(sum, f32x4.mul(lost, lost));
}

/** The same for limits that are each other's negative and a value without its sign. */
function addSymmetricError(sum: v128, magnitude: v128, inverse: v128, limitHigh: v128): v128 {
  const steps = f32x4.mul(magnitude, inverse);
  const magic = f32x4.splat(rounder);
  const lost = f32x4.sub(steps, f32x4.sub(f32x4.add(f32x4.pmin(steps, limitHigh), magic), magic));
  return f32x4.add(sum, f32x4.mul(lost, lost));
}

// squared errors, in steps, of three clips: the sums of the pieces so far
let error0: f64 = 0;
let error1: f64 = 0;
let error2: f64 = 0;

/**
 * Adds the squared errors of up to `pieceLength` elements for three scales to the sums above. Returns false as soon as
 * none of the three can come below `least` any more: no term is negative, so sums only grow, rounded as they are.
 */
function addThree(from: usize, count: i32, scale0: f32, scale1: f32, scale2: f32, least: f64): bool {
  const limitLow = f32x4.splat(lowest);
  const limitHigh = f32x4.splat(highest);
  // a scale of 0 is never chosen: whatever comes out is not looked at
  const inverse0 = f32x4.splat(1 / scale0);
  const inverse1 = f32x4.splat(1 / scale1);
  const inverse2 = f32x4.splat(1 / scale2);
  const square0 = f64(scale0) * f64(scale0);
  const square1 = f64(scale1) * f64(scale1);
  const square2 = f64(scale2) * f64(scale2);
  let total0: f64 = 0;
  let total1: f64 = 0;
  let total2: f64 = 0;
  for (let start = 0; start < count; start += partLength) {
    const length = min(partLength, count - start);
    let sum0 = f32x4.splat(0);
    let sum1 = sum0;
    let sum2 = sum0;
    let at = from + (usize(start) << 2);
    const end = at + (usize(length & ~3) << 2);
    if (symmetric) {
      for (; at < end; at += 16) {
        const value = f32x4.abs(v128.load(at));
        sum0 = addSymmetricError(sum0, value, inverse0, limitHigh);
        sum1 = addSymmetricError(sum1, value, inverse1, limitHigh);
        sum2 = addSymmetricError(sum2, value, inverse2, limitHigh);
      }
    } else {
      for (; at < end; at += 16) {
        const value = v128.load(at);
        sum0 = addError(sum0, value, inverse0, limitLow, limitHigh);
        sum1 = addError(sum1, value, inverse1, limitLow, limitHigh);
        sum2 = addError(sum2, value, inverse2, limitLow, limitHigh);
      }
    }
    if (length & 3) {
      const value = partial(at, length & 3);
      sum0 = addError(sum0, value, inverse0, limitLow, limitHigh);
      sum1 = addError(sum1, value, inverse1, limitLow, limitHigh);
      sum2 = addError(sum2, value, inverse2, limitLow, limitHigh);
    }
    total0 += sumLanes(sum0);
    total1 += sumLanes(sum1);
    total2 += sumLanes(sum2);
    if (
      (error0 + total0) * square0 >= least &&
      (error1 + total1) * square1 >= least &&
      (error2 + total2) * square2 >= least
    ) {
      return false;
    }
  }
  error0 += total0;
  error1 += total1;
  error2 += total2;
  return true;
}

/** Adds the squared errors, in steps, of up to `pieceLength` elements to errors[clip], for every clip. */
function addErrors(from: usize, count: i32): void {
  for (let clip = 0; clip < clips; clip += 3) {
    const to = errors + (usize(clip) << 3);
    error0 = load<f64>(to);
    error1 = load<f64>(to + 8);
    error2 = load<f64>(to + 16);
    const scale0 = scaleOf(100 - clip * clipStep);
    const scale1 = scaleOf(100 - (clip + 1) * clipStep);
    // nothing is as much as NaN: all are wanted
    addThree(from, count, scale0, scale1, scaleOf(100 - (clip + 2) * clipStep), NaN);
    store<f64>(to, error0);
    store<f64>(to + 8, error1);
    store<f64>(to + 16, error2);
  }
}

/** The squared error, in steps, that a symmetric scale makes of the largest element alone. */
function errorOfPeak(scale: f32): f64 {
  const lanes = addSymmetricError(f32x4.splat(0), f32x4.splat(peak), f32x4.splat(1 / scale), f32x4.splat(highest));
  return f64(f32x4.extract_lane(lanes, 0));
}

/** The clip in percent with the least error of a group; the larger one among equals. Passes over those that cannot win. */
function searchClip(from: usize, count: i32): i32 {
  let best = 100;
  let least = Infinity;
  for (let clip = 0; clip < clips; clip += 3) {
    const percent = 100 - clip * clipStep;
    const scale0 = scaleOf(percent);
    const scale1 = scaleOf(percent - clipStep);
    const scale2 = scaleOf(percent - 2 * clipStep);
    if (scale0 === 0) break;
    const square0 = f64(scale0) * f64(scale0);
    const square1 = f64(scale1) * f64(scale1);
    const square2 = f64(scale2) * f64(scale2);
    if (
      symmetric &&
      errorOfPeak(scale0) * square0 >= least &&
      errorOfPeak(scale1) * square1 >= least &&
      errorOfPeak(scale2) * square2 >= least
    ) {
      continue;
    }
    error0 = 0;
    error1 = 0;
    error2 = 0;
    let hopeful = true;
    for (let start = 0; start < count && hopeful; start += pieceLength) {
      hopeful = addThree(from + (usize(start) << 2), min(pieceLength, count - start), scale0, scale1, scale2, least);
    }
    if (!hopeful) continue;
    if (error0 * square0 < least) {
      least = error0 * square0;
      best = percent;
    }
    if (scale1 === 0) break;
    if (error1 * square1 < least) {
      least = error1 * square1;
      best = percent - clipStep;
    }
    if (scale2 === 0) break;
    if (error2 * square2 < least) {
      least = error2 * square2;
      best = percent - 2 * clipStep;
    }
  }
  return best;
}

function clearErrors(): void {
  for (let clip: usize = 0; clip < usize(clips); clip++) store<f64>(errors + (clip << 3), 0);
}

// sums of squares, in steps of the scale
let signalSteps: f64 = 0;
let noiseSteps: f64 = 0;

/** Quantizes up to `pieceLength` floats to bytes and leaves its sums of squares in the two sums above. */
function quantizePiece(from: usize, count: i32, to: usize): void {
  const scaleLanes = f32x4.splat(scale);
  const limitLow = f32x4.splat(lowest);
  const limitHigh = f32x4.splat(highest);
  const magic = f32x4.splat(rounder);
  const point = i32x4.splat(zeroPoint);
  const lowByte = i32x4.splat(255);
  let signal: f64 = 0;
  let noise: f64 = 0;
  let at = from;
  let out = to;
  for (let start = 0; start < count; start += partLength) {
    const length = min(partLength, count - start);
    let signalLanes = f32x4.splat(0);
    let noiseLanes = signalLanes;
    for (const end = at + (usize(length & ~15) << 2); at < end; at += 64) {
      const v0 = f32x4.div(v128.load(at), scaleLanes);
      const t0 = f32x4.add(f32x4.pmin(f32x4.pmax(v0, limitLow), limitHigh), magic);
      const e0 = f32x4.sub(v0, f32x4.sub(t0, magic));
      const b0 = v128.and(i32x4.add(t0, point), lowByte);
      signalLanes = f32x4.add(signalLanes, f32x4.mul(v0, v0));
      noiseLanes = f32x4.add(noiseLanes, f32x4.mul(e0, e0));

      const v1 = f32x4.div(v128.load(at, 16), scaleLanes);
      const t1 = f32x4.add(f32x4.pmin(f32x4.pmax(v1, limitLow), limitHigh), magic);
      const e1 = f32x4.sub(v1, f32x4.sub(t1, magic));
      const b1 = v128.and(i32x4.add(t1, point), lowByte);
      signalLanes = f32x4.add(signalLanes, f32x4.mul(v1, v1));
      noiseLanes = f32x4.add(noiseLanes, f32x4.mul(e1, e1));

      const v2 = f32x4.div(v128.load(at, 32), scaleLanes);
      const t2 = f32x4.add(f32x4.pmin(f32x4.pmax(v2, limitLow), limitHigh), magic);
      const e2 = f32x4.sub(v2, f32x4.sub(t2, magic));
      const b2 = v128.and(i32x4.add(t2, point), lowByte);
      signalLanes = f32x4.add(signalLanes, f32x4.mul(v2, v2));
      noiseLanes = f32x4.add(noiseLanes, f32x4.mul(e2, e2));

      const v3 = f32x4.div(v128.load(at, 48), scaleLanes);
      const t3 = f32x4.add(f32x4.pmin(f32x4.pmax(v3, limitLow), limitHigh), magic);
      const e3 = f32x4.sub(v3, f32x4.sub(t3, magic));
      const b3 = v128.and(i32x4.add(t3, point), lowByte);
      signalLanes = f32x4.add(signalLanes, f32x4.mul(v3, v3));
      noiseLanes = f32x4.add(noiseLanes, f32x4.mul(e3, e3));

      // every lane holds 0 .. 255, so neither narrowing saturates
      v128.store(out, i8x16.narrow_i16x8_u(i16x8.narrow_i32x4_s(b0, b1), i16x8.narrow_i32x4_s(b2, b3)));
      out += 16;
    }
    // only the last part has a rest, so running past its end is no matter
    for (let left = length & 15; left > 0; left -= 4) {
      const v = f32x4.div(left >= 4 ? v128.load(at) : partial(at, left), scaleLanes);
      const t = f32x4.add(f32x4.pmin(f32x4.pmax(v, limitLow), limitHigh), magic);
      const e = f32x4.sub(v, f32x4.sub(t, magic));
      const b = v128.and(i32x4.add(t, point), lowByte);
      signalLanes = f32x4.add(signalLanes, f32x4.mul(v, v));
      noiseLanes = f32x4.add(noiseLanes, f32x4.mul(e, e));
      const word = i32x4.extract_lane(i8x16.narrow_i16x8_u(i16x8.narrow_i32x4_s(b, b), i16x8.splat(0)), 0);
      if (left >= 4) {
        store<i32>(out, word);
      } else {
        store<u8>(out, u8(word));
        if (left > 1) store<u8>(out + 1, u8(word >> 8));
        if (left > 2) store<u8>(out + 2, u8(word >> 16));
      }
      at += 16;
      out += 4;
    }
    signal += sumLanes(signalLanes);
    noise += sumLanes(noiseLanes);
  }
  signalSteps = signal;
  noiseSteps = noise;
}

/** Finds scale and zero point of one group of contiguous floats. */
function chooseGroup(from: usize, count: i32, group: usize): void {
  findRange(from, count);
  choosePoint();
  let percent = 100;
  if (searching) percent = searchClip(from, count);
  const chosen = scaleOf(percent);
  store<f32>(scales + (group << 2), chosen === 0 ? 1 : chosen);
  store<u8>(zeroPoints + group, u8(zeroPoint));
}

/** Makes the bytes and sums of a group that has its scale. */
function applyGroup(from: usize, count: i32, to: usize, group: usize): void {
  scale = load<f32>(scales + (group << 2));
  if (!symmetric) {
    zeroPoint = signedForm ? i32(load<i8>(zeroPoints + group)) : i32(load<u8>(zeroPoints + group));
    lowest = f32(smallest - zeroPoint);
    highest = f32(largest - zeroPoint);
  }
  let signal: f64 = 0;
  let noise: f64 = 0;
  for (let start = 0; start < count; start += pieceLength) {
    quantizePiece(from + (usize(start) << 2), min(pieceLength, count - start), to + usize(start));
    signal += signalSteps;
    noise += noiseSteps;
  }
  const square = f64(scale) * f64(scale);
  store<f64>(signals + (group << 3), signal * square);
  store<f64>(noises + (group << 3), noise * square);
}

/** Whether a clamped value may be moved by a step: not past what the type holds. */
function isFree(value: i32, step: i32): bool {
  return abs(value + step) <= 127;
}

/**
 * Moves the element of a kernel that loses the least by it (reference.ts: `balanceGroup`) and returns what that adds to
 * the noise, in steps; infinite where none can be moved.
 */
function moveOne(to: usize, lost: usize, first: i32, end: i32, step: i32): f64 {
  const way = f64(step);
  let best = -1;
  let bestError: f64 = 2;
  for (let at = first; at < end; at++) {
    const error = way * load<f64>(lost + (usize(at) << 3));
    if (error >= bestError || Math.abs(error) > 0.5 || error + 1 > 1) continue;
    if (!isFree(valueAt(to + usize(at)), step)) continue;
    best = at;
    bestError = error;
  }
  if (best < 0) return Infinity;
  const place = lost + (usize(best) << 3);
  const before = load<f64>(place);
  const after = before + way;
  store<f64>(place, after);
  store<u8>(to + usize(best), u8(i32(load<u8>(to + usize(best))) + step));
  return after * after - before * before;
}

/** A stored byte without its zero point. */
function valueAt(place: usize): i32 {
  return signedForm ? i32(load<i8>(place)) : i32(load<u8>(place)) - 128;
}

/** Balances the errors of one output channel that has its bytes; `work` has room for a float64 for each element and input. */
function balanceGroup(from: usize, count: i32, kernel: i32, to: usize, group: usize, work: usize, outputs: bool): void {
  const sums = work + (usize(count) << 3);
  const inputs = count / kernel;
  const divisor = f64(load<f32>(scales + (group << 2)));
  for (let at: usize = 0; at < usize(count); at++) {
    store<f64>(work + (at << 3), f64(valueAt(to + at)) - f64(load<f32>(from + (at << 2))) / divisor);
  }
  let gained: f64 = 0;
  let total: f64 = 0;
  for (let input = 0, first = 0; input < inputs; input++, first += kernel) {
    let sum: f64 = 0;
    for (let at = first; at < first + kernel; at++) sum += load<f64>(work + (usize(at) << 3));
    const step = sum > 0 ? -1 : 1;
    while (kernel > 1 && Math.abs(sum) > 0.5) {
      const more = moveOne(to, work, first, first + kernel, step);
      if (more === Infinity) break;
      gained += more;
      sum += f64(step);
    }
    store<f64>(sums + (usize(input) << 3), sum);
    total += sum;
  }
  const step = total > 0 ? -1 : 1;
  // written so that NaN ends it
  for (let left = inputs === 1 || !outputs ? 0 : Math.abs(total); left >= 0.5; left -= 1) {
    let farthest = -1;
    let least: f64 = 0;
    for (let input = 0; input < inputs; input++) {
      const sum = f64(step) * load<f64>(sums + (usize(input) << 3));
      if (sum >= least) continue;
      least = sum;
      farthest = input;
    }
    if (farthest < 0) break;
    store<f64>(sums + (usize(farthest) << 3), 0);
    const more = moveOne(to, work, farthest * kernel, (farthest + 1) * kernel, step);
    if (more !== Infinity) gained += more;
  }
  const place = noises + (group << 3);
  store<f64>(place, load<f64>(place) + gained * (divisor * divisor));
}

/**
 * Groups that lie one after the other: `rows` rows of `length` floats, each cut into blocks, the last may be short. A
 * scale is a long chain of slow steps, so small groups find theirs a few at a time, which processors overlap.
 */
function contiguousGroups(from: usize, rows: i32, length: i32, block: i32, to: usize): void {
  const batch = max(1, 2048 / block) * block;
  let group: usize = 0;
  for (let row = 0; row < rows; row++) {
    for (let first = 0; first < length; first += batch) {
      const end = min(first + batch, length);
      let next = group;
      for (let start = first; start < end; start += block) {
        chooseGroup(from + (usize(start) << 2), min(block, end - start), next++);
      }
      for (let start = first; start < end; start += block) {
        applyGroup(from + (usize(start) << 2), min(block, end - start), to + usize(start), group++);
      }
    }
    from += usize(length) << 2;
    to += usize(length);
  }
}

/**
 * Brings `width` columns of a row-major matrix, `stride` bytes a row, into as many lines of `line` bytes; 16 columns are
 * a line of the cache, so all are taken from a row before the next is touched.
 */
function gatherColumns(from: usize, stride: usize, rows: i32, width: i32, to: usize, line: usize): void {
  const whole = usize(width & ~3) << 2;
  let row = 0;
  for (; row + 4 <= rows; row += 4) {
    let target = to;
    for (let at: usize = 0; at < whole; at += 16) {
      const source = from + at;
      const a = v128.load(source);
      const b = v128.load(source + stride);
      const c = v128.load(source + 2 * stride);
      const d = v128.load(source + 3 * stride);
      const ab0 = v128.shuffle<f32>(a, b, 0, 4, 1, 5);
      const ab1 = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
      const cd0 = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
      const cd1 = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
      v128.store(target, v128.shuffle<f64>(ab0, cd0, 0, 2));
      v128.store(target + line, v128.shuffle<f64>(ab0, cd0, 1, 3));
      v128.store(target + 2 * line, v128.shuffle<f64>(ab1, cd1, 0, 2));
      v128.store(target + 3 * line, v128.shuffle<f64>(ab1, cd1, 1, 3));
      target += 4 * line;
    }
    for (let at = whole; at < usize(width) << 2; at += 4) {
      for (let next: usize = 0; next < 4; next++)
        store<f32>(target + (next << 2), load<f32>(from + at + next * stride));
      target += line;
    }
    from += 4 * stride;
    to += 16;
  }
  for (; row < rows; row++) {
    for (let at: usize = 0; at < usize(width); at++) store<f32>(to + at * line, load<f32>(from + (at << 2)));
    from += stride;
    to += 4;
  }
}

/** The way back for bytes: lines of `line` bytes into `width` columns of a matrix, `stride` bytes a row. */
function scatterColumns(from: usize, line: usize, rows: i32, width: i32, to: usize, stride: usize): void {
  const whole = usize(width & ~3);
  let row = 0;
  for (; row + 4 <= rows; row += 4) {
    let source = from;
    for (let at: usize = 0; at < whole; at += 4) {
      let lines = v128.load32_zero(source);
      lines = v128.load_lane<u32>(source + line, lines, 1);
      lines = v128.load_lane<u32>(source + 2 * line, lines, 2);
      lines = v128.load_lane<u32>(source + 3 * line, lines, 3);
      const turned = v128.shuffle<u8>(lines, lines, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
      const target = to + at;
      v128.store_lane<u32>(target, turned, 0);
      v128.store_lane<u32>(target + stride, turned, 1);
      v128.store_lane<u32>(target + 2 * stride, turned, 2);
      v128.store_lane<u32>(target + 3 * stride, turned, 3);
      source += 4 * line;
    }
    for (let at = whole; at < usize(width); at++) {
      for (let next: usize = 0; next < 4; next++) store<u8>(to + at + next * stride, load<u8>(source + next));
      source += line;
    }
    from += 4;
    to += 4 * stride;
  }
  for (; row < rows; row++) {
    for (let at: usize = 0; at < usize(width); at++) store<u8>(to + at, load<u8>(from + at * line));
    from++;
    to += stride;
  }
}

/**
 * Groups that are columns: `outer` stacks of `length` rows of `columns` floats, each stack cut into matrices of `block`
 * rows, the last may be short. `work` has room for 16 columns of floats and 16 of bytes, each 16 bytes longer than they
 * are and rounded up to 16.
 */
function columnGroups(from: usize, outer: i32, length: i32, block: i32, columns: i32, to: usize, work: usize): void {
  const stride = usize(columns) << 2;
  // not a multiple of a page, whose lines would push each other out of the cache
  const line = ((usize(block) << 2) + 31) & ~15;
  const byteLine = (usize(block) + 31) & ~15;
  const bytes = work + 16 * line;
  let group: usize = 0;
  for (let stack = 0; stack < outer; stack++) {
    for (let start = 0; start < length; start += block) {
      const rows = min(block, length - start);
      for (let column = 0; column < columns; column += 16) {
        const width = min(16, columns - column);
        gatherColumns(from + (usize(column) << 2), stride, rows, width, work, line);
        const first = group + usize(column);
        for (let at: usize = 0; at < usize(width); at++) chooseGroup(work + at * line, rows, first + at);
        for (let at: usize = 0; at < usize(width); at++) {
          applyGroup(work + at * line, rows, bytes + at * byteLine, first + at);
        }
        scatterColumns(bytes, byteLine, rows, width, to + usize(column), usize(columns));
      }
      from += usize(rows) * stride;
      to += usize(rows) * usize(columns);
      group += usize(columns);
    }
  }
}

/** Groups that are every `channels`-th run of `inner` floats, `outer` runs each; `work` has room for one of them. */
function runGroups(from: usize, outer: i32, channels: i32, inner: i32, to: usize, work: usize): void {
  const bytes = work + ((usize(outer) * usize(inner)) << 2);
  const run = usize(inner);
  const stride = usize(channels) * run;
  for (let channel: usize = 0; channel < usize(channels); channel++) {
    let at = channel * run;
    let line = work;
    for (let row = 0; row < outer; row++) {
      let index: usize = 0;
      for (; index + 4 <= run; index += 4) {
        v128.store(line + (index << 2), v128.load(from + ((at + index) << 2)));
      }
      for (; index < run; index++) store<f32>(line + (index << 2), load<f32>(from + ((at + index) << 2)));
      line += run << 2;
      at += stride;
    }
    chooseGroup(work, outer * inner, channel);
    applyGroup(work, outer * inner, bytes, channel);
    at = channel * run;
    line = bytes;
    for (let row = 0; row < outer; row++) {
      let index: usize = 0;
      for (; index + 4 <= run; index += 4) store<u32>(to + at + index, load<u32>(line + index));
      for (; index < run; index++) store<u8>(to + at + index, load<u8>(line + index));
      line += run;
      at += stride;
    }
  }
}

/** Bit patterns of float16 (kind 1) or bfloat16 (kind 2) to float32; writes up to 7 elements more than there are. */
function widen(from: usize, count: i32, to: usize, kind: i32): void {
  const magnitudeBits = i32x4.splat(0x7fff);
  const signBit = i32x4.splat(0x8000);
  for (const end = from + (usize(count) << 1); from < end; from += 8) {
    const half = v128.load_ext<u16>(from);
    if (kind === 2) {
      v128.store(to, i32x4.shl(half, 16));
    } else {
      const magnitude = v128.and(half, magnitudeBits);
      const normal = i32x4.add(i32x4.shl(magnitude, 13), i32x4.splat(0x38000000));
      // float32 subnormals would be correct in a multiplication, but slow
      const small = f32x4.mul(f32x4.convert_i32x4_s(magnitude), f32x4.splat(1.0 / 16777216.0));
      let bits = v128.bitselect(small, normal, i32x4.lt_s(magnitude, i32x4.splat(0x400)));
      bits = v128.or(bits, v128.and(i32x4.gt_s(magnitude, i32x4.splat(0x7bff)), i32x4.splat(0x7f800000)));
      v128.store(to, v128.or(bits, i32x4.shl(v128.and(half, signBit), 16)));
    }
    to += 16;
  }
}

/** Two bytes into one, the earlier in the low half; reads and writes up to 16 bytes more than there are. */
function pack(from: usize, count: i32, to: usize): void {
  // the high half of an odd end
  if (count & 1) store<u8>(from + usize(count), 0);
  const lowNibble = i16x8.splat(0x000f);
  const highNibble = i16x8.splat(0x00f0);
  for (const end = from + usize(count); from < end; from += 32) {
    const a = v128.load(from);
    const b = v128.load(from, 16);
    v128.store(
      to,
      i8x16.narrow_i16x8_u(
        v128.or(v128.and(a, lowNibble), v128.and(i16x8.shr_u(a, 4), highNibble)),
        v128.or(v128.and(b, lowNibble), v128.and(i16x8.shr_u(b, 4), highNibble)),
      ),
    );
    to += 16;
  }
}

/**
 * One slab of whole groups. `kind` says how they lie and what a, b, c and d mean: 0 contiguous (rows, length, block, and where
 * errors are balanced the elements of a convolution's kernel), 1
 * columns (outer, length, block, columns), 2 runs (outer, channels, inner). `dtype` 0 float32, 1 float16, 2 bfloat16;
 * `wide` is where 16-bit floats are widened to. `packed` is 0 where bytes stay as they are. `results` has room for
 * `groups` signals and noises (float64), scales (float32) and zero points (bytes), in this order.
 */
export function quantizeSlab(
  kind: i32,
  a: i32,
  b: i32,
  c: i32,
  d: i32,
  flags: i32,
  dtype: i32,
  source: usize,
  count: i32,
  wide: usize,
  bytes: usize,
  packed: usize,
  results: usize,
  groups: i32,
  work: usize,
): void {
  setForm(flags);
  signals = results;
  noises = signals + (usize(groups) << 3);
  scales = noises + (usize(groups) << 3);
  zeroPoints = scales + (usize(groups) << 2);
  errors = work;
  const room = work + 256;
  let from = source;
  if (dtype !== 0) {
    widen(source, count, wide, dtype);
    from = wide;
  }
  if (kind === 0) {
    contiguousGroups(from, a, b, c, bytes);
    if (flags & balanceFlag) {
      const outputs = (flags & kernelsFlag) === 0;
      for (let row = 0; row < a; row++) {
        const place = usize(row) * usize(b);
        balanceGroup(from + (place << 2), b, d, bytes + place, usize(row), room, outputs);
      }
    }
  } else if (kind === 1) columnGroups(from, a, b, c, d, bytes, room);
  else runGroups(from, a, b, c, bytes, room);
  if (packed !== 0) pack(bytes, count, packed);
}

/** For groups too large for a slab, first pass: min(0, all) and max(0, all) as two float32 at `results`. */
export function rangeOfPart(dtype: i32, source: usize, count: i32, wide: usize, results: usize): void {
  let from = source;
  if (dtype !== 0) {
    widen(source, count, wide, dtype);
    from = wide;
  }
  findRange(from, count);
  store<f32>(results, low);
  store<f32>(results + 4, high);
}

/** Second pass, for a search: one line of 21 sums (float64) at `results` for each piece of the part. */
export function errorsOfPart(
  flags: i32,
  partLow: f32,
  partHigh: f32,
  dtype: i32,
  source: usize,
  count: i32,
  wide: usize,
  results: usize,
): void {
  setForm(flags);
  let from = source;
  if (dtype !== 0) {
    widen(source, count, wide, dtype);
    from = wide;
  }
  low = partLow;
  high = partHigh;
  peak = max(-low, high);
  choosePoint();
  errors = results;
  for (let start = 0; start < count; start += pieceLength) {
    clearErrors();
    addErrors(from + (usize(start) << 2), min(pieceLength, count - start));
    errors += usize(clips) << 3;
  }
}

/** Last pass, with the clip chosen: bytes, and signal and noise in steps (float64 pairs) at `results` for each piece. */
export function quantizePart(
  flags: i32,
  partLow: f32,
  partHigh: f32,
  percent: i32,
  dtype: i32,
  source: usize,
  count: i32,
  wide: usize,
  bytes: usize,
  packed: usize,
  results: usize,
): void {
  setForm(flags);
  let from = source;
  if (dtype !== 0) {
    widen(source, count, wide, dtype);
    from = wide;
  }
  low = partLow;
  high = partHigh;
  peak = max(-low, high);
  choosePoint();
  scale = scaleOf(percent);
  if (scale === 0) scale = 1;
  for (let start = 0; start < count; start += pieceLength) {
    quantizePiece(from + (usize(start) << 2), min(pieceLength, count - start), bytes + usize(start));
    store<f64>(results, signalSteps);
    store<f64>(results + 8, noiseSteps);
    results += 16;
  }
  if (packed !== 0) pack(bytes, count, packed);
}
