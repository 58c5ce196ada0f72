import type { Place } from "../facts.js";
import type { Edit, Problem, Rule } from "../rule.js";
import { type Serving, type ServingOption, servingsIn } from "../serving.js";

export const servingFlags: Rule = {
  id: "serving-flags",
  code: "R34",
  title: "A model server's parsers or template for other weights than it serves",
  severity: { "v3.1": "error", current: null },
  effect: "silent change",
  explanation:
    "vLLM and SGLang read tool calls and reasoning from a model's text with parsers that fit one generation of weights: deepseek_v3 and deepseek_r1 (SGLang: deepseekv3, deepseek-r1) for V3.0 and R1, deepseek_v31 and deepseek_v3 (deepseekv31, deepseek-v3) for V3.1. With the old tool parser V3.1's calls arrive as plain text; with the parser of R1, which takes everything for reasoning until </think>, a plain answer of V3.1 arrives in reasoning_content and content is null. Neither reports an error. The new parsers need vLLM of about 0.10.2 or later (the exact version was not checked). Which weights are served is never changed by a fix.",
  examples: [
    {
      target: "v3.1",
      language: "js",
      by: "safe",
      before: `import { spawn } from "node:child_process";
spawn("vllm", ["serve", "deepseek-ai/DeepSeek-V3.1", "--enable-auto-tool-choice", "--tool-call-parser", "deepseek_v3"]);
`,
      after: `import { spawn } from "node:child_process";
spawn("vllm", ["serve", "deepseek-ai/DeepSeek-V3.1", "--enable-auto-tool-choice", "--tool-call-parser", "deepseek_v31"]);
`,
    },
    {
      target: "v3.1",
      language: "sh",
      by: "safe",
      before: `vllm serve deepseek-ai/DeepSeek-V3.1 \\
  --enable-auto-tool-choice --tool-call-parser deepseek_v3 \\
  --reasoning-parser=deepseek_r1
`,
      after: `vllm serve deepseek-ai/DeepSeek-V3.1 \\
  --enable-auto-tool-choice --tool-call-parser deepseek_v31 \\
  --reasoning-parser=deepseek_v3
`,
    },
    {
      target: "v3.1",
      language: "dockerfile",
      by: "safe",
      before: `FROM lmsysorg/sglang:latest
CMD ["python3", "-m", "sglang.launch_server", "--model-path", "deepseek-ai/DeepSeek-V3.1", "--tool-call-parser", "deepseekv3"]
`,
      after: `FROM lmsysorg/sglang:latest
CMD ["python3", "-m", "sglang.launch_server", "--model-path", "deepseek-ai/DeepSeek-V3.1", "--tool-call-parser", "deepseekv31"]
`,
    },
    {
      target: "v3.1",
      language: "compose",
      by: "safe",
      before: `services:
  llm:
    image: vllm/vllm-openai:latest
    command: --model deepseek-ai/DeepSeek-V3.1 --enable-auto-tool-choice --tool-call-parser deepseek_v3
`,
      after: `services:
  llm:
    image: vllm/vllm-openai:latest
    command: --model deepseek-ai/DeepSeek-V3.1 --enable-auto-tool-choice --tool-call-parser deepseek_v31
`,
    },
    {
      target: "v3.1",
      language: "yaml",
      by: "safe",
      before: `model: deepseek-ai/DeepSeek-V3.1
enable-auto-tool-choice: true
tool-call-parser: deepseek_v3
`,
      after: `model: deepseek-ai/DeepSeek-V3.1
enable-auto-tool-choice: true
tool-call-parser: deepseek_v31
`,
    },
  ],
  source: {
    urls: [
      "https://github.com/vllm-project/vllm/pull/23454",
      "https://github.com/vllm-project/vllm/pull/25589",
      "https://github.com/sgl-project/sglang/pull/9446",
      "https://github.com/vllm-project/vllm/issues/23429",
    ],
    date: "2026-11-23",
    confidence: "primary",
  },
  *check(facts, _target, from) {
    for (const file of facts.files) {
      for (const serving of servingsIn(file)) {
        for (const option of serving.options) {
          const problem = ofOption(option, serving, from === "v3.0");
          if (problem) yield problem;
        }
      }
    }
  },
};

/** Values for V3.0 and R1, and those for V3.1. */
const values: Readonly<Record<string, Readonly<Record<string, string>>>> = {
  "tool-call-parser": { deepseek_v3: "deepseek_v31", deepseekv3: "deepseekv31" },
  "reasoning-parser": { deepseek_r1: "deepseek_v3", "deepseek-r1": "deepseek-v3" },
};
/** Values for V3.1 alone. */
const newValues = new Set(["deepseek_v31", "deepseekv31"]);

const effects: Readonly<Record<string, string>> = {
  "tool-call-parser": "tool calls arrive as plain text",
  "reasoning-parser": "plain answers arrive in reasoning_content, and content is null",
};

function ofOption(option: ServingOption, serving: Serving, fromOld: boolean): Problem | undefined {
  const { name, value, place } = option;
  if (name === "chat-template") return ofTemplate(option, serving);
  if (name === "enable-reasoning" && serving.generation === "v3.1") {
    return {
      message: "--enable-reasoning is gone from vLLM; the reasoning parser alone switches it on",
      severity: "info",
      place,
      manual: "remove it once your vLLM no longer takes it",
    };
  }
  const next = values[name]?.[value];
  const label = `${name} ${value}`;
  if (next && serving.generation === "v3.1") {
    return {
      message: `${label} is not for V3.1: ${effects[name]}`,
      place,
      ...(option.valuePlace
        ? { fix: { applicability: "safe", description: `use ${next}`, edits: [edit(option.valuePlace, next)] } }
        : { manual: `use ${next}` }),
    };
  }
  if (next && fromOld && (serving.generation === "v3" || serving.generation === "v3-0324")) {
    return {
      message: `${label} fits ${serving.model}; V3.1 needs ${next}`,
      severity: "info",
      place,
      manual: "change it together with the model, not before",
    };
  }
  if (next && fromOld && serving.isOpen) {
    return {
      message: `which weights are served is not known here; V3.1 needs ${next} in place of ${value}`,
      severity: "info",
      place,
      manual: "change it where the model is V3.1",
    };
  }
  if (newValues.has(value) && name === "tool-call-parser" && /^(v3|v3-0324|r1)$/.test(serving.generation ?? "")) {
    return {
      message: `${label} is for V3.1, but ${serving.model} is served: tool calls arrive as plain text`,
      place,
      manual: "serve V3.1, or go back to the parser of V3.0",
    };
  }
  return undefined;
}

const oldTemplate = /tool_chat_template_deepseek(v3|r1)\.jinja$/;

function ofTemplate({ value, valuePlace, place }: ServingOption, { generation }: Serving): Problem | undefined {
  const match = oldTemplate.exec(value);
  if (!match || generation !== "v3.1") return undefined;
  const next = value.replace(oldTemplate, "tool_chat_template_deepseekv31.jinja");
  return {
    message: `${value} is not V3.1's chat template: it lacks the token of the mode and writes tool calls in the old form`,
    place,
    manual: "the file has to be there: it comes with vLLM's examples from August 2025 on",
    ...(valuePlace
      ? { fix: { applicability: "suggested", description: "use V3.1's template", edits: [edit(valuePlace, next)] } }
      : {}),
  };
}

function edit(place: Place, text: string): Edit {
  return { file: place.file, start: place.start, end: place.end, text };
}
