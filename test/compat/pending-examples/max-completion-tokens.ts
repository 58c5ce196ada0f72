import type { Example } from "../../../src/compat/rule.js";

/** Examples of languages whose readers are not there yet. */
export const examples: readonly Example[] = [
  {
    target: "current",
    language: "py",
    by: "none",
    before: `from langchain_openai import ChatOpenAI
llm = ChatOpenAI(model="deepseek-flash", base_url="https://api.deepseek.com", max_tokens=1024)
`,
    after: `from langchain_deepseek import ChatDeepSeek
llm = ChatDeepSeek(model="deepseek-flash", max_tokens=1024)
`,
  },
];
