/** A server's cache of prompts: which of their first blocks were seen before, as in the context cache of DeepSeek. */
export interface PrefixCache {
  /** Characters of the longest known prefix in whole blocks; the prompt is known from now on. */
  hit(prompt: string): number;
}

/** Blocks remembered at most: the oldest go. */
const mostBlocks = 100_000;

export function prefixCache(block: number): PrefixCache {
  const known = new Set<string>();
  return {
    hit(prompt) {
      let hit = 0;
      let unbroken = true;
      // a block is known by all that comes before it as well
      let hash = 2166136261;
      let place = 0;
      for (let end = block; end <= prompt.length; end += block) {
        for (; place < end; place += 1) hash = Math.imul(hash ^ prompt.charCodeAt(place), 16777619);
        const key = `${end}:${hash}:${prompt.slice(end - block, end)}`;
        if (unbroken && known.has(key)) hit = end;
        else unbroken = false;
        known.add(key);
        if (known.size > mostBlocks) known.delete(known.values().next().value!);
      }
      return hit;
    },
  };
}
