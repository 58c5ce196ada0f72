import type { Example } from "../../../src/compat/rule.js";

/** Examples of languages whose readers are not there yet. */
export const examples: readonly Example[] = [
  {
    target: "current",
    language: "py",
    by: "suggested",
    before: `from langchain_deepseek import ChatDeepSeek
llm = ChatDeepSeek(model="deepseek-flash")
grader = llm.with_structured_output(Grade)
`,
    after: `from langchain_deepseek import ChatDeepSeek
llm = ChatDeepSeek(model="deepseek-flash")
grader = llm.with_structured_output(Grade, method="json_mode")
`,
  },
];
