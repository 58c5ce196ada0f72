import { clients } from "../clients.js";
import { type Facts, type FileFacts, type Parameter, type Request, textOf } from "../facts.js";
import { replaceString } from "../fix/edits.js";
import { type Generation, generationOf } from "../host-models.js";
import type { Problem, Rule } from "../rule.js";
import { parameterAt } from "../thinking.js";

export const transformersTemplateKwargs: Rule = {
  id: "transformers-template-kwargs",
  code: "R35",
  title: "The chat template's thinking switch under another model's name",
  severity: { "v3.1": "warning", current: null },
  effect: "silent change",
  explanation:
    "V3.1's chat template reads a variable thinking (default false): apply_chat_template(messages, thinking=True), or chat_template_kwargs with thinking in a request to vLLM or SGLang. enable_thinking is Qwen's name for it; a jinja template ignores variables it does not know, so the model answers without thinking and nothing says why. Later versions of vLLM take enable_thinking for DeepSeek as well, which makes the rename harmless there. V3.0 has no such variable under either name. From V3.2 on the weights bring no jinja template at all: apply_chat_template fails, and the repository's own encoding script is to be used.",
  examples: [
    {
      target: "v3.1",
      language: "js",
      by: "safe",
      before: `import { AutoTokenizer } from "@huggingface/transformers";
const tokenizer = await AutoTokenizer.from_pretrained("deepseek-ai/DeepSeek-V3.1");
const prompt = tokenizer.apply_chat_template(messages, { tokenize: false, enable_thinking: true });
`,
      after: `import { AutoTokenizer } from "@huggingface/transformers";
const tokenizer = await AutoTokenizer.from_pretrained("deepseek-ai/DeepSeek-V3.1");
const prompt = tokenizer.apply_chat_template(messages, { tokenize: false, thinking: true });
`,
    },
    {
      target: "v3.1",
      language: "py",
      by: "safe",
      before: `from transformers import AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained("deepseek-ai/DeepSeek-V3.1")
prompt = tokenizer.apply_chat_template(messages, tokenize=False, enable_thinking=True)
`,
      after: `from transformers import AutoTokenizer
tokenizer = AutoTokenizer.from_pretrained("deepseek-ai/DeepSeek-V3.1")
prompt = tokenizer.apply_chat_template(messages, tokenize=False, thinking=True)
`,
    },
  ],
  source: {
    urls: [
      "https://huggingface.co/deepseek-ai/DeepSeek-V3.1",
      "https://docs.vllm.ai/projects/recipes/en/latest/DeepSeek/DeepSeek-V3_1.html",
    ],
    date: "2026-11-23",
    confidence: "primary",
  },
  *check(facts) {
    for (const file of facts.files) {
      const generation = generationIn(file);
      for (const call of file.calls) {
        if (call.name !== "apply_chat_template" || !generation) continue;
        const found = call.parameters.find(({ name }) => name === "enable_thinking");
        const own = call.parameters.some(({ name }) => name === "thinking");
        const problem = found && problemOf(facts, found, generation, own);
        if (problem) yield problem;
      }
      for (const request of file.requests) {
        const problem = ofRequest(facts, request);
        if (problem) yield problem;
      }
    }
  },
};

/** The one generation of the weights a file names; undefined where it names several, or another maker's. */
function generationIn(file: FileFacts): Generation | undefined {
  const names = file.literals.filter(({ isDocumentation }) => !isDocumentation).map(({ value }) => value);
  if (names.some((name) => /(^|\/)(qwen|qwq|glm|kimi|hunyuan|ernie)[\w.-]*$/i.test(name))) return undefined;
  const found = new Set(
    [...names.filter((name) => name.length < 200 && !/\s/.test(name)), ...file.mentions.map(({ id }) => id)]
      .map(generationOf)
      .filter((one) => one !== undefined),
  );
  return found.size === 1 ? [...found][0] : undefined;
}

/** `chat_template_kwargs: { enable_thinking }` sent to a server of one's own. */
function ofRequest(facts: Facts, request: Request): Problem | undefined {
  if (request.host.host !== "self-hosted" && request.host.host !== "unknown") return undefined;
  const generations = new Set(
    (request.model?.candidates ?? [])
      .map(({ value }) => generationOf(String(value)))
      .filter((one) => one !== undefined),
  );
  const [generation] = generations;
  if (!generation || generations.size > 1) return undefined;
  const kwargs =
    parameterAt(request.parameters, ["chat_template_kwargs"]) ??
    parameterAt(request.parameters, [...clients[request.client].body, "chat_template_kwargs"]) ??
    parameterAt(request.parameters, ["extra_body", "chat_template_kwargs"]);
  const found = parameterAt(kwargs?.parameters, ["enable_thinking"]);
  const own = parameterAt(kwargs?.parameters, ["thinking"]) !== undefined;
  const problem = found && problemOf(facts, found, generation, own);
  if (!problem?.fix || request.host.host !== "unknown") return problem && { ...problem, host: request.host };
  const { fix: _fix, ...rest } = problem;
  return { ...rest, host: request.host, manual: "an unknown host is never fixed; rename it where V3.1 is served" };
}

function problemOf(facts: Facts, found: Parameter, generation: Generation, own: boolean): Problem | undefined {
  // R1 always thinks; what V4's servers read is their own affair
  if (generation !== "v3" && generation !== "v3-0324" && generation !== "v3.1") return undefined;
  const common = {
    message: "DeepSeek's chat template does not know enable_thinking and ignores it; V3.1's variable is thinking",
    place: found.namePlace,
  };
  if (own) return { ...common, manual: "thinking is given as well; remove enable_thinking" };
  if (!found.direct) return { ...common, manual: "the name stands away from the call; rename it there" };
  const isOld = generation !== "v3.1";
  return {
    ...common,
    ...(isOld ? { manual: "V3.0's template has no such variable under either name; it takes effect with V3.1" } : {}),
    fix: {
      applicability: isOld ? "suggested" : "safe",
      description: "rename to thinking",
      edits: [
        found.shorthand
          ? { ...found.namePlace, text: "thinking: enable_thinking" }
          : replaceString(textOf(facts, found.namePlace.file), found.namePlace, "thinking"),
      ],
    },
  };
}
