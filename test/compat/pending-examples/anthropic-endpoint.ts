import type { Example } from "../../../src/compat/rule.js";

export const examples: readonly Example[] = [
  {
    target: "current",
    language: "env",
    by: "suggested",
    before: `ANTHROPIC_BASE_URL=https://api.deepseek.com/anthropic
ANTHROPIC_MODEL=deepseek-chat
ANTHROPIC_SMALL_FAST_MODEL=deepseek-chat
`,
    after: `ANTHROPIC_BASE_URL=https://api.deepseek.com/anthropic
ANTHROPIC_MODEL=deepseek-flash
ANTHROPIC_DEFAULT_HAIKU_MODEL=deepseek-flash
`,
  },
  {
    target: "current",
    language: "sh",
    by: "suggested",
    before: `export ANTHROPIC_BASE_URL=https://api.deepseek.com/anthropic
export ANTHROPIC_MODEL=deepseek-reasoner
export ANTHROPIC_SMALL_FAST_MODEL="deepseek-chat"
claude
`,
    after: `export ANTHROPIC_BASE_URL=https://api.deepseek.com/anthropic
export ANTHROPIC_MODEL=deepseek-flash
export ANTHROPIC_DEFAULT_HAIKU_MODEL="deepseek-flash"
claude
`,
  },
  {
    target: "current",
    language: "json",
    by: "suggested",
    before: `{ "env": { "ANTHROPIC_BASE_URL": "https://api.deepseek.com/anthropic", "ANTHROPIC_MODEL": "deepseek-chat" } }
`,
    after: `{ "env": { "ANTHROPIC_BASE_URL": "https://api.deepseek.com/anthropic", "ANTHROPIC_MODEL": "deepseek-flash" } }
`,
  },
  {
    target: "current",
    language: "py",
    by: "suggested",
    before: `import anthropic
client = anthropic.Anthropic(base_url="https://api.deepseek.com/anthropic")
client.messages.create(model="deepseek-chat", max_tokens=1024, messages=messages)
`,
    after: `import anthropic
client = anthropic.Anthropic(base_url="https://api.deepseek.com/anthropic")
client.messages.create(model="deepseek-flash", max_tokens=1024, messages=messages)
`,
  },
];
