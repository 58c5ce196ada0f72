/** US dollars for one million tokens. */
export interface Rate {
  /** Input that the cache held. */
  readonly hit: number;
  /** Other input. */
  readonly miss: number;
  readonly output: number;
}

/** What a model costs from a day on, until the next row of the same model. */
export interface Price {
  readonly model: string;
  /** First day: YYYY-MM-DD, UTC. */
  readonly from: string;
  /** The cheapest hours: all of them where there are no others. */
  readonly low: Rate;
  /** The dearest hours. */
  readonly high: Rate;
  /** When which rate holds, UTC. */
  readonly hours: string;
  readonly source: string;
  readonly confidence: "primary" | "secondary";
}

/** When the tables were read; what came later is not in them. */
export const pricesRead = "2026-11-23";
const page = "https://api-docs.deepseek.com/quick_start/pricing";

function price(
  model: string,
  from: string,
  [hit, miss, output]: readonly [number, number, number],
  more: Partial<Pick<Price, "high" | "hours" | "confidence">> & { readonly discount?: number } = {},
): Price {
  const usual = { hit, miss, output };
  const { discount, ...rest } = more;
  const share = 1 - (discount ?? 0);
  const low = { hit: hit * share, miss: miss * share, output: output * share };
  return { model, from, low, high: usual, hours: "all hours alike", source: page, confidence: "primary", ...rest };
}

const twice = ([hit, miss, output]: readonly [number, number, number]): Rate => ({
  hit: 2 * hit,
  miss: 2 * miss,
  output: 2 * output,
});

const night = "cheap 16:30 to 00:30 UTC";
const peak = "dear 01:00 to 04:00 and 06:00 to 10:00 UTC, Monday to Friday";
// the hours of August are not known to be those of September
const peakUnknown = "dear hours exist; which ones is not known here";
const august = { flash: [0.007, 0.22, 0.66], pro: [0.022, 0.66, 1.98] } as const;

/** Official prices by day, oldest first. */
export const prices: readonly Price[] = [
  price("deepseek-chat", "2024-12-26", [0.014, 0.14, 0.28]),
  price("deepseek-reasoner", "2025-01-20", [0.14, 0.55, 2.19]),
  price("deepseek-chat", "2025-02-08", [0.07, 0.27, 1.1]),
  // the month of the discount is documented, its first day is not
  price("deepseek-chat", "2025-02-26", [0.07, 0.27, 1.1], { discount: 0.5, hours: night }),
  price("deepseek-reasoner", "2025-02-26", [0.14, 0.55, 2.19], { discount: 0.75, hours: night }),
  // the official table is an image; another source has 0.57 for a miss
  ...["deepseek-chat", "deepseek-reasoner"].flatMap((model) => [
    price(model, "2025-09-05", [0.07, 0.56, 1.68], { confidence: "secondary" }),
    price(model, "2025-09-29", [0.028, 0.28, 0.42]),
    // served by deepseek-v4-flash until the names were retired
    price(model, "2026-04-24", [0.0028, 0.14, 0.28]),
  ]),
  price("deepseek-v4-flash", "2026-04-24", [0.0028, 0.14, 0.28]),
  price("deepseek-v4-pro", "2026-05-31", [0.003625, 0.435, 0.87]),
  price("deepseek-v4-flash", "2026-08-16", august.flash, { high: twice(august.flash), hours: peakUnknown }),
  price("deepseek-v4-pro", "2026-08-16", august.pro, { high: twice(august.pro), hours: peakUnknown }),
  ...["deepseek-flash", "deepseek-v4-flash"].map((model) =>
    price(model, "2026-09-10", [0.003, 0.15, 0.6], { high: { hit: 0.006, miss: 0.3, output: 1.2 }, hours: peak }),
  ),
];

const retired: Readonly<Record<string, string>> = {
  "deepseek-chat": "2026-07-24",
  "deepseek-reasoner": "2026-07-24",
};

/**
 * The price of a model on a day (YYYY-MM-DD); undefined where it is not known, or the model was not served. What `own`
 * says of the model and the day goes before the official table.
 */
export function priceOf(model: string, day: string, own: readonly Price[] = []): Price | undefined {
  const agreed = own.filter((one) => one.model === model && one.from <= day).at(-1);
  if (agreed) return agreed;
  const end = Object.hasOwn(retired, model) ? retired[model] : undefined;
  if (end !== undefined && day > end) return undefined;
  return prices.filter((one) => one.model === model && one.from <= day).at(-1);
}
