import type { Rule } from "../rule.js";
import { ambiguousHostId } from "./ambiguous-host-id.js";
import { chatMaxTokensRange } from "./chat-max-tokens-range.js";
import { contextWindowLimit } from "./context-window-limit.js";
import { jsonMode } from "./json-mode.js";
import { malformedSuppression } from "./malformed-suppression.js";
import { maxCompletionTokens } from "./max-completion-tokens.js";
import { reasonerMaxTokens } from "./reasoner-max-tokens.js";
import { reasonerMessageOrder } from "./reasoner-message-order.js";
import { reasonerSamplingParams } from "./reasoner-sampling-params.js";
import { reasonerTools } from "./reasoner-tools.js";
import { reasoningContentRoundtrip } from "./reasoning-content-roundtrip.js";
import { retiredModelAlias } from "./retired-model-alias.js";
import { strictTools } from "./strict-tools.js";
import { thinkingDefaultOn } from "./thinking-default-on.js";
import { toolChoiceThinking } from "./tool-choice-thinking.js";
import { unusedSuppression } from "./unused-suppression.js";
import { v30ToolWorkarounds } from "./v30-tool-workarounds.js";

/** All rules, in the order of their codes. */
export const rules: readonly Rule[] = [
  retiredModelAlias,
  thinkingDefaultOn,
  reasonerMaxTokens,
  chatMaxTokensRange,
  maxCompletionTokens,
  contextWindowLimit,
  reasonerSamplingParams,
  reasonerTools,
  toolChoiceThinking,
  reasoningContentRoundtrip,
  reasonerMessageOrder,
  jsonMode,
  strictTools,
  v30ToolWorkarounds,
  ambiguousHostId,
  malformedSuppression,
  unusedSuppression,
];
