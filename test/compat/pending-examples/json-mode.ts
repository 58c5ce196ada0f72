import type { Example } from "../../../src/compat/rule.js";

/** Examples of languages whose readers are not there yet. */
export const examples: readonly Example[] = [
  {
    target: "current",
    language: "py",
    by: "suggested",
    before: `from langchain_deepseek import ChatDeepSeek
llm = ChatDeepSeek(model="deepseek-chat")
grader = llm.with_structured_output(Grade, method="json_schema")
`,
    after: `from langchain_deepseek import ChatDeepSeek
llm = ChatDeepSeek(model="deepseek-chat")
grader = llm.with_structured_output(Grade, method="json_mode")
`,
  },
  {
    target: "v3.1",
    language: "sh",
    by: "suggested",
    before: `curl https://api.deepseek.com/chat/completions \\
  -H "Authorization: Bearer $DEEPSEEK_API_KEY" \\
  -d '{
    "model": "deepseek-chat",
    "messages": [{"role": "user", "content": "as json"}],
    "response_format": {"type": "json_schema", "json_schema": {"name": "a", "schema": {"type": "object"}}}
  }'
`,
    after: `curl https://api.deepseek.com/chat/completions \\
  -H "Authorization: Bearer $DEEPSEEK_API_KEY" \\
  -d '{
    "model": "deepseek-chat",
    "messages": [{"role": "user", "content": "as json"}],
    "response_format": {"type": "json_object"}
  }'
`,
  },
];
