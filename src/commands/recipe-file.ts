import { isUtf8 } from "node:buffer";
import { readFileSync, statSync } from "node:fs";
import { dirname, isAbsolute, join } from "node:path";
import { InvalidArgumentError, type Option } from "commander";
import type { Host, Options } from "../cli.js";
import { UserError } from "../errors.js";
import { absolute, reason } from "./files.js";
import type { RecipeEntry } from "./recipe-text.js";

/** What a recipe says. */
export interface Recipe {
  readonly model: string | undefined;
  /** As commander hands options over; those that the recipe does not name are missing. */
  readonly options: Options;
}

/** Recipes are small; a larger file was named by mistake. */
const mostBytes = 1_000_000;

/**
 * Reads a recipe: YAML or JSON that holds the model and options of a command, each by its long name without the dashes.
 * Paths in it are relative to its folder. Throws a UserError with the line of what is wrong.
 */
export async function readRecipe(host: Host, path: string, options: readonly Option[]): Promise<Recipe> {
  const { recipeEntries } = await import("./recipe-text.js");
  const entries = await recipeEntries(readText(host, path), path);
  const { expectedWords, isNumberList, recipeOptions, recipeSchema } = await import("./recipe-schema.js");
  const known = recipeOptions(options);
  for (const entry of entries) await refuseUnknown(entry, [...known.keys()], path);
  const { success, error } = recipeSchema(options).safeParse(
    Object.fromEntries(entries.map(({ key, value }) => [key, value])),
  );
  if (!success) {
    const entry = entries.find(({ key }) => key === error.issues[0]!.path[0]);
    const option = entry && known.get(entry.key);
    const what = option ? expectedWords(option) : "it must be a text";
    throw new UserError(entry ? `${path}:${entry.line}: ${entry.key}: ${what}` : `${path}: ${what}`);
  }
  const values: Record<string, unknown> = {};
  for (const { key, line, texts } of entries) {
    const option = known.get(key);
    if (!option) continue;
    const parts = (isNumberList(option) ? [texts.join()] : texts).map((text) =>
      isPath(option) ? besideRecipe(path, text) : text,
    );
    const value = valueFrom(option, parts, `${path}:${line}: ${key}`);
    if (value !== undefined) values[option.attributeName()] = value;
  }
  const model = entries.find(({ key }) => key === "model")?.texts[0];
  return { model: model === undefined ? undefined : besideRecipe(path, model), options: values };
}

/** The options of a run: those that were typed win over the recipe's, and those over defaults. */
export function withRecipe(options: Options, typed: ReadonlySet<string>, recipe: Recipe): Options {
  const own = Object.entries(options).filter(([name]) => typed.has(name));
  return { ...options, ...recipe.options, ...Object.fromEntries(own), recipe: undefined };
}

function readText(host: Host, path: string): string {
  const file = absolute(host, path);
  try {
    const { size } = statSync(file);
    if (size > mostBytes) throw new UserError(`--recipe ${path}: is no recipe: it has ${size} bytes`);
    const bytes = readFileSync(file);
    if (bytes.includes(0) || !isUtf8(bytes)) {
      throw new UserError(`--recipe ${path}: is no recipe: it is not a text (YAML or JSON in UTF-8)`);
    }
    return bytes.toString("utf8");
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`--recipe ${path}: cannot read it: ${reason(error)}`);
  }
}

async function refuseUnknown({ key, line }: RecipeEntry, known: readonly string[], path: string): Promise<void> {
  if (key === "model" || key === "$schema" || known.includes(key)) return;
  const { nearestNames } = await import("../compat/gates/names.js");
  const bare = key.replace(/^-+/, "");
  const near = known.includes(bare) ? [bare] : nearestNames(bare, ["model", ...known]);
  const hint = near.length > 0 ? `did you mean ${near.join(" or ")}?` : "--help lists the options";
  throw new UserError(`${path}:${line}: there is no option ${JSON.stringify(key)}; ${hint}`);
}

/** The value of an option as commander would hand it over; undefined where `false` leaves it as it is. */
function valueFrom(option: Option, texts: readonly string[], place: string): unknown {
  const [first] = texts;
  if (!option.required && (first === "true" || first === "false")) {
    return first === "true" ? !option.negate : undefined;
  }
  let value: unknown;
  for (const text of texts) {
    try {
      value = option.parseArg ? option.parseArg(text, value as never) : text;
    } catch (error) {
      if (!(error instanceof InvalidArgumentError)) throw error;
      const words = `${error.message.charAt(0).toLowerCase()}${error.message.slice(1).replace(/\.$/, "")}`;
      throw new UserError(`${place}: ${text}: ${words}`);
    }
  }
  return value;
}

/** Options whose value is a file or a folder. */
const isPath = ({ flags }: Option): boolean => /<(file|path|folder)>$/.test(flags);

const besideRecipe = (recipe: string, path: string): string => (isAbsolute(path) ? path : join(dirname(recipe), path));
