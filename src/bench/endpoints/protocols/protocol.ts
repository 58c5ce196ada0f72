import type { Usage } from "../record.js";
import type { Prompt, Target } from "../target.js";

/** What one event of a stream, or a whole answer, brings. */
export interface Piece {
  /** Content, completion text or refusal; empty where there is none. */
  readonly answer: string;
  readonly reasoning: string;
  /** Arguments of tool calls. */
  readonly tool: string;
  /** Whether a tool is called, if without arguments. */
  readonly calls: boolean;
  readonly finish: string | null;
  readonly usage: Usage | null;
  /** Tokens in this event, where token ids or logprobs tell. */
  readonly tokens: number | null;
  readonly error: string | null;
  /** Nothing comes after it: Anthropic's message_stop. */
  readonly end: boolean;
  /** Whether it has the form of the protocol at all. */
  readonly known: boolean;
}

/** One row of the table of protocols. */
export interface ProtocolRow {
  /** Where requests go, under a base path without a slash at its end. A full path given stays. */
  path(base: string): string;
  /** The headers that carry the key and name the version. */
  headers(key: string | undefined): Readonly<Record<string, string>>;
  body(prompt: Prompt, target: Target): Readonly<Record<string, unknown>>;
  event(value: unknown, name: string): Piece;
  answer(value: unknown): Piece;
}

export const nothing: Piece = {
  answer: "",
  reasoning: "",
  tool: "",
  calls: false,
  finish: null,
  usage: null,
  tokens: null,
  error: null,
  end: false,
  known: false,
};

export type Fields = Readonly<Record<string, unknown>>;

export function isFields(value: unknown): value is Fields {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function fieldsOf(value: unknown): Fields {
  return isFields(value) ? value : {};
}

export function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

/** Text as it is, or the joined texts of a list of parts. */
export function textOf(value: unknown): string {
  if (typeof value === "string") return value;
  if (!Array.isArray(value)) return "";
  return value.map((part) => (typeof part === "string" ? part : textOf(fieldsOf(part)["text"]))).join("");
}

/** A count of tokens; null for what is none. */
export function countOf(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) && value >= 0 ? value : null;
}

/**
 * The message of an error object in the forms servers use: `{error: {message}}`, `{error: "..."}`, `{object: "error",
 * message}`, `{detail}`; null where there is none.
 */
export function errorOf(value: unknown): string | null {
  const fields = fieldsOf(value);
  const error = fields["error"];
  if (typeof error === "string" && error !== "") return error;
  if (isFields(error)) return messageOf(error) ?? JSON.stringify(error);
  if (fields["object"] === "error" || fields["type"] === "error") return messageOf(fields) ?? JSON.stringify(fields);
  return null;
}

/** The words of an error object, wherever they stand in it. */
export function messageOf(fields: Fields): string | null {
  for (const name of ["message", "detail", "msg", "error_msg", "title", "code", "type"]) {
    const value = fields[name];
    if (typeof value === "string" && value !== "") return value;
    if (Array.isArray(value) && value.length > 0) return JSON.stringify(value);
  }
  return null;
}
