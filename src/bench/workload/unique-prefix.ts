import { seedOf } from "./seeds.js";

/** Where a prompt is used: a cache that has seen it elsewhere must not know it again. */
export interface Use {
  readonly target: number;
  readonly point: number;
  readonly round: number;
  /** Of the conversation in its stretch. */
  readonly place: number;
  /** Conversations of a group share their prefix, else nothing could be shared. */
  readonly group: number | null;
}

/**
 * Something nobody has sent before, to put before a prompt's first message: caches of prefixes then know nothing of it.
 * Five groups of three digits, because tokenizers cut digits into groups of three (cl100k, Llama 3, DeepSeek) or into
 * single ones (Qwen): every prefix has the same number of tokens. It depends on the target too, because two targets may
 * share a cache (one host, two models or settings). `salt` has to be new in each run: with the seed alone, a second run
 * would find its prompts in the caches.
 */
export function uniquePrefix(salt: string, use: Use): string {
  const own = use.group === null ? ["place", use.place] : ["group", use.group];
  const parts = [salt, use.target, use.point, use.round, ...own];
  const digits = (part: number) => {
    const value = seedOf(part, ...parts) >>> 0;
    return [value % 1000, Math.floor(value / 1000) % 1000].map((group) => String(group).padStart(3, "0"));
  };
  return `[${[...digits(1), ...digits(2), ...digits(3)].slice(0, 5).join(" ")}]\n`;
}
