import { clients } from "./clients.js";
import type { Request } from "./facts.js";

/** The package whose provider passes options of its own name on to the body as they are. */
const compatible = "@ai-sdk/openai-compatible";

/**
 * Where the API's own fields go in this request, from its own object: the client's row, or for a provider with a name of
 * its own `providerOptions` under that name. Undefined where there is no way.
 */
export function bodyPath({ client, package: from, providerName }: Request): readonly string[] | undefined {
  if (client !== "ai-sdk" || from === undefined || from === "@ai-sdk/deepseek") return clients[client].body;
  // @ai-sdk/openai checks its options and drops what it does not know
  return from === compatible && providerName ? ["providerOptions", providerName] : undefined;
}
