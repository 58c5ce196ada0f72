import type { Protocol } from "../target.js";
import { anthropic } from "./anthropic.js";
import { chat } from "./chat.js";
import { completions } from "./completions.js";
import type { ProtocolRow } from "./protocol.js";

/** How each protocol asks and answers. */
export const protocols: Readonly<Record<Protocol, ProtocolRow>> = { chat, completions, anthropic };
