import type { TokenSource, Usage } from "./record.js";

/** Tokens of a text by a tokenizer. */
export type CountTokens = (text: string) => number;

/**
 * How many tokens an answer has: by the server's usage, else by a tokenizer over the joined text (never event by event:
 * "Hel" and "lo" are one token), else the number of token events. A failed answer counts by usage only.
 */
export function outputTokensOf(answer: {
  readonly usage: Usage | null;
  readonly events: number;
  readonly texts: readonly string[];
  readonly failed: boolean;
  readonly countTokens: CountTokens | undefined;
}): { readonly outputTokens: number | null; readonly tokenSource: TokenSource | null } {
  const told = answer.usage?.output ?? null;
  // some gateways report 0 for want of a count
  const untrue = told === 0 && (answer.events > 0 || answer.texts.some((text) => text !== ""));
  if (told !== null && !untrue) return { outputTokens: told, tokenSource: "usage" };
  if (answer.failed) return { outputTokens: null, tokenSource: null };
  if (answer.countTokens !== undefined) {
    // reasoning, answer and calls are apart from each other for the model, too
    const texts = answer.texts.filter((text) => text !== "");
    return { outputTokens: texts.reduce((sum, text) => sum + answer.countTokens!(text), 0), tokenSource: "tokenizer" };
  }
  // without a stream there is nothing to count
  return answer.events === 0
    ? { outputTokens: null, tokenSource: null }
    : { outputTokens: answer.events, tokenSource: "events" };
}
