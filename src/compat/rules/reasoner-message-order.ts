import type { FileFacts } from "../facts.js";
import { ownName } from "../models.js";
import { asksDeepSeek } from "../requests.js";
import type { Rule } from "../rule.js";

export const reasonerMessageOrder: Rule = {
  id: "reasoner-message-order",
  code: "R11",
  title: "A workaround for the message order that R1 asked for",
  severity: { "v3.1": "info", current: "info" },
  effect: "opportunity",
  since: "v3.1",
  explanation:
    'R1 refused two messages of the same role in a row ("deepseek-reasoner does not support successive user or assistant messages") and a history that did not end with the user ("The last message of deepseek-reasoner must be a user message"), last seen in April 2025. The documentation of V3.1 has no such rule, and no report of it is known since; when exactly it was lifted is not documented. Code that merges messages, puts placeholders between them or looks for these words is no longer needed for the official API. It does no harm, so it is only reported, and other hosts\' templates may still want it.',
  examples: [
    {
      target: "v3.1",
      language: "ts",
      by: "none",
      before: `import OpenAI from "openai";
import { convertToR1Format } from "./r1-format.js";
const client = new OpenAI({ baseURL: "https://api.deepseek.com" });
const reply = await client.chat.completions.create({ model: "deepseek-reasoner", messages: convertToR1Format(history) });
`,
      after: `import OpenAI from "openai";
const client = new OpenAI({ baseURL: "https://api.deepseek.com" });
const reply = await client.chat.completions.create({ model: "deepseek-reasoner", messages: history });
`,
    },
  ],
  source: {
    urls: [
      "https://github.com/deepseek-ai/DeepSeek-R1/issues/21",
      "https://github.com/Aider-AI/aider/issues/2974",
      "https://github.com/CherryHQ/cherry-studio/issues/5051",
    ],
    date: "2026-11-23",
    confidence: "secondary",
  },
  *check(facts) {
    for (const file of facts.files) {
      for (const { value, place, isDocumentation } of file.literals) {
        if (isDocumentation || !refusals.test(value)) continue;
        yield {
          message: "the server's words on the order of messages are those of R1; V3.1 and later do not send them",
          place,
          manual: "take out what waits for this error, once no older server is left",
        };
      }
      const isOfReasoner = speaksOfReasoner(file);
      for (const call of file.calls) {
        const isR1 = /^(convert_?|to_?|format_?)*r1_?(format|messages)$/i.test(call.name);
        if (!isR1 && !(isOfReasoner && merging.test(call.name))) continue;
        if (call.host.host !== "official" && call.host.host !== "unknown") continue;
        yield {
          message: `${call.callee}() puts messages into the order that R1 asked for; V3.1 and later take them as they are`,
          place: call.calleePlace,
          host: call.host,
          manual: "leave it out where no other host's model needs it",
        };
      }
    }
  },
};

const refusals = /does not support successive user or assistant messages|last message of deepseek-reasoner must be/i;

/** `mergeConsecutiveMessages`, `merge_successive_roles`, `interleaveMessages`, `ensureAlternatingRoles`. */
const merging =
  /^(merge|join|combine|collapse)_?(all_?)?(consecutive|successive|adjacent|same_?role|neighbou?ring)\w*$|^(ensure|force|enforce|make)_?(alternat|interleav)\w*$|^interleave_?(messages|roles)$/i;

/** Is all that a file asks for DeepSeek's, the reasoner among it? */
function speaksOfReasoner(file: FileFacts): boolean {
  const isReasoner = (id: unknown, host: FileFacts["mentions"][number]["host"]) =>
    ownName(id, host.host) === "deepseek-reasoner";
  const asks = file.requests.some(({ model, host }) => model?.candidates.some(({ value }) => isReasoner(value, host)));
  return file.requests.every(asksDeepSeek) && (asks || file.mentions.some(({ id, host }) => isReasoner(id, host)));
}
