import { seedOf } from "./seeds.js";

/** A block, in which prompts are used once. */
export interface Use {
  readonly target: number;
  readonly point: number;
  readonly round: number;
}

/** Makes the prefix of a conversation by its place in the stretch and its group. */
export type UniquePrefix = (place: number, group: number | null) => string;

/**
 * Something nobody has sent before, to put before a prompt's first message: caches of prefixes then know nothing of it.
 * Conversations of a group get the same in a block, else nothing could be shared. Five groups of three digits, because
 * tokenizers cut digits into groups of three (cl100k, Llama 3, DeepSeek) or into single ones (Qwen): every prefix has
 * the same number of tokens, about ten. It depends on the target too, because two targets may share a cache (one host,
 * two models or settings). `salt` has to be new in each run: with the seed alone, a second run would find its prompts
 * in the caches.
 */
export function uniquePrefix(salt: string, use: Use): UniquePrefix {
  const block = seedOf(salt, use.target, use.point, use.round);
  return (place, group) => {
    const kind = group === null ? 0 : 1;
    const number = group ?? place;
    const first = seedOf(block, kind, number, 1) >>> 0;
    const second = seedOf(block, kind, number, 2) >>> 0;
    const third = seedOf(block, kind, number, 3) >>> 0;
    const groups = [first, Math.floor(first / 1000), second, Math.floor(second / 1000), third];
    return `[${groups.map((digits) => String(digits % 1000).padStart(3, "0")).join(" ")}]\n`;
  };
}
