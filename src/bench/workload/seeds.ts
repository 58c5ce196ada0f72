/**
 * A seed for one purpose out of many: the parts are mixed with murmur3's 32-bit steps, so that neighbours (round 1,
 * round 2) give unrelated seeds. Not for cryptography.
 */
export function seedOf(...parts: readonly (number | string)[]): number {
  let mixed = 0x9747b28c;
  const add = (word: number) => {
    let part = Math.imul(word | 0, 0xcc9e2d51);
    part = (part << 15) | (part >>> 17);
    mixed ^= Math.imul(part, 0x1b873593);
    mixed = (mixed << 13) | (mixed >>> 19);
    mixed = (Math.imul(mixed, 5) + 0xe6546b64) | 0;
  };
  for (const part of parts) {
    if (typeof part === "number") {
      add(part);
    } else {
      for (let at = 0; at < part.length; at++) add(part.charCodeAt(at));
    }
    // the end of a part counts: ("a", "b") is not ("ab")
    add(0x5bd1e995);
  }
  mixed ^= mixed >>> 16;
  mixed = Math.imul(mixed, 0x85ebca6b);
  mixed ^= mixed >>> 13;
  mixed = Math.imul(mixed, 0xc2b2ae35);
  return mixed ^ (mixed >>> 16);
}
