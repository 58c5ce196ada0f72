import { isTable, type Level } from "./config-hosts.js";
import { entryOf, type Mapping, stringOf } from "./config-tree.js";

const idNames = ["model", "modelId", "model_id", "id", "modelName", "model_name", "name", "slug", "value"];

const names = new WeakMap<Mapping, readonly string[]>();

/** What a mapping calls itself, and what the mappings right below it say of their models. */
function namesIn(mapping: Mapping, inner: Mapping | undefined) {
  const texts = names.get(mapping) ?? idNames.flatMap((name) => stringOf(entryOf(mapping, name)) ?? []);
  names.set(mapping, texts);
  const below = isTable(mapping)
    ? []
    : mapping.entries.flatMap(({ value }) =>
        value !== inner && value.kind === "mapping" ? (stringOf(entryOf(value, "model")) ?? []) : [],
      );
  return { texts, below };
}

/** The DeepSeek id or name that a number belongs to; the nearest entry decides. */
export function ownerOf(levels: readonly Level[]): string | undefined {
  for (let index = levels.length - 1; index >= 0; index -= 1) {
    const { mapping, key } = levels[index]!;
    const inner = levels[index + 1]?.mapping;
    const { texts, below } = namesIn(mapping, inner);
    const found = [...texts, ...below].find((text) => /deepseek/i.test(text));
    if (found) return found;
    if (texts.length > 0 && levels.length - 1 - index <= 2) return undefined;
    if (/deepseek/i.test(key)) return key;
    // the row of another model
    if (/^[\w.-]+[-/:][\w./:-]*\d/.test(key)) return undefined;
  }
  return undefined;
}
