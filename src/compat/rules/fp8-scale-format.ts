import type { Call, FileFacts } from "../facts.js";
import { generationOf } from "../host-models.js";
import type { Problem, Rule } from "../rule.js";

export const fp8ScaleFormat: Rule = {
  id: "fp8-scale-format",
  code: "R33",
  title: "Own FP8 kernels or converters that know V3.0's scales only",
  severity: { "v3.1": "warning", current: null },
  effect: "silent change",
  since: "v3.1",
  explanation:
    'The FP8 weights of V3.1 have the names, shapes and 128 x 128 blocks of V3.0, but their scales are powers of two (UE8M0, "scale_fmt": "ue8m0" in the configuration), and activations are expected to be quantised with such scales too. Code that only multiplies weights with weight_scale_inv stays right; code that quantises (act_quant, a converter that writes weight_scale_inv) has to round scales up to a power of two or loses accuracy with no message. The router\'s bias mlp.gate.e_score_correction_bias has to be loaded and used in float32, so casting all tensors to bfloat16 or half changes which experts answer. Other differences of the published configuration were not examined.',
  examples: [
    {
      target: "v3.1",
      language: "js",
      by: "suggested",
      before: `import { spawn } from "node:child_process";
spawn("torchrun", ["generate.py", "--ckpt-path", "/weights/DeepSeek-V3.1", "--config", "configs/config_671B.json"]);
`,
      after: `import { spawn } from "node:child_process";
spawn("torchrun", ["generate.py", "--ckpt-path", "/weights/DeepSeek-V3.1", "--config", "configs/config_v3.1.json"]);
`,
    },
    {
      target: "v3.1",
      language: "sh",
      by: "suggested",
      before: `torchrun --nproc-per-node 8 generate.py --ckpt-path /weights/DeepSeek-V3.1 --config configs/config_671B.json
`,
      after: `torchrun --nproc-per-node 8 generate.py --ckpt-path /weights/DeepSeek-V3.1 --config configs/config_v3.1.json
`,
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
  source: {
    urls: [
      "https://github.com/deepseek-ai/DeepSeek-V3/commit/4592be4",
      "https://github.com/deepseek-ai/DeepSeek-V3/blob/main/README_WEIGHTS.md",
      "https://huggingface.co/deepseek-ai/DeepSeek-V3.1",
      "https://github.com/vllm-project/vllm/pull/23666",
    ],
    date: "2026-11-23",
    confidence: "primary",
  },
  *check(facts) {
    for (const file of facts.files) {
      for (const call of file.calls) {
        const problem = ofBias(call, file);
        if (problem) yield problem;
      }
      const quantiser = ofQuantiser(file);
      if (quantiser) yield quantiser;
      yield* ofCommands(file);
    }
  },
};

/** `gate.e_score_correction_bias.to(torch.bfloat16)` and the like. */
function ofBias(call: Call, file: FileFacts): Problem | undefined {
  const { callee, name, arguments: given, calleePlace, place } = call;
  const isBias = /e_score_correction_bias(["'`][\])])?(\.data)?\.\w+$/.test(callee);
  if (!isBias && !isOfNamedWeight(call, file)) return undefined;
  const dtype = given.find((one) => /(bfloat16|float16|half|\bbf16|\bfp16)\b/.test(one.text));
  const narrows = name === "half" || name === "bfloat16" || ((name === "to" || name === "type") && dtype !== undefined);
  if (!narrows) return undefined;
  const edit =
    name === "to" || name === "type"
      ? { ...dtype!.place, text: dtype!.text.replace(/(torch\.)?(bfloat16|float16|half)\b/, "$1float32") }
      : { file: place.file, start: calleePlace.end - name.length, end: calleePlace.end, text: "float" };
  return {
    message: "V3.1's e_score_correction_bias has to stay float32; in a narrower type other experts may be chosen",
    place,
    manual: "check that what it is added to is float32 as well",
    fix: { applicability: "suggested", description: "keep it float32", edits: [edit] },
  };
}

/** `if "e_score_correction_bias" in name:` and, in its block, `weight.to(torch.bfloat16)`. */
function isOfNamedWeight({ callee, place }: Call, { comparisons, text, language }: FileFacts): boolean {
  if (language !== "python" && language !== "notebook") return false;
  if (!/^[\w.]+\.(to|type|half|bfloat16)$/.test(callee)) return false;
  return comparisons.some(({ value, operator, place: test }) => {
    if (!String(value).includes("e_score_correction_bias") || !/^(contains|equals)$/.test(operator)) return false;
    const between = text.slice(test.end, place.start);
    if (test.end > place.start || between.length > 400 || /\bnot\s+in\b/.test(text.slice(test.start, test.end)))
      return false;
    const line = text.slice(text.lastIndexOf("\n", test.start) + 1, test.start);
    const indent = /^[ \t]*/.exec(line)![0].length;
    // the block of an `if`, as far as lines are indented further than it
    return (
      /^\s*(el)?if\b/.test(line) &&
      between
        .split("\n")
        .slice(1)
        .every((one) => one.trim() === "" || /^[ \t]*/.exec(one)![0].length > indent)
    );
  });
}

/** Code that quantises in the way of the demonstration repository. */
function ofQuantiser(file: FileFacts): Problem | undefined {
  if (/ue8m0|scale_fmt/i.test(file.text)) return undefined;
  const quantiser = file.calls.find(({ name }) => name === "act_quant");
  const common = {
    manual: 'pass the format on (scale_fmt="ue8m0") or round each scale up to a power of two before dividing',
  };
  if (quantiser) {
    return {
      ...common,
      message: "act_quant scales activations by float32; V3.1's weights expect scales that are powers of two (UE8M0)",
      place: quantiser.place,
    };
  }
  const named = file.literals.find(
    ({ value, isDocumentation }) => !isDocumentation && value.includes("weight_scale_inv"),
  );
  const writes = file.calls.some(({ name }) => /quant/i.test(name) && !/dequant/i.test(name));
  if (!named || !writes) return undefined;
  return {
    ...common,
    message:
      "scales of V3.1's weights are powers of two (UE8M0); a converter that writes weight_scale_inv has to round them so",
    severity: "info",
    place: named.place,
  };
}

function* ofCommands(file: FileFacts): Iterable<Problem> {
  for (const { words } of file.commands) {
    const given = words.filter(({ text }) => !/config/i.test(text));
    const config = words.find(({ text }) => /(^|[/=])config_671B\.json$/.test(text));
    const isNew = given.some(({ text }) => generationOf(text) === "v3.1");
    // only DeepSeek's own program takes this file, so the path of the weights need not name DeepSeek
    if (config && (isNew || given.some(({ text }) => /\/[^/]*\bv3\.1\b/i.test(text)))) {
      const { place } = config;
      const start = place.end - "config_671B.json".length;
      const isPlain = file.text.slice(start, place.end) === "config_671B.json";
      yield {
        message: 'config_671B.json lacks "scale_fmt": "ue8m0", which V3.1\'s weights need; config_v3.1.json has it',
        place,
        manual: "config_v3.1.json came with the repository's commits of August 2025; update your copy",
        ...(isPlain
          ? {
              fix: {
                applicability: "suggested",
                description: "use config_v3.1.json",
                edits: [{ file: place.file, start, end: place.end, text: "config_v3.1.json" }],
              },
            }
          : {}),
      };
    }
    const cast = isNew && words.find(({ text }) => /(^|\/)fp8_cast_bf16\.py$/.test(text));
    if (cast) {
      yield {
        message: "fp8_cast_bf16.py reads V3.1's weights as before, but e_score_correction_bias has to stay float32",
        severity: "info",
        place: cast.place,
        manual: "look at the dtype of mlp.gate.e_score_correction_bias in the result",
      };
    }
  }
}
