/** What code is moved to: the V3.1 weights (self-hosted or with another host), or today's official API. */
export type Target = "v3.1" | "current";

/** What each target means, for help texts and reports. */
export const targets: Readonly<Record<Target, { readonly title: string; readonly contextTokens: number }>> = {
  // round figures, as code writes them; the exact limits are 131072 and 1048576
  "v3.1": { title: "DeepSeek V3.1, self-hosted or with another host", contextTokens: 128_000 },
  current: { title: "today's official API (deepseek-flash, deepseek-v4-pro)", contextTokens: 1_000_000 },
};

/** The version that code was written for. */
export type Origin = "v3.0" | "v3.1";
