import type { ClientKind } from "./facts.js";

/** How a client passes on what the API reads. */
export interface Client {
  /** Where the API's own fields that the client does not know go, from the request's own object: `["extra_body"]`. */
  readonly body: readonly string[];
  /** Its way for such fields is documented by the client or by DeepSeek; otherwise a fix is a suggestion. */
  readonly isDocumented: boolean;
  /** Sends the parameters as they are named, so that names of the API's own can be checked. */
  readonly isPlain: boolean;
}

/** One row a client. Sources: the clients' own documentation, DeepSeek's samples for Node and Python. */
export const clients: Readonly<Record<ClientKind, Client>> = {
  "openai-node": { body: [], isDocumented: true, isPlain: true },
  // create() refuses keywords it does not know; DeepSeek's own sample passes extra_body
  "openai-python": { body: ["extra_body"], isDocumented: true, isPlain: true },
  fetch: { body: [], isDocumented: true, isPlain: true },
  axios: { body: [], isDocumented: true, isPlain: true },
  http: { body: [], isDocumented: true, isPlain: true },
  "ai-sdk": { body: ["providerOptions", "deepseek"], isDocumented: true, isPlain: false },
  langchain: { body: ["modelKwargs"], isDocumented: false, isPlain: false },
  "langchain-python": { body: ["extra_body"], isDocumented: false, isPlain: false },
  anthropic: { body: [], isDocumented: true, isPlain: true },
  "anthropic-python": { body: [], isDocumented: true, isPlain: true },
  llamaindex: { body: ["additionalChatOptions"], isDocumented: false, isPlain: false },
  "llamaindex-python": { body: ["additional_kwargs", "extra_body"], isDocumented: false, isPlain: false },
  // thinking is a parameter of its own
  litellm: { body: [], isDocumented: true, isPlain: true },
  "pydantic-ai": { body: ["model_settings", "extra_body"], isDocumented: false, isPlain: false },
};
