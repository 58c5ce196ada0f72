import type { TokenRates } from "../bench/endpoints/cost.js";
import type { EndpointBenchResult } from "../bench/endpoints/result.js";
import type { Target } from "../bench/endpoints/target.js";
import type { Host, Options } from "../cli.js";
import { UserError } from "../errors.js";
import { readInput } from "./files.js";

/** What tokens cost today: by a table of one's own, else by the official one for the official host. */
export async function ratesOf(
  host: Host,
  options: Options,
  targets: readonly Target[],
): Promise<{
  readonly rates: Readonly<Record<string, TokenRates>>;
  readonly prices: EndpointBenchResult["prices"];
}> {
  const { priceOf } = await import("../compat/proof/prices.js");
  const path = options["prices"] as string | undefined;
  const own = path === undefined ? [] : await ownPrices(host, path);
  const today = new Date().toISOString().slice(0, 10);
  const found = targets.flatMap((target) => {
    const official = new URL(target.url).hostname === "api.deepseek.com";
    // a name means nothing at another host, unless the user says what it costs
    const price = priceOf(target.model, today, own);
    return price && (official || own.includes(price)) ? [{ target: target.label, price }] : [];
  });
  return {
    rates: Object.fromEntries(found.map(({ target, price }) => [target, price.low])),
    prices:
      found.length === 0
        ? null
        : found.map(({ target, price }) => ({ target, source: price.source, date: price.from })),
  };
}

async function ownPrices(host: Host, path: string) {
  const { parsePrices } = await import("../compat/proof/own-prices.js");
  let content: unknown;
  try {
    content = JSON.parse(new TextDecoder().decode(readInput(host, path, "price table")));
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw new UserError(`${path}: is not valid JSON`);
  }
  return parsePrices(content, path);
}
