import { UserError } from "../errors.js";
import { edge, maxBins } from "./histogram.js";
import type { ValueStatistics } from "./statistics.js";

/** Noise power over signal power of the model's outputs with one weight quantized, by what is quantized. */
interface MeasuredNoises {
  /** SHA-256 of all that they depend on, in hexadecimal: model, samples, settings, runtime. */
  readonly of: string;
  readonly alone: readonly (readonly [key: string, noise: number])[];
}

/** What calibration saw of a model's values. Ranges of every method follow from it (ranges.ts). */
export interface Calibration {
  readonly schema: "deepseek/calibration@1";
  /** SHA-256 of the model file it was made with, in hexadecimal. */
  readonly model: { readonly sha256: string };
  /** In words: what the samples were and how they were read. */
  readonly source: string;
  readonly samples: number;
  /** Values that were asked for and are no floats. */
  readonly skipped?: readonly string[] | undefined;
  /** What weights alone cost, as measured when they were ranked. */
  readonly noises?: readonly MeasuredNoises[] | undefined;
  /** By value name. */
  readonly values: ReadonlyMap<string, ValueStatistics>;
}

const digits = 9;

/** A calibration as JSON, one line a value. Means are rounded to what a float32 holds; all else is kept exactly. */
export function encodeCalibration(calibration: Calibration): string {
  const { values, ...rest } = calibration;
  const rounded = (numbers: readonly number[]) => numbers.map((number) => Number(number.toPrecision(digits)));
  const lines = [...values].map(([name, { histogram, channels, ...statistics }]) =>
    JSON.stringify({
      name,
      ...statistics,
      histogram: { ...histogram, counts: Array.from(histogram.counts) },
      channels: channels && {
        axis: channels.axis,
        mean: rounded(channels.mean),
        meanSquare: rounded(channels.meanSquare),
        maxAbs: channels.maxAbs,
        min: channels.min,
        max: channels.max,
      },
    }),
  );
  const head = JSON.stringify(rest).slice(0, -1);
  return `${head},"values":[${lines.length > 0 ? `\n${lines.join(",\n")}\n` : ""}]}\n`;
}

/**
 * Reads what {@link encodeCalibration} wrote; `where` names the file. Throws a UserError for what is no calibration,
 * naming the field, and for one of another model, with both hashes.
 */
export async function decodeCalibration(text: string, where: string, sha256: string): Promise<Calibration> {
  const { z } = await import("zod");
  const count = z.int().min(0);
  const list = z.array(z.number()).max(2 ** 20);
  const value = z
    .strictObject({
      name: z.string().min(1),
      samples: z.int().min(1),
      elements: z.int().min(1),
      min: z.number(),
      max: z.number(),
      movingMin: z.number(),
      movingMax: z.number(),
      zeros: count,
      histogram: z.strictObject({
        exponent: z.int().min(-1000).max(1023),
        first: z.int().min(-maxBins).max(0),
        counts: z.array(count).max(maxBins),
      }),
      channels: z
        .strictObject({
          axis: z.int().min(-64).max(63),
          mean: list,
          meanSquare: list.refine((all) => all.every((number) => number >= 0), "is negative"),
          maxAbs: list.refine((all) => all.every((number) => number >= 0), "is negative"),
          min: list,
          max: list,
        })
        .refine(
          ({ mean, ...rest }) =>
            [rest.meanSquare, rest.maxAbs, rest.min, rest.max].every(({ length }) => length === mean.length),
          "mean, meanSquare, maxAbs, min and max have different lengths",
        )
        .nullable(),
    })
    .superRefine((statistics, context) => {
      const problem = contradiction(statistics);
      if (problem) context.addIssue({ code: "custom", ...problem });
    });
  const hex = z.string().regex(/^[0-9a-f]{64}$/, "is no SHA-256 in hexadecimal");
  const schema = z.object({
    schema: z.literal("deepseek/calibration@1"),
    model: z.object({ sha256: hex }),
    source: z.string(),
    samples: z.int().min(1),
    skipped: z.array(z.string()).optional(),
    noises: z
      .array(z.object({ of: hex, alone: z.array(z.tuple([z.string(), z.number().min(0)])).max(2 ** 20) }))
      .max(64)
      .optional(),
    values: z.array(value).max(2 ** 20),
  });
  let data: unknown;
  try {
    data = JSON.parse(text);
  } catch {
    throw new UserError(`${where}: is not JSON, so no calibration; leave --calibration out, or give another file`);
  }
  const parsed = schema.safeParse(data);
  if (!parsed.success) {
    const issue = parsed.error.issues[0]!;
    const field = issue.path.reduce<string>(
      (way, part) => (typeof part === "number" ? `${way}[${part}]` : `${way}${way ? "." : ""}${String(part)}`),
      "",
    );
    throw new UserError(`${where}: is no calibration that can be used: ${field || "the file"}: ${issue.message}`);
  }
  const { values, model } = parsed.data;
  if (model.sha256 !== sha256) {
    throw new UserError(
      `${where}: was made with another model (SHA-256 ${model.sha256}; this one has ${sha256}); calibrate again with --data`,
    );
  }
  const byName = new Map(values.map(({ name, ...statistics }) => [name, statistics]));
  if (byName.size !== values.length) throw new UserError(`${where}: values: the same name stands there twice`);
  return { ...parsed.data, values: byName };
}

/** Where a value's numbers contradict each other. */
function contradiction(statistics: ValueStatistics): { readonly path: string[]; readonly message: string } | undefined {
  const { elements, samples, min, max, movingMin, movingMax, zeros, histogram } = statistics;
  const { counts } = histogram;
  if (samples > elements) return { path: ["samples"], message: `are ${samples}, with ${elements} elements` };
  if (min > max) return { path: ["min"], message: `${min} is above max ${max}` };
  if (movingMin < min || movingMax > max) {
    return { path: ["movingMin"], message: `the moving average ${movingMin} to ${movingMax} leaves ${min} to ${max}` };
  }
  let total = zeros;
  for (let at = 0; at < counts.length; at++) total += counts[at]!;
  if (total !== elements) {
    return { path: ["histogram", "counts"], message: `count ${total} elements with the zeros, not ${elements}` };
  }
  const bins = counts.length;
  const reaches =
    bins === 0
      ? min === 0 && max === 0
      : min >= edge(histogram, 0) && max <= edge(histogram, bins) && histogram.first + bins > 0;
  if (!reaches) return { path: ["histogram", "first"], message: `its bins do not reach from ${min} to ${max}` };
  return undefined;
}
