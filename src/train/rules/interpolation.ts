/** How Resize finds an element between others: its attributes. */
export interface Interpolation {
  readonly mode: "nearest" | "linear" | "cubic";
  readonly coordinates:
    | "half_pixel"
    | "half_pixel_symmetric"
    | "pytorch_half_pixel"
    | "align_corners"
    | "asymmetric"
    | "tf_half_pixel_for_nn";
  readonly nearest: "round_prefer_floor" | "round_prefer_ceil" | "floor" | "ceil";
  /** The coefficient "a" of the cubic kernel (Keys, 1981). */
  readonly cubicA: number;
  /** Whether cubic weights outside count nothing; otherwise the border goes on. */
  readonly excludeOutside: boolean;
}

/**
 * What Resize does along one axis, as a matrix [resized, size]: row i says how output i is made of the inputs. `scale` is
 * the one the node is given, or resized / size. Coordinates are rounded to float32 as onnxruntime's are, since which
 * element is nearest hangs on it.
 */
export function interpolationMatrix(how: Interpolation, size: number, resized: number, scale: number): Float32Array {
  const matrix = new Float32Array(resized * size);
  for (let row = 0; row < resized; row++) {
    // nothing moves along an axis that keeps its size
    const x = scale === 1 && size === resized ? row : originOf(how.coordinates, row, size, resized, scale);
    for (const [at, weight] of taps[how.mode](x, size, how)) {
      const column = Math.min(Math.max(at, 0), size - 1);
      matrix[row * size + column]! += weight;
    }
  }
  return matrix;
}

type Taps = readonly (readonly [at: number, weight: number])[];

const taps: Readonly<Record<Interpolation["mode"], (x: number, size: number, how: Interpolation) => Taps>> = {
  nearest: (x, _, { nearest }) => [[rounded[nearest](x), 1]],
  linear(x, size) {
    const inside = Math.min(Math.max(x, 0), size - 1);
    const below = Math.floor(inside);
    return [
      [below, 1 - (inside - below)],
      [below + 1, inside - below],
    ];
  },
  cubic(x, size, { cubicA, excludeOutside }) {
    const base = Math.floor(x);
    const all = [-1, 0, 1, 2].map((step) => [base + step, cubic(Math.abs(x - base - step), cubicA)] as const);
    if (!excludeOutside) return all;
    const inside = all.filter(([at]) => at >= 0 && at < size);
    const sum = inside.reduce((total, [, weight]) => total + weight, 0);
    return inside.map(([at, weight]) => [at, weight / sum] as const);
  },
};

const rounded: Readonly<Record<Interpolation["nearest"], (x: number) => number>> = {
  floor: Math.floor,
  ceil: Math.ceil,
  round_prefer_floor: (x) => Math.ceil(x - 0.5),
  round_prefer_ceil: (x) => Math.floor(x + 0.5),
};

function cubic(distance: number, a: number): number {
  if (distance <= 1) return ((a + 2) * distance - (a + 3)) * distance * distance + 1;
  return ((a * distance - 5 * a) * distance + 8 * a) * distance - 4 * a;
}

/** Where an output lies among the inputs. */
function originOf(
  coordinates: Interpolation["coordinates"],
  at: number,
  size: number,
  resized: number,
  scale: number,
): number {
  const f = Math.fround;
  const middle = f(f(at + 0.5) / scale);
  switch (coordinates) {
    case "asymmetric":
      return f(at / scale);
    case "half_pixel":
      return f(middle - 0.5);
    case "pytorch_half_pixel":
      return resized > 1 ? f(middle - 0.5) : 0;
    case "tf_half_pixel_for_nn":
      return middle;
    case "align_corners":
      return resized === 1 ? 0 : f(f(at * (size - 1)) / (resized - 1));
    case "half_pixel_symmetric": {
      const adjustment = f(resized / f(scale * size));
      return f(f(f(size / 2) * f(1 - adjustment)) + f(middle - 0.5));
    }
  }
}
