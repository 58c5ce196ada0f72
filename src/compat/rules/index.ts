import type { Rule } from "../rule.js";
import { contextWindowLimit } from "./context-window-limit.js";
import { fp8ScaleFormat } from "./fp8-scale-format.js";
import { hostModelId } from "./host-model-id.js";
import { hostSpecificSwitch } from "./host-specific-switch.js";
import { implicitDefaultModel } from "./implicit-default-model.js";
import { maxCompletionTokens } from "./max-completion-tokens.js";
import { promptFormat } from "./prompt-format.js";
import { reasonerMaxTokens } from "./reasoner-max-tokens.js";
import { reasonerSamplingParams } from "./reasoner-sampling-params.js";
import { retiredModelAlias } from "./retired-model-alias.js";
import { sdkTooOld } from "./sdk-too-old.js";
import { servingFlags } from "./serving-flags.js";
import { specialTokenIds } from "./special-token-ids.js";
import { thinkingDefaultOn } from "./thinking-default-on.js";
import { toolCallWireFormat } from "./tool-call-wire-format.js";
import { transformersTemplateKwargs } from "./transformers-template-kwargs.js";

/** All rules, in the order of their codes. */
export const rules: readonly Rule[] = [
  retiredModelAlias,
  thinkingDefaultOn,
  reasonerMaxTokens,
  maxCompletionTokens,
  contextWindowLimit,
  reasonerSamplingParams,
  promptFormat,
  toolCallWireFormat,
  specialTokenIds,
  fp8ScaleFormat,
  servingFlags,
  transformersTemplateKwargs,
  hostModelId,
  hostSpecificSwitch,
  implicitDefaultModel,
  sdkTooOld,
];
