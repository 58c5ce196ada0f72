import type { Place, Primitive, Request } from "../facts.js";
import { isRetiredAlias, replacementOf } from "../models.js";
import { type Price, priceOf, pricesRead, type Rate } from "./prices.js";
import { bodyOf, type Node } from "./request-body.js";

/** The days at which costs are compared: V3.0 with R1, V3.1 with its own prices, the newest table. */
const costDays = { "v3.0": "2025-02-10", "v3.1": "2025-09-06", current: "2026-09-10" } as const;
type CostDay = keyof typeof costDays;

/** What costs are reckoned with; each is the user's, and is printed. */
export interface CostOptions {
  /** Tokens of input and of output in a month, all requests together. */
  readonly tokensPerMonth?: { readonly input: number; readonly output: number };
  /** Share of input that the cache holds, 0 to 1; 0 where left out. */
  readonly cachedShare?: number;
  /** By how much thinking multiplies output tokens, from and to. Nothing is assumed where left out. */
  readonly reasoningFactor?: readonly [low: number, high: number];
  /** Prices of one's own, before the official ones. */
  readonly prices?: readonly Price[];
}

/** US dollars, from the cheapest to the dearest hours and assumptions. */
export interface Range {
  readonly low: number;
  readonly high: number;
}

/** One model at one date. */
export interface CostAt {
  readonly when: CostDay;
  readonly day: string;
  readonly model: string;
  /** Undefined where the price is not known. */
  readonly price?: Price;
  /** A month's bill, where tokens per month are given. */
  readonly month?: Range;
  /** The most one answer can cost in output tokens, where the request limits them. */
  readonly answer?: Range;
  readonly notes: readonly string[];
}

/** What a call site costs before, at V3.1 and now. */
export interface Cost {
  readonly place: Place;
  readonly callee: string;
  readonly at: readonly CostAt[];
  /** The move in one sentence. */
  readonly sentence: string;
}

/** R1 reasoned up to 32K tokens beside the answer that max_tokens limited. */
const r1Reasoning = 32_768;

/** Costs of a request to the official API; undefined where it names no model that had a price. */
export function costOf(request: Request, options: CostOptions = {}): Cost | undefined {
  if (request.host.host !== "official") return undefined;
  const body = bodyOf(request);
  if (body.endpoint !== "chat" && body.endpoint !== "fim") return undefined;
  const model = only(body.fields["model"]?.node, true);
  if (typeof model !== "string") return undefined;
  const limit = only(body.fields["max_tokens"]?.node);
  const thinking = body.fields["thinking"]?.node;
  const type = thinking?.kind === "object" ? only(thinking.fields["type"]?.node) : undefined;
  const most = typeof limit === "number" ? limit : undefined;
  const at = (Object.keys(costDays) as CostDay[]).map((when) => costAt(when, model, type, most, options));
  return { place: request.place, callee: request.callee, at, sentence: sentenceOf(at, model) };
}

function only(node: Node | undefined, isLikely = false): Primitive | undefined {
  return node?.kind === "value" && (node.isAll || isLikely) ? node.values[0] : undefined;
}

function costAt(
  when: CostDay,
  id: string,
  type: Primitive | undefined,
  limit: number | undefined,
  options: CostOptions,
): CostAt {
  const day = costDays[when];
  const isOld = isRetiredAlias(id);
  // code of today's names is compared with the old name that would have done its work
  const alias = isOld
    ? id === "deepseek-coder"
      ? "deepseek-chat"
      : id
    : type === "disabled"
      ? "deepseek-chat"
      : "deepseek-reasoner";
  const model = when === "current" ? (isOld ? replacementOf(id).id : id) : alias;
  const thinks = when === "current" && !isOld ? type !== "disabled" : alias === "deepseek-reasoner";
  const price = priceOf(model, day, options.prices);
  const notes: string[] = [];
  if (!price) notes.push(`no price of ${model} on ${day} is known here`);
  else if (price.confidence === "secondary")
    notes.push("the official table is an image; one source has 0.57 for a miss");
  if (when === "current" && id === "deepseek-chat") {
    notes.push("with thinking switched off; a rename alone turns it on, and reasoning is billed as output");
  }
  if (thinks && !options.reasoningFactor && options.tokensPerMonth) {
    notes.push("reasoning is billed as output: count it in, or give --reasoning-factor");
  }
  const factor = thinks ? (options.reasoningFactor ?? [1, 1]) : ([1, 1] as const);
  const answerTokens = limit === undefined ? undefined : when === "v3.0" && thinks ? limit + r1Reasoning : limit;
  return {
    when,
    day,
    model,
    ...(price ? { price } : {}),
    ...(price && options.tokensPerMonth ? { month: monthOf(price, options, factor) } : {}),
    ...(price && answerTokens !== undefined ? { answer: outputOf(price, answerTokens) } : {}),
    notes,
  };
}

function monthOf(price: Price, options: CostOptions, [least, most]: readonly [number, number]): Range {
  const { input, output } = options.tokensPerMonth!;
  const cached = options.cachedShare ?? 0;
  const sum = (rate: Rate, factor: number) =>
    (input * (cached * rate.hit + (1 - cached) * rate.miss) + output * factor * rate.output) / 1e6;
  return { low: sum(price.low, least), high: sum(price.high, most) };
}

function outputOf(price: Price, tokens: number): Range {
  return { low: (price.low.output * tokens) / 1e6, high: (price.high.output * tokens) / 1e6 };
}

function sentenceOf(at: readonly CostAt[], id: string): string {
  const words = at.map(({ model, day, price }) => {
    if (!price) return `${model} on ${day}: not known`;
    const figure = (pick: (rate: Rate) => number) => {
      const [low, high] = [pick(price.low), pick(price.high)];
      return low === high ? String(low) : `${low} to ${high}`;
    };
    return `${model} on ${day}: ${figure(({ miss }) => miss)} in, ${figure(({ output }) => output)} out`;
  });
  const rename =
    id === "deepseek-chat" ? "; thinking must be switched off, or its tokens are billed as output too" : "";
  return `USD for 1M tokens: ${words.join("; ")}${rename}`;
}

/** The assumptions behind figures, to be printed with them. */
export function assumptionsOf(options: CostOptions): readonly string[] {
  const { tokensPerMonth, cachedShare, reasoningFactor, prices } = options;
  return [
    `prices of ${Object.values(costDays).join(", ")} from ${priceOf("deepseek-flash", costDays.current)!.source}, read ${pricesRead}; today's may differ`,
    ...[...new Set((prices ?? []).map(({ source }) => source))].map((source) => `before them, the prices in ${source}`),
    ...(tokensPerMonth
      ? [
          `${tokensPerMonth.input} tokens of input and ${tokensPerMonth.output} of output a month, all through one model`,
        ]
      : []),
    `${Math.round(100 * (cachedShare ?? 0))} % of input from the cache`,
    ...(reasoningFactor
      ? [`thinking multiplies output tokens by ${reasoningFactor[0]} to ${reasoningFactor[1]} (your assumption)`]
      : ["nothing assumed of how many tokens reasoning takes: no source gives a figure that holds for all"]),
  ];
}
