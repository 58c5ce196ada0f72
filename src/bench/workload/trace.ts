import { UserError } from "../../errors.js";
import { type DatasetLimits, datasetLimits, entriesOf } from "./dataset.js";
import { type Fields, isFields, readEntry } from "./entry.js";
import type { Source } from "./make.js";
import { seedOf } from "./seeds.js";
import type { Vocabulary } from "./words.js";
import type { Conversation } from "./workload.js";

/** Tokens of a block that `hash_ids` name (Mooncake, Qin et al. 2024). */
const blockTokens = 512;
/** No context is longer. */
const mostTokens = 4_000_000;
/** Texts of blocks that are remembered. */
const keptBlocks = 256;

/** A request of a trace. */
interface Arrival {
  /** Seconds. */
  readonly at: number;
  readonly take: (stretch: number) => Conversation;
}

/**
 * Requests as they once came, from JSON Lines:
 *
 * - `{"timestamp": ms, "input_length": tokens, "output_length": tokens, "hash_ids": [...]}` (Mooncake's form): the text
 *   is made up; requests with equal hash_ids begin alike, block by block of 512 tokens
 * - `{"at": seconds, "prompt": ...}`, or any other shape of a data set with `at` (or `timestamp`, in ms)
 *
 * Sorted by time. Throws a UserError that names file and line.
 */
export function traceSource(
  text: string,
  name: string,
  seed: number,
  words: Vocabulary,
  limits: DatasetLimits = datasetLimits,
): Source {
  const blocks = new Map<string, string>();
  const blockOf = (id: number): string => {
    const key = String(id);
    const block = blocks.get(key) ?? words.text(blockTokens, "", seed, "block", key);
    if (blocks.size >= keptBlocks) blocks.clear();
    blocks.set(key, block);
    return block;
  };
  const arrivals = entriesOf(text, name, limits).map((entry): Arrival => {
    const value = entry.read();
    if (!isFields(value)) throw new UserError(`${entry.where} is not an object with a time; ${remedy}`);
    const at = timeOf(value, entry.where);
    const input = value["input_length"];
    if (input === undefined) {
      readEntry(value, entry.where, 1);
      return { at, take: () => ({ id: entry.id, turns: readEntry(entry.read(), entry.where, 1), group: null }) };
    }
    const tokens = lengthOf(input, "input_length", entry.where);
    const output = value["output_length"];
    const most = output === undefined ? null : lengthOf(output, "output_length", entry.where);
    const ids = hashesOf(value["hash_ids"], entry.where);
    return {
      at,
      take: (stretch) => {
        const shared = ids.slice(0, Math.floor(tokens / blockTokens)).map(blockOf);
        const rest = tokens - shared.length * blockTokens;
        const own = rest > 0 ? [words.text(rest, "", seed, stretch, entry.id)] : [];
        return {
          id: entry.id,
          // all of one group: who shares what, the ids say
          group: ids.length > 0 ? 0 : null,
          turns: [
            {
              messages: [{ role: "user", content: [...shared, ...own].join(" ") }],
              parameters: most === null ? {} : { max_tokens: most },
              thinkSeconds: 0,
              recordedAnswer: null,
            },
          ],
        };
      },
    };
  });
  arrivals.sort((a, b) => a.at - b.at);
  return {
    name: `trace ${name}`,
    size: arrivals.length,
    ordered: true,
    arrivals: arrivals.map(({ at }) => at),
    take: (number, stretch) => arrivals[number]!.take(seedOf(stretch)),
  };
}

const remedy =
  'write {"timestamp": milliseconds, "input_length": 512, "output_length": 128} or {"at": seconds, "prompt": "..."}';

function timeOf(value: Fields, where: string): number {
  const { at, timestamp } = value;
  const seconds = typeof at === "number" ? at : typeof timestamp === "number" ? timestamp / 1000 : Number.NaN;
  if (!Number.isFinite(seconds)) {
    const seen = Object.keys(value).slice(0, 8).join(", ") || "none";
    throw new UserError(`${where} has no time (its fields: ${seen}); ${remedy}`);
  }
  return seconds;
}

function lengthOf(value: unknown, name: string, where: string): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 1 || value > mostTokens) {
    throw new UserError(`${where}: ${name} is not a whole number from 1 to ${mostTokens}`);
  }
  return value;
}

function hashesOf(value: unknown, where: string): readonly number[] {
  if (value === undefined) return [];
  if (!Array.isArray(value) || !value.every((id) => typeof id === "number")) {
    throw new UserError(`${where}: hash_ids is not a list of numbers`);
  }
  return value;
}
