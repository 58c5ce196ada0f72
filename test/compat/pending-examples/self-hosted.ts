import type { Example } from "../../../src/compat/rule.js";

const bos = "<\uFF5Cbegin\u2581of\u2581sentence\uFF5C>";

/** Examples by rule in languages whose readers came later than the rules. */
export const examples: Readonly<Record<string, readonly Example[]>> = {
  "fp8-scale-format": [
    {
      target: "v3.1",
      language: "sh",
      by: "suggested",
      before:
        "torchrun --nproc-per-node 8 generate.py --ckpt-path /weights/DeepSeek-V3.1 --config configs/config_671B.json\n",
      after:
        "torchrun --nproc-per-node 8 generate.py --ckpt-path /weights/DeepSeek-V3.1 --config configs/config_v3.1.json\n",
    },
    {
      target: "v3.1",
      language: "py",
      by: "suggested",
      before: `# deepseek-ai/DeepSeek-V3.1
def load(gate, torch):
    return gate.e_score_correction_bias.to(torch.bfloat16)
`,
      after: `# deepseek-ai/DeepSeek-V3.1
def load(gate, torch):
    return gate.e_score_correction_bias.to(torch.float32)
`,
    },
  ],
  "prompt-format": [
    {
      target: "v3.1",
      language: "py",
      by: "suggested",
      before: `MODEL = "deepseek-ai/DeepSeek-V3.1"
def prompt(system, question):
    return f"${bos}{system}<\uFF5CUser\uFF5C>{question}<\uFF5CAssistant\uFF5C>"
`,
      after: `MODEL = "deepseek-ai/DeepSeek-V3.1"
def prompt(system, question):
    return f"${bos}{system}<\uFF5CUser\uFF5C>{question}<\uFF5CAssistant\uFF5C></think>"
`,
    },
  ],
  "serving-flags": [
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
  "transformers-template-kwargs": [
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
  "host-model-id": [
    {
      target: "v3.1",
      language: "py",
      by: "safe",
      before: `from openai import OpenAI
client = OpenAI(base_url="https://openrouter.ai/api/v1")
client.chat.completions.create(model="deepseek/deepseek-chat-v3-0324", messages=[])
`,
      after: `from openai import OpenAI
client = OpenAI(base_url="https://openrouter.ai/api/v1")
client.chat.completions.create(model="deepseek/deepseek-chat-v3.1", messages=[])
`,
    },
  ],
  "implicit-default-model": [
    {
      target: "current",
      language: "py",
      by: "suggested",
      before: `from browser_use.llm import ChatDeepSeek
llm = ChatDeepSeek(api_key="")
`,
      after: `from browser_use.llm import ChatDeepSeek
llm = ChatDeepSeek(api_key="", model="deepseek-flash")
`,
    },
  ],
};
