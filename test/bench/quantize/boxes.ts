/** A rectangle in pixels. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

/** Intersection over union. */
export function overlap(a: Box, b: Box): number {
  const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
  const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
  if (width <= 0 || height <= 0) return 0;
  const area = ({ left, top, right, bottom }: Box) => (right - left) * (bottom - top);
  return (width * height) / (area(a) + area(b) - width * height);
}

const threshold = 0.3;
const minMeanScore = 0.6;
const minSide = 3;
const unclip = 1.5;

/**
 * Text boxes of a map of probabilities by the post-processing of DBNet in PaddleOCR, for upright boxes: connected
 * pixels above 0.3, mean probability above 0.6, each side moved out by area x 1.5 / perimeter.
 */
export function textBoxes(map: Float32Array, width: number, height: number): readonly Box[] {
  const seen = new Uint8Array(map.length);
  const boxes: Box[] = [];
  for (let start = 0; start < map.length; start++) {
    if (seen[start] || map[start]! <= threshold) continue;
    let [left, right, top, bottom] = [width, 0, height, 0];
    const waiting = [start];
    seen[start] = 1;
    while (waiting.length > 0) {
      const at = waiting.pop()!;
      const x = at % width;
      const y = Math.floor(at / width);
      left = Math.min(left, x);
      right = Math.max(right, x + 1);
      top = Math.min(top, y);
      bottom = Math.max(bottom, y + 1);
      for (let v = Math.max(0, y - 1); v <= Math.min(height - 1, y + 1); v++) {
        for (let u = Math.max(0, x - 1); u <= Math.min(width - 1, x + 1); u++) {
          const next = v * width + u;
          if (seen[next] || map[next]! <= threshold) continue;
          seen[next] = 1;
          waiting.push(next);
        }
      }
    }
    if (right - left < minSide || bottom - top < minSide) continue;
    let sum = 0;
    for (let y = top; y < bottom; y++) for (let x = left; x < right; x++) sum += map[y * width + x]!;
    const area = (right - left) * (bottom - top);
    if (sum / area < minMeanScore) continue;
    const out = (area * unclip) / (2 * (right - left + bottom - top));
    boxes.push({ left: left - out, right: right + out, top: top - out, bottom: bottom + out });
  }
  return boxes;
}
