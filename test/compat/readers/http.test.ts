import { expect, test } from "@jest/globals";
import { at, errorsIn, readText } from "./read.js";

const file = `@host = https://api.deepseek.com
@url={{host}}/v1
@key = sk-0123456789abcdef0123
### first
# @name chat
POST {{url}}/chat/completions HTTP/1.1
Authorization: Bearer {{key}}
Content-Type: application/json

{
  "model": "deepseek-chat",
  "max_tokens": {{limit}},
  "messages": [{ "role": "user", "content": "{{question}}" }]
}

> {% client.log("{") %}

### second
POST https://openrouter.ai/api/v1/chat/completions
  ?x=1

{ "model": "deepseek/deepseek-chat", "messages": [] }
###
GET {{url}}/models
`;

test("requests, with variables and handlers", async () => {
  const facts = await readText("a.http", file);
  expect(
    facts.requests.map(({ host, baseUrl, endpoint, model, object }) => [
      `${host.host} ${host.certainty}`,
      baseUrl?.candidates[0]?.value,
      baseUrl?.candidates[0]?.path,
      endpoint,
      model && at(facts, model.candidates[0]!.place),
      object !== undefined,
    ]),
  ).toEqual([
    [
      "official certain",
      "https://api.deepseek.com/v1/chat/completions",
      ["url, a.http:2", "host, a.http:1"],
      "/v1/chat/completions",
      '"deepseek-chat"',
      // a hole outside of strings is no JSON that could be checked after a change
      false,
    ],
    [
      "openrouter certain",
      "https://openrouter.ai/api/v1/chat/completions?x=1",
      [],
      "/api/v1/chat/completions",
      '"deepseek/deepseek-chat"',
      true,
    ],
  ]);
  expect(facts.settings.map(({ name, isSecret, value }) => [name, isSecret, value])).toEqual([
    ["host", false, "https://api.deepseek.com"],
    ["url", false, "{{host}}/v1"],
    ["key", true, ""],
  ]);
  expect(JSON.stringify({ ...facts, text: "" })).not.toContain("0123456789abcdef");
});

test("a body that is no JSON is an error", async () => {
  expect(await errorsIn("a.rest", 'POST https://x.y\n\n{ "a": }\n')).toBe(1);
  expect(await errorsIn("a.rest", 'POST https://x.y\r\n\r\n{ "a": "{{b}}" }\r\n###\r\n')).toBe(0);
});
