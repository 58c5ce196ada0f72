/** A price table of one's own. Loads zod, so it is imported only where a configuration names one. */
import { z } from "zod";
import { UserError } from "../../errors.js";
import { type Price, pricesRead } from "./prices.js";

const dollars = z.number().min(0);
const rate = { hit: dollars, miss: dollars, output: dollars };

/** US dollars for a million tokens: input that the cache held, other input, output. */
const priceTableSchema = z.array(
  z.strictObject({
    model: z.string().min(1),
    from: z.iso.date().optional().describe("first day, YYYY-MM-DD; without it the row holds for every day"),
    ...rate,
    peak: z.strictObject(rate).optional().describe("the dearest hours, where there are such"),
  }),
);

/** Rows of a price table by their day, oldest first; an error names the file, the row and what is allowed. */
export function parsePrices(content: unknown, name: string): readonly Price[] {
  const { success, data, error } = priceTableSchema.safeParse(content);
  if (!success) {
    const [issue] = error.issues;
    const at = issue?.path.map((part) => (typeof part === "number" ? `row ${part + 1}` : String(part))).join(", ");
    throw new UserError(
      `${name}: is no price table${at ? `: ${at}` : ""}: ${issue?.message ?? "not valid"}; it is a list of rows such as {"model": "deepseek-flash", "from": "${pricesRead}", "hit": 0.003, "miss": 0.15, "output": 0.6}, in US dollars for a million tokens`,
    );
  }
  return data
    .map(({ model, from, hit, miss, output, peak }): Price => {
      const low = { hit, miss, output };
      const confidence = "primary" as const;
      return { model, from: from ?? "0000-01-01", low, high: peak ?? low, hours: "as given", source: name, confidence };
    })
    .sort((a, b) => (a.from < b.from ? -1 : a.from > b.from ? 1 : 0));
}
