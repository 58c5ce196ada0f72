import type { Rule } from "../rule.js";
import { ambiguousHostId } from "./ambiguous-host-id.js";
import { anthropicEndpoint } from "./anthropic-endpoint.js";
import { baseUrl } from "./base-url.js";
import { betaEndpoints } from "./beta-endpoints.js";
import { chatMaxTokensRange } from "./chat-max-tokens-range.js";
import { contextWindowLimit } from "./context-window-limit.js";
import { finishReason } from "./finish-reason.js";
import { fp8ScaleFormat } from "./fp8-scale-format.js";
import { guideParameters } from "./guide-parameters.js";
import { hardCodedKey } from "./hard-coded-key.js";
import { hostModelId } from "./host-model-id.js";
import { hostSpecificSwitch } from "./host-specific-switch.js";
import { httpErrors } from "./http-errors.js";
import { implicitDefaultModel } from "./implicit-default-model.js";
import { jsonMode } from "./json-mode.js";
import { malformedSuppression } from "./malformed-suppression.js";
import { maxCompletionTokens } from "./max-completion-tokens.js";
import { priceTable } from "./price-table.js";
import { promptFormat } from "./prompt-format.js";
import { reasonerMaxTokens } from "./reasoner-max-tokens.js";
import { reasonerMessageOrder } from "./reasoner-message-order.js";
import { reasonerSamplingParams } from "./reasoner-sampling-params.js";
import { reasonerTools } from "./reasoner-tools.js";
import { reasoningContentRoundtrip } from "./reasoning-content-roundtrip.js";
import { retiredModelAlias } from "./retired-model-alias.js";
import { sdkTooOld } from "./sdk-too-old.js";
import { servingFlags } from "./serving-flags.js";
import { specialTokenIds } from "./special-token-ids.js";
import { strictTools } from "./strict-tools.js";
import { temperatureMeaning } from "./temperature-meaning.js";
import { thinkingDefaultOn } from "./thinking-default-on.js";
import { toolCallWireFormat } from "./tool-call-wire-format.js";
import { toolChoiceThinking } from "./tool-choice-thinking.js";
import { transformersTemplateKwargs } from "./transformers-template-kwargs.js";
import { unsupportedMessageForms } from "./unsupported-message-forms.js";
import { unusedSuppression } from "./unused-suppression.js";
import { usageFields } from "./usage-fields.js";
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
  anthropicEndpoint,
  betaEndpoints,
  baseUrl,
  priceTable,
  usageFields,
  httpErrors,
  finishReason,
  temperatureMeaning,
  unsupportedMessageForms,
  promptFormat,
  toolCallWireFormat,
  specialTokenIds,
  fp8ScaleFormat,
  servingFlags,
  transformersTemplateKwargs,
  hostModelId,
  ambiguousHostId,
  hostSpecificSwitch,
  implicitDefaultModel,
  sdkTooOld,
  guideParameters,
  hardCodedKey,
  malformedSuppression,
  unusedSuppression,
];
