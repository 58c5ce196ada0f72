import type { Example } from "../../../src/compat/rule.js";

/** Examples of languages whose readers are not there yet. */
export const examples: readonly Example[] = [
  {
    target: "v3.1",
    language: "yaml",
    by: "none",
    before: `models:
  - name: deepseek-chat
    supports_tools: false
`,
    after: `models:
  - name: deepseek-chat
    supports_tools: true
`,
  },
];
