import type { Example } from "../../../src/compat/rule.js";

/** Examples of languages whose readers are not there yet. */
export const examples: readonly Example[] = [
  {
    target: "v3.1",
    language: "py",
    by: "none",
    before: `from langchain_deepseek import ChatDeepSeek
llm = ChatDeepSeek(model="deepseek-reasoner")
agent = llm.bind_tools([weather])
`,
    after: `from langchain_deepseek import ChatDeepSeek
llm = ChatDeepSeek(model="deepseek-chat")
agent = llm.bind_tools([weather])
`,
  },
];
