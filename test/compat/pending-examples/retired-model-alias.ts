import type { Example } from "../../../src/compat/rule.js";

/** Examples of languages whose readers are not there yet. */
export const examples: readonly Example[] = [
  {
    target: "current",
    language: "py",
    by: "safe",
    before: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
reply = client.chat.completions.create(model="deepseek-reasoner", messages=messages)
`,
    after: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
reply = client.chat.completions.create(model="deepseek-flash", extra_body={"thinking": {"type": "enabled"}}, messages=messages)
`,
  },
  {
    target: "current",
    language: "py",
    by: "safe",
    before: `from litellm import completion
reply = completion(model="deepseek/deepseek-chat", messages=messages)
`,
    after: `from litellm import completion
reply = completion(model="deepseek/deepseek-flash", thinking={"type": "disabled"}, messages=messages)
`,
  },
  {
    target: "current",
    language: "py",
    by: "suggested",
    before: `from pydantic_ai import Agent
agent = Agent("deepseek:deepseek-chat", instructions="Be brief.")
`,
    after: `from pydantic_ai import Agent
agent = Agent("deepseek:deepseek-flash", model_settings={"extra_body": {"thinking": {"type": "disabled"}}}, instructions="Be brief.")
`,
  },
];
