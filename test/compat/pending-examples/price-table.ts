import type { Example } from "../../../src/compat/rule.js";

export const examples: readonly Example[] = [
  {
    target: "current",
    language: "py",
    by: "none",
    before: `PRICES = {
    "deepseek-chat": {"input": 0.27, "output": 1.10, "cache_hit": 0.07},
}
`,
    after: `PRICES = {
    "deepseek-flash": {"input": 0.15, "output": 0.60, "cache_hit": 0.003},
}
`,
  },
  {
    target: "current",
    language: "json",
    by: "none",
    before: `{
  "deepseek/deepseek-chat": {
    "litellm_provider": "deepseek",
    "input_cost_per_token": 2.7e-07,
    "output_cost_per_token": 1.1e-06
  }
}
`,
    after: `{
  "deepseek/deepseek-flash": {
    "litellm_provider": "deepseek",
    "input_cost_per_token": 1.5e-07,
    "output_cost_per_token": 6e-07
  }
}
`,
  },
  {
    target: "v3.1",
    language: "yaml",
    by: "none",
    before: `models:
  - name: deepseek-chat
    input_price: 0.27
    output_price: 1.1
`,
    after: `models:
  - name: deepseek-chat
`,
  },
];
