import type { ClientKind } from "./facts.js";

/** How a client passes on what the API reads. */
export interface Client {
  /** Where the API's own fields that the client does not know go, from the request's own object: `["extra_body"]`. */
  readonly body: readonly string[];
  /** Its way for such fields is documented by the client or by DeepSeek; otherwise a fix is a suggestion. */
  readonly isDocumented: boolean;
  /** Sends the parameters as they are named, so that names of the API's own can be checked. */
  readonly isPlain: boolean;
  /** Takes an `extra_body` apart and sends its content; the others send it under that name, or not at all. */
  readonly takesExtraBody: boolean;
  /** Where the usual parameters stand, from the request's own object: `["model_settings"]`. */
  readonly settings: readonly string[];
  /** Chooses the host by what stands before the id: `deepseek/deepseek-chat`, `deepseek:deepseek-chat`. */
  readonly isRouter: boolean;
}

const raw: Client = {
  body: [],
  isDocumented: true,
  isPlain: true,
  takesExtraBody: false,
  settings: [],
  isRouter: false,
};
const pythonSdk: Client = { ...raw, takesExtraBody: true };
const wrapper: Client = { ...raw, isDocumented: false, isPlain: false, isRouter: true };

/** One row a client. Sources: the clients' own documentation, DeepSeek's samples for Node and Python. */
export const clients: Readonly<Record<ClientKind, Client>> = {
  "openai-node": raw,
  // create() refuses keywords it does not know; DeepSeek's own sample passes extra_body
  "openai-python": { ...pythonSdk, body: ["extra_body"] },
  fetch: raw,
  axios: raw,
  http: raw,
  "ai-sdk": { ...wrapper, body: ["providerOptions", "deepseek"], isDocumented: true },
  langchain: { ...wrapper, body: ["modelKwargs"] },
  "langchain-python": { ...wrapper, body: ["extra_body"], takesExtraBody: true },
  anthropic: raw,
  "anthropic-python": pythonSdk,
  llamaindex: { ...wrapper, body: ["additionalChatOptions"] },
  "llamaindex-python": { ...wrapper, body: ["additional_kwargs", "extra_body"] },
  // thinking is a parameter of its own
  litellm: { ...pythonSdk, isRouter: true },
  "pydantic-ai": { ...wrapper, body: ["model_settings", "extra_body"], settings: ["model_settings"] },
};
