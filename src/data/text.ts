import { UserError } from "../errors.js";
import { type DType, formatShape, type Tensor } from "../tensor/tensor.js";
import type { Batch, DeclaredInput } from "./batch.js";

/** How texts become a model's inputs, as far as the user says it. */
export interface TextSettings {
  /** Tokens a text may have, special ones included; default: what tokenizer.json says, else 128. */
  readonly maxLength?: number;
}

/** Turns one text into a sample. */
export interface TextEncoder {
  encode(text: string): Batch;
  /** What is done, in words. */
  readonly words: string;
}

/** Inputs made of a text, as Hugging Face's exporters name them. */
const textInputs: ReadonlySet<string> = new Set(["input_ids", "attention_mask", "token_type_ids", "position_ids"]);

const defaultLength = 128;

/**
 * Prepares a Hugging Face tokenizer (the content of tokenizer.json, and of tokenizer_config.json beside it or null)
 * for a model's inputs. A text becomes one row of token ids; it is cut where it is too long, and padded only where the
 * model's axis has a fixed size. Throws a UserError for a broken tokenizer and for inputs that are no text's.
 */
export async function prepareText(
  tokenizer: string,
  config: string | null,
  inputs: readonly DeclaredInput[],
  settings: TextSettings,
  where: string,
): Promise<TextEncoder> {
  for (const { name, dtype, shape } of inputs) {
    const place = `input "${name}" (${dtype} ${formatShape(shape)})`;
    if (!textInputs.has(name)) {
      throw new UserError(`--tokenizer: ${place} is not made of text; known are ${[...textInputs].join(", ")}`);
    }
    if (
      (dtype !== "int64" && dtype !== "int32") ||
      shape.length !== 2 ||
      (typeof shape[0] === "number" && shape[0] !== 1)
    ) {
      throw new UserError(`--tokenizer: ${place} does not take one row of token ids (int64 or int32, 1 x length)`);
    }
  }
  if (!inputs.some(({ name }) => name === "input_ids"))
    throw new UserError('--tokenizer: the model has no input "input_ids"');
  const fixed = [...new Set(inputs.map(({ shape }) => shape[1]).filter((axis) => typeof axis === "number"))];
  if (fixed.length > 1)
    throw new UserError(`--tokenizer: the model's inputs have different lengths: ${fixed.join(", ")}`);
  const length = fixed[0];
  const json = objectOf(tokenizer, where);
  const own = config === null ? {} : objectOf(config, `${where} (its tokenizer_config.json)`);
  const { Tokenizer } = await import("@huggingface/tokenizers");
  const attempt = <T>(run: () => T): T => {
    try {
      return run();
    } catch (error) {
      throw new UserError(`${where}: cannot be used as a tokenizer: ${(error as Error).message.split("\n")[0]}`);
    }
  };
  const encoder = attempt(() => new Tokenizer(json, own));
  const declared = (json["truncation"] as { readonly max_length?: unknown } | null)?.max_length;
  const most = settings.maxLength ?? length ?? (isLength(declared) ? declared : defaultLength);
  if (length !== undefined && most > length) {
    throw new UserError(`--max-length ${most}: the model takes ${length} tokens`);
  }
  const special = attempt(() => encoder.encode("").ids.length);
  if (most <= special) throw new UserError(`--max-length ${most}: leaves no room beside ${special} special tokens`);
  const pad = padOf(json, own, (token) => encoder.token_to_id(token));
  const padding = length === undefined ? "not padded" : `padded to ${length} with token ${pad}`;
  return {
    words: `one text a line, cut at ${most} tokens, ${padding}`,
    encode(text) {
      const { ids, types } = attempt(() => encodeCut(encoder, text, most));
      const size = length ?? ids.length;
      const row = (values: readonly number[], rest: number) =>
        Array.from({ length: size }, (_, at) => (at < ids.length ? (values[at] ?? rest) : rest));
      const rows: Readonly<Record<string, readonly number[]>> = {
        input_ids: row(ids, pad),
        attention_mask: row(
          ids.map(() => 1),
          0,
        ),
        token_type_ids: row(types, 0),
        position_ids: Array.from({ length: size }, (_, at) => at),
      };
      return new Map(inputs.map(({ name, dtype }) => [name, integers(rows[name]!, dtype)]));
    },
  };
}

/** Counts the tokens of a text, special ones left out, with the content of a tokenizer.json. */
export async function tokenCounterOf(tokenizer: string, where: string): Promise<(text: string) => number> {
  const json = objectOf(tokenizer, where);
  const { Tokenizer } = await import("@huggingface/tokenizers");
  try {
    const encoder = new Tokenizer(json, {});
    const count = (text: string) => encoder.encode(text, { add_special_tokens: false }).ids.length;
    count("a");
    return count;
  } catch (error) {
    throw new UserError(`${where}: cannot be used as a tokenizer: ${(error as Error).message.split("\n")[0]}`);
  }
}

interface Encoder {
  encode(
    text: string,
    options: { readonly return_token_type_ids: true; readonly add_special_tokens?: boolean },
  ): { readonly ids: readonly number[]; readonly token_type_ids: readonly number[] };
}

/** At most `most` tokens: the text's own are cut, the special ones at its end stay. */
function encodeCut(encoder: Encoder, text: string, most: number) {
  const { ids, token_type_ids: types } = encoder.encode(text, { return_token_type_ids: true });
  if (ids.length <= most) return { ids, types };
  const { ids: plain } = encoder.encode(text, { return_token_type_ids: true, add_special_tokens: false });
  // where the text's own tokens stand among the special ones
  let before = 0;
  while (before < ids.length - plain.length && !plain.every((id, at) => ids[before + at] === id)) before++;
  const after = ids.length - plain.length - before;
  const keep = <T>(list: readonly T[]) => [...list.slice(0, most - after), ...list.slice(list.length - after)];
  return { ids: keep(ids), types: keep(types) };
}

function isLength(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) > 0;
}

function objectOf(text: string, where: string): Record<string, unknown> {
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch (error) {
    throw new UserError(`${where}: is not JSON: ${(error as Error).message}`);
  }
  if (typeof data === "object" && data !== null && !Array.isArray(data)) return data as Record<string, unknown>;
  throw new UserError(`${where}: is no tokenizer.json of a Hugging Face model`);
}

/** The token that pads: what tokenizer.json says, else the configuration's, else a usual one, else 0. */
function padOf(
  json: Readonly<Record<string, unknown>>,
  config: Readonly<Record<string, unknown>>,
  idOf: (token: string) => number | undefined,
): number {
  const id = (json["padding"] as { readonly pad_id?: unknown } | null | undefined)?.pad_id;
  if (Number.isSafeInteger(id)) return id as number;
  const named = config["pad_token"] as string | { readonly content?: string } | null | undefined;
  const tokens = [typeof named === "string" ? named : named?.content, "[PAD]", "<pad>", "<|endoftext|>"];
  for (const token of tokens) {
    const found = token === undefined ? undefined : idOf(token);
    if (found !== undefined) return found;
  }
  return 0;
}

function integers(values: readonly number[], dtype: DType): Tensor {
  const shape = [1, values.length];
  return dtype === "int64"
    ? { dtype, shape, data: BigInt64Array.from(values, BigInt) }
    : { dtype: "int32", shape, data: Int32Array.from(values) };
}
