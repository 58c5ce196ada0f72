import { describe, expect, test } from "@jest/globals";
import { fp8ScaleFormat as rule } from "../../../src/compat/rules/fp8-scale-format.js";
import { findingsOf, fixedBy } from "./check.js";

// the calls of Python's converters, as far as they are JavaScript too
describe("fp8-scale-format", () => {
  test.each([
    ["gate.e_score_correction_bias.to(torch.bfloat16)", "gate.e_score_correction_bias.to(torch.float32)"],
    ["gate.e_score_correction_bias.half()", "gate.e_score_correction_bias.float()"],
    ["gate.e_score_correction_bias.data.bfloat16()", "gate.e_score_correction_bias.data.float()"],
  ])("the router's bias stays float32: %s", async (before, after) => {
    expect(await fixedBy(rule, "v3.1", `// deepseek\n${before};\n`, "suggested")).toBe(`// deepseek\n${after};\n`);
    expect(await fixedBy(rule, "v3.1", `// deepseek\n${before};\n`)).toContain(before);
  });

  test("quantisers are reported, once a file", async () => {
    const findings = await findingsOf(rule, "v3.1", "// deepseek\nact_quant(x); act_quant(y);\n");
    expect(findings).toHaveLength(1);
    const writer = await findingsOf(rule, "v3.1", '// deepseek\nsave(name + ".weight_scale_inv", weight_quant(w));\n');
    expect(writer.map(({ severity }) => severity)).toEqual(["info"]);
  });

  test.each([
    [
      "dequantisation, which needs no change",
      'const s = state[name + "_scale_inv"]; weight_dequant(w, state["weight_scale_inv"]);',
    ],
    ["the format is passed on", 'act_quant(x, 128, "ue8m0");'],
    ["the bias in float32", "gate.e_score_correction_bias.to(torch.float32);"],
    ["moved to a device", "gate.e_score_correction_bias.to(device);"],
    ["other tensors in bfloat16", "gate.weight.to(torch.bfloat16);"],
    [
      "V3.0's configuration with V3.0's weights",
      'spawn("torchrun", ["generate.py", "--ckpt-path", "/w/DeepSeek-V3", "--config", "configs/config_671B.json"]);',
    ],
  ])("leaves alone: %s", async (_, code) => {
    expect(await findingsOf(rule, "v3.1", `// deepseek\n${code}\n`)).toEqual([]);
  });
});
