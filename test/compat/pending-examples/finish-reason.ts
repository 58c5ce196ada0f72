import type { Example } from "../../../src/compat/rule.js";

export const examples: readonly Example[] = [
  {
    target: "current",
    language: "py",
    by: "none",
    before: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
reply = client.chat.completions.create(model="deepseek-flash", messages=messages)
match reply.choices[0].finish_reason:
    case "stop":
        pass
    case "length":
        raise ValueError("cut")
`,
    after: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
reply = client.chat.completions.create(model="deepseek-flash", messages=messages)
match reply.choices[0].finish_reason:
    case "stop":
        pass
    case "length":
        raise ValueError("cut")
    case _:
        raise ValueError("broken off")
`,
  },
];
