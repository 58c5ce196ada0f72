import type { Rule } from "../rule.js";
import { contextWindowLimit } from "./context-window-limit.js";
import { malformedSuppression } from "./malformed-suppression.js";
import { maxCompletionTokens } from "./max-completion-tokens.js";
import { reasonerMaxTokens } from "./reasoner-max-tokens.js";
import { reasonerSamplingParams } from "./reasoner-sampling-params.js";
import { retiredModelAlias } from "./retired-model-alias.js";
import { thinkingDefaultOn } from "./thinking-default-on.js";
import { unusedSuppression } from "./unused-suppression.js";

/** All rules, in the order of their codes. */
export const rules: readonly Rule[] = [
  retiredModelAlias,
  thinkingDefaultOn,
  reasonerMaxTokens,
  maxCompletionTokens,
  contextWindowLimit,
  reasonerSamplingParams,
  malformedSuppression,
  unusedSuppression,
];
