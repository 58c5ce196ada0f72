/** What a recipe may hold, made from the options of a command. Loads zod, so it is imported only where there is one. */
import type { Option } from "commander";
import { z } from "zod";

/** Options that a recipe has no use for. */
const ofTheCommandLine: ReadonlySet<string> = new Set(["--recipe"]);

/** The options that may stand in a recipe, by their keys: the long name without the dashes. */
export function recipeOptions(options: readonly Option[]): ReadonlyMap<string, Option> {
  return new Map(options.flatMap((one) => (ofTheCommandLine.has(one.long!) ? [] : [[one.long!.slice(2), one]])));
}

/** An option without a value. */
const isFlag = ({ required, optional }: Option): boolean => !required && !optional;

/** An option that may be given several times; its help says so. */
export const isRepeatable = ({ description }: Option): boolean => description.includes("(repeatable");

/** An option whose value is numbers with commas between them. */
export const isNumberList = ({ flags }: Option): boolean => flags.endsWith("<numbers>");

const scalar = z.union([z.string().min(1), z.number()]);

/** Schema of a recipe: the model, and every option by its key. */
export function recipeSchema(options: readonly Option[]): z.ZodType {
  const keys = [...recipeOptions(options)].map(([key, option]) => [key, described(option).optional()] as const);
  return z.strictObject({
    $schema: z.string().optional(),
    model: z.string().min(1).optional().describe("the model to compress: an .onnx file"),
    ...Object.fromEntries(keys),
  });
}

function described(option: Option): z.ZodType {
  const { description, defaultValue, defaultValueDescription } = option;
  // defaults that hang on the machine have words
  const words = defaultValueDescription === undefined ? "" : ` (default: ${defaultValueDescription})`;
  const meta =
    defaultValue === undefined || defaultValueDescription !== undefined || isFlag(option)
      ? {}
      : { default: defaultValue };
  return typeOf(option).meta({ description: description + words, ...meta });
}

function typeOf(option: Option): z.ZodType {
  if (isFlag(option)) return z.boolean();
  const one: z.ZodType = option.argChoices ? z.enum(option.argChoices) : scalar;
  if (isNumberList(option)) return z.union([scalar, z.array(z.number()).min(1)]);
  if (isRepeatable(option)) return z.union([one, z.array(one).min(1)]);
  return option.optional ? z.union([z.boolean(), one]) : one;
}

/** What an option takes, in words, for errors. */
export function expectedWords(option: Option): string {
  if (isFlag(option)) return "it must be true or false";
  if (option.argChoices) return `it must be ${option.argChoices.join(", ").replace(/, ([^,]*)$/, " or $1")}`;
  if (isNumberList(option)) return "it must be a number or a list of numbers";
  return `it must be ${isRepeatable(option) ? "a value or a list of values" : "one value"}`;
}
