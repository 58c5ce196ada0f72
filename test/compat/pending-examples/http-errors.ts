import type { Example } from "../../../src/compat/rule.js";

export const examples: readonly Example[] = [
  {
    target: "current",
    language: "py",
    by: "suggested",
    before: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
def is_malformed(error):
    return error.status_code == 422
client.chat.completions.create(model="deepseek-flash", messages=messages)
`,
    after: `from openai import OpenAI
client = OpenAI(base_url="https://api.deepseek.com")
def is_malformed(error):
    return error.status_code in (400, 422)
client.chat.completions.create(model="deepseek-flash", messages=messages)
`,
  },
  {
    target: "current",
    language: "py",
    by: "none",
    before: `import json
import requests
body = {"model": "deepseek-flash", "messages": messages, "stream": True}
response = requests.post("https://api.deepseek.com/chat/completions", json=body, stream=True)
for line in response.iter_lines():
    handle(json.loads(line[6:]))
`,
    after: `import json
import requests
body = {"model": "deepseek-flash", "messages": messages, "stream": True}
response = requests.post("https://api.deepseek.com/chat/completions", json=body, stream=True)
for line in response.iter_lines():
    if line.startswith(b"data: {"):
        handle(json.loads(line[6:]))
`,
  },
];
