import type { Rule } from "../rule.js";
import { anthropicEndpoint } from "./anthropic-endpoint.js";
import { baseUrl } from "./base-url.js";
import { betaEndpoints } from "./beta-endpoints.js";
import { contextWindowLimit } from "./context-window-limit.js";
import { finishReason } from "./finish-reason.js";
import { guideParameters } from "./guide-parameters.js";
import { hardCodedKey } from "./hard-coded-key.js";
import { httpErrors } from "./http-errors.js";
import { maxCompletionTokens } from "./max-completion-tokens.js";
import { priceTable } from "./price-table.js";
import { reasonerMaxTokens } from "./reasoner-max-tokens.js";
import { reasonerSamplingParams } from "./reasoner-sampling-params.js";
import { retiredModelAlias } from "./retired-model-alias.js";
import { temperatureMeaning } from "./temperature-meaning.js";
import { thinkingDefaultOn } from "./thinking-default-on.js";
import { unsupportedMessageForms } from "./unsupported-message-forms.js";
import { usageFields } from "./usage-fields.js";

/** All rules, in the order of their codes. */
export const rules: readonly Rule[] = [
  retiredModelAlias,
  thinkingDefaultOn,
  reasonerMaxTokens,
  maxCompletionTokens,
  contextWindowLimit,
  reasonerSamplingParams,
  anthropicEndpoint,
  betaEndpoints,
  baseUrl,
  priceTable,
  usageFields,
  httpErrors,
  finishReason,
  temperatureMeaning,
  unsupportedMessageForms,
  guideParameters,
  hardCodedKey,
];
