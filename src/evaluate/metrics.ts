/*
 * Every measure leaves out the elements where both sides are the same infinity or both are not a number, and takes
 * an element that is finite on one side only as an infinite error.
 */

/** Sums over pairs of elements, from which the measures follow; mutable, so that samples can be added one by one. */
export interface ErrorSums {
  count: number;
  /** Sum of r^2. */
  signal: number;
  /** Sum of (r - t)^2. */
  noise: number;
  /** Sum of t^2. */
  testPower: number;
  /** Sum of r t. */
  dot: number;
  maxAbsError: number;
  /** Elements that are infinite or not a number, on each side. */
  nonFiniteReference: number;
  nonFiniteTest: number;
}

/** The sums of no elements. */
export function emptySums(): ErrorSums {
  return {
    count: 0,
    signal: 0,
    noise: 0,
    testPower: 0,
    dot: 0,
    maxAbsError: 0,
    nonFiniteReference: 0,
    nonFiniteTest: 0,
  };
}

/** Adds the element pairs of two equally long arrays. */
export function addErrors(sums: ErrorSums, reference: ArrayLike<number>, test: ArrayLike<number>): void {
  sums.count += reference.length;
  for (let at = 0; at < reference.length; at++) {
    const r = reference[at]!;
    const t = test[at]!;
    const finiteR = Number.isFinite(r);
    const finiteT = Number.isFinite(t);
    if (finiteR && finiteT) {
      const error = r - t;
      sums.signal += r * r;
      sums.testPower += t * t;
      sums.dot += r * t;
      sums.noise += error * error;
      if (Math.abs(error) > sums.maxAbsError) sums.maxAbsError = Math.abs(error);
      continue;
    }
    if (!finiteR) sums.nonFiniteReference++;
    if (!finiteT) sums.nonFiniteTest++;
    if (Object.is(r, t)) continue;
    sums.noise = Number.POSITIVE_INFINITY;
    sums.maxAbsError = Number.POSITIVE_INFINITY;
  }
}

/** Adds other sums to sums. */
export function addSums(sums: ErrorSums, other: ErrorSums): void {
  sums.count += other.count;
  sums.signal += other.signal;
  sums.noise += other.noise;
  sums.testPower += other.testPower;
  sums.dot += other.dot;
  sums.maxAbsError = Math.max(sums.maxAbsError, other.maxAbsError);
  sums.nonFiniteReference += other.nonFiniteReference;
  sums.nonFiniteTest += other.nonFiniteTest;
}

/** Signal to quantization noise ratio in dB: 10 log10(sum r^2 / sum (r - t)^2); Infinity when equal, -Infinity at worst. */
export function sqnrOf(sums: ErrorSums): number {
  return sums.noise === 0 ? Number.POSITIVE_INFINITY : 10 * Math.log10(sums.signal / sums.noise);
}

/** Cosine of the angle between reference and test, -1 to 1; 1 when equal (also both zero), 0 when one is zero or errors are infinite. */
export function cosineOf(sums: ErrorSums): number {
  if (sums.noise === 0) return 1;
  if (sums.signal === 0 || sums.testPower === 0 || sums.noise === Number.POSITIVE_INFINITY) return 0;
  return sums.dot / (Math.sqrt(sums.signal) * Math.sqrt(sums.testPower));
}

/** `sqnrOf` two equally long arrays. */
export function sqnrDb(reference: ArrayLike<number>, test: ArrayLike<number>): number {
  return sqnrOf(sumsOf(reference, test));
}

/** `cosineOf` two equally long arrays. */
export function cosine(reference: ArrayLike<number>, test: ArrayLike<number>): number {
  return cosineOf(sumsOf(reference, test));
}

/** Largest |r - t| of two equally long arrays; 0 when equal. */
export function maxAbsError(reference: ArrayLike<number>, test: ArrayLike<number>): number {
  return sumsOf(reference, test).maxAbsError;
}

function sumsOf(reference: ArrayLike<number>, test: ArrayLike<number>): ErrorSums {
  const sums = emptySums();
  addErrors(sums, reference, test);
  return sums;
}

/** Positions at which two classifiers pick the same class, of how many. */
export interface TopOne {
  readonly agree: number;
  readonly total: number;
}

/**
 * How often the arg max over `classes` consecutive elements (the last axis) is the same; the first of equal maxima
 * counts, NaN never wins. Undefined with fewer than 2 classes.
 */
export function topOneAgreement(
  reference: ArrayLike<number>,
  test: ArrayLike<number>,
  classes: number,
): TopOne | undefined {
  if (classes < 2) return undefined;
  const total = reference.length / classes;
  let agree = 0;
  for (let row = 0; row < total; row++) {
    if (argMax(reference, row * classes, classes) === argMax(test, row * classes, classes)) agree++;
  }
  return { agree, total };
}

function argMax(values: ArrayLike<number>, start: number, count: number): number {
  let best = -1;
  let most = Number.NEGATIVE_INFINITY;
  for (let at = 0; at < count; at++) {
    const value = values[start + at]!;
    if (value > most || (best < 0 && value === most)) {
      most = value;
      best = at;
    }
  }
  return best;
}
