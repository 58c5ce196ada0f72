import type { Example } from "../../../src/compat/rule.js";

const setUp = `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
`;

/** Examples of languages whose readers are not there yet. */
export const examples: readonly Example[] = [
  {
    target: "current",
    language: "py",
    by: "suggested",
    before: `${setUp}reply = client.chat.completions.create(model="deepseek-flash", messages=messages, thinking={"type": "disabled"})
`,
    after: `${setUp}reply = client.chat.completions.create(model="deepseek-flash", messages=messages, extra_body={"thinking": {"type": "disabled"}})
`,
  },
  {
    target: "current",
    language: "py",
    by: "suggested",
    before: `${setUp}reply = client.chat.completions.create(model="deepseek-flash", messages=messages, extra_body={"enable_thinking": False})
`,
    after: `${setUp}reply = client.chat.completions.create(model="deepseek-flash", messages=messages, extra_body={"thinking": {"type": "disabled"}})
`,
  },
];
