import type { Rule } from "../rule.js";
import { ambiguousHostId } from "./ambiguous-host-id.js";
import { contextWindowLimit } from "./context-window-limit.js";
import { jsonMode } from "./json-mode.js";
import { maxCompletionTokens } from "./max-completion-tokens.js";
import { reasonerMaxTokens } from "./reasoner-max-tokens.js";
import { reasonerSamplingParams } from "./reasoner-sampling-params.js";
import { reasonerTools } from "./reasoner-tools.js";
import { reasoningContentRoundtrip } from "./reasoning-content-roundtrip.js";
import { retiredModelAlias } from "./retired-model-alias.js";
import { thinkingDefaultOn } from "./thinking-default-on.js";
import { toolChoiceThinking } from "./tool-choice-thinking.js";

/** All rules, in the order of their codes. */
export const rules: readonly Rule[] = [
  retiredModelAlias,
  thinkingDefaultOn,
  reasonerMaxTokens,
  maxCompletionTokens,
  contextWindowLimit,
  reasonerSamplingParams,
  reasonerTools,
  toolChoiceThinking,
  reasoningContentRoundtrip,
  jsonMode,
  ambiguousHostId,
];
