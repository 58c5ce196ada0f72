import { UserError } from "../../errors.js";
import { drawLength, type Lengths, parseLengths } from "./lengths.js";
import type { Source } from "./make.js";
import type { Vocabulary } from "./words.js";

/** Prompts made of words: `in=512,out=128`. */
export interface Synthetic {
  /** As it was written. */
  readonly text: string;
  readonly input: Lengths;
  /** Becomes max_tokens: an answer may end earlier. Null: the server's own limit. */
  readonly output: Lengths | null;
  readonly turns: number;
  readonly thinkSeconds: number;
  /** Sends `ignore_eos: true` and `min_tokens`, which vLLM and SGLang take: answers then have exactly that length. */
  readonly ignoreEos: boolean;
}

const example = "in=512,out=128 or in=normal:512:100,out=64,turns=3,think=2";
/** Turns of a conversation at most: each holds all that were before it. */
const mostTurns = 1000;

/** Reads the value of `--synthetic`. Throws a UserError that names what is wrong. */
export function parseSynthetic(text: string, ignoreEos = false): Synthetic {
  const fields = new Map<string, string>();
  for (const part of text.split(",")) {
    const [, name, value] = /^\s*(\w+)\s*=\s*(.+?)\s*$/.exec(part) ?? [];
    if (name === undefined || value === undefined || !["in", "out", "turns", "think"].includes(name)) {
      throw new UserError(`--synthetic: "${part}" is not in, out, turns or think with a value; give ${example}`);
    }
    if (fields.has(name)) throw new UserError(`--synthetic: ${name} is there twice; give ${example}`);
    fields.set(name, value);
  }
  const input = fields.get("in");
  if (input === undefined) throw new UserError(`--synthetic: "${text}" says no length of prompts; give ${example}`);
  const output = fields.get("out");
  if (ignoreEos && output === undefined) throw new UserError(`--ignore-eos needs a length of answers: give ${example}`);
  return {
    text,
    input: parseLengths(input, "--synthetic in"),
    output: output === undefined ? null : parseLengths(output, "--synthetic out"),
    turns: wholeNumber(fields.get("turns") ?? "1", "turns"),
    thinkSeconds: seconds(fields.get("think") ?? "0"),
    ignoreEos,
  };
}

/** What a prompt begins with, so that a model has something to do that does not end soon. */
const start = "Continue this list of words for as long as you can:";

/** A source of such prompts, without end. */
export function syntheticSource(synthetic: Synthetic, seed: number, words: Vocabulary): Source {
  const { input, output, turns, thinkSeconds, ignoreEos } = synthetic;
  return {
    name: `synthetic ${synthetic.text} (${words.counted})`,
    size: null,
    ordered: false,
    arrivals: null,
    take: (number, stretch) => ({
      id: number < 0 ? `warm-up ${-number}` : `${stretch}-${number}`,
      group: null,
      turns: Array.from({ length: turns }, (_, turn) => {
        const at = [seed, stretch, number, turn];
        const tokens = drawLength(input, "in", ...at);
        const most = output === null ? null : drawLength(output, "out", ...at);
        return {
          messages: [{ role: "user" as const, content: words.text(tokens, start, ...at) }],
          parameters: {
            ...(most === null ? {} : { max_tokens: most }),
            ...(ignoreEos && most !== null ? { ignore_eos: true, min_tokens: most } : {}),
          },
          thinkSeconds: turn === 0 ? 0 : thinkSeconds,
          recordedAnswer: null,
        };
      }),
    }),
  };
}

function wholeNumber(text: string, name: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1 || value > mostTurns) {
    throw new UserError(`--synthetic: ${name}=${text} is not a whole number from 1 to ${mostTurns}`);
  }
  return value;
}

function seconds(text: string): number {
  const [, value, unit] = /^(\d+(?:\.\d+)?)(ms|s)?$/.exec(text) ?? [];
  if (value === undefined) throw new UserError(`--synthetic: think=${text} is not a time; give think=2 or think=500ms`);
  return unit === "ms" ? Number(value) / 1000 : Number(value);
}
