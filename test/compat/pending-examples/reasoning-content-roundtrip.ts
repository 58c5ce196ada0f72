import type { Example } from "../../../src/compat/rule.js";

const setUp = `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
`;

/** Examples of languages whose readers are not there yet. */
export const examples: readonly Example[] = [
  {
    target: "v3.1",
    language: "py",
    by: "suggested",
    before: `${setUp}reply = client.chat.completions.create(model="deepseek-reasoner", messages=messages)
messages.append(reply.choices[0].message)
`,
    after: `${setUp}reply = client.chat.completions.create(model="deepseek-reasoner", messages=messages)
messages.append({"role": "assistant", "content": reply.choices[0].message.content})
`,
  },
  {
    target: "current",
    language: "py",
    by: "suggested",
    before: `${setUp}reply = client.chat.completions.create(model="deepseek-flash", messages=messages, tools=tools)
message = reply.choices[0].message
messages.append({"role": "assistant", "content": message.content, "tool_calls": message.tool_calls})
`,
    after: `${setUp}reply = client.chat.completions.create(model="deepseek-flash", messages=messages, tools=tools)
message = reply.choices[0].message
messages.append(message)
`,
  },
  {
    target: "current",
    language: "py",
    by: "suggested",
    before: `${setUp}for message in messages:
    message.setdefault("content", "")
    message.pop("reasoning_content", None)
reply = client.chat.completions.create(model="deepseek-flash", messages=messages, tools=tools)
`,
    after: `${setUp}for message in messages:
    message.setdefault("content", "")
reply = client.chat.completions.create(model="deepseek-flash", messages=messages, tools=tools)
`,
  },
];
