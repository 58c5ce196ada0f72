// The SIMD twin of src/tensor/kernels/optimizer-reference.ts, which says what it computes: AssemblyScript, compiled by
// `npm run kernels` into src/tensor/kernels/optimizer-wasm.ts. All pointers are bytes into one memory whose layout the
// caller decides. Kernels work on whole groups of four floats: the memory has room for them behind every array.

export function adamw(
  p: usize,
  m: usize,
  v: usize,
  g: usize,
  count: i32,
  scale: f32,
  share1: f32,
  beta2: f32,
  share2: f32,
  correction: f32,
  epsilon: f32,
  rate: f32,
  keep: f32,
): void {
  const scale4 = f32x4.splat(scale);
  const share14 = f32x4.splat(share1);
  const beta24 = f32x4.splat(beta2);
  const share24 = f32x4.splat(share2);
  const correction4 = f32x4.splat(correction);
  const epsilon4 = f32x4.splat(epsilon);
  const rate4 = f32x4.splat(rate);
  const keep4 = f32x4.splat(keep);
  const end = p + (usize(count) << 2);
  for (; p < end; p += 16, m += 16, v += 16, g += 16) {
    const gradient = f32x4.mul(v128.load(g), scale4);
    const before = v128.load(m);
    const mean = f32x4.add(before, f32x4.mul(share14, f32x4.sub(gradient, before)));
    v128.store(m, mean);
    const square = f32x4.add(f32x4.mul(beta24, v128.load(v)), f32x4.mul(share24, f32x4.mul(gradient, gradient)));
    v128.store(v, square);
    const size = f32x4.add(f32x4.mul(f32x4.sqrt(square), correction4), epsilon4);
    v128.store(p, f32x4.sub(f32x4.mul(keep4, v128.load(p)), f32x4.mul(rate4, f32x4.div(mean, size))));
  }
}

export function sgd(
  p: usize,
  m: usize,
  g: usize,
  count: i32,
  scale: f32,
  momentum: f32,
  nesterov: i32,
  rate: f32,
  keep: f32,
): void {
  const scale4 = f32x4.splat(scale);
  const momentum4 = f32x4.splat(momentum);
  const rate4 = f32x4.splat(rate);
  const keep4 = f32x4.splat(keep);
  const end = p + (usize(count) << 2);
  for (; p < end; p += 16, m += 16, g += 16) {
    const gradient = f32x4.mul(v128.load(g), scale4);
    let step = f32x4.add(f32x4.mul(momentum4, v128.load(m)), gradient);
    v128.store(m, step);
    if (nesterov) step = f32x4.add(gradient, f32x4.mul(momentum4, step));
    v128.store(p, f32x4.sub(f32x4.mul(keep4, v128.load(p)), f32x4.mul(rate4, step)));
  }
}

export function average(e: usize, p: usize, count: i32, share: f32): void {
  const share4 = f32x4.splat(share);
  const end = e + (usize(count) << 2);
  for (; e < end; e += 16, p += 16) {
    const before = v128.load(e);
    v128.store(e, f32x4.add(before, f32x4.mul(share4, f32x4.sub(v128.load(p), before))));
  }
}

export function addScaled(sum: usize, g: usize, count: i32, scale: f32): void {
  const scale4 = f32x4.splat(scale);
  const end = sum + (usize(count) << 2);
  for (; sum < end; sum += 16, g += 16) {
    v128.store(sum, f32x4.add(v128.load(sum), f32x4.mul(scale4, v128.load(g))));
  }
}

export function sumOfSquares(g: usize, count: i32): f64 {
  let low = f64x2.splat(0);
  let high = low;
  const end = g + (usize(count) << 2);
  for (; g < end; g += 16) {
    const four = v128.load(g);
    const a = f64x2.promote_low_f32x4(four);
    const b = f64x2.promote_low_f32x4(v128.shuffle<f64>(four, four, 1, 1));
    low = f64x2.add(low, f64x2.mul(a, a));
    high = f64x2.add(high, f64x2.mul(b, b));
  }
  const both = f64x2.add(low, high);
  return f64x2.extract_lane(both, 0) + f64x2.extract_lane(both, 1);
}
