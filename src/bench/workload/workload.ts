import type { WorkloadSummary } from "../endpoints/result.js";
import type { Message, Prompt } from "../endpoints/target.js";

/** One question of a conversation. */
export interface Turn {
  /** What this turn adds to the conversation: in the first one with the system message, else what the user says next. */
  readonly messages: readonly Message[];
  /** Body fields in the names of the chat protocol. */
  readonly parameters: Readonly<Record<string, unknown>>;
  /** How long the user thinks before it, in seconds. */
  readonly thinkSeconds: number;
  /** The answer that the data set holds; null where it holds none. */
  readonly recordedAnswer: string | null;
}

/** Questions that follow each other; most have one. */
export interface Conversation {
  /** Unique within a stretch. */
  readonly id: string;
  readonly turns: readonly Turn[];
  /** Conversations of one group begin alike, and a cache may know the beginning from another; null: on its own. */
  readonly group: number | null;
}

/**
 * What is asked: an endless stream of conversations, the same for the same seed. A *stretch* is the stream of one round;
 * what comes before its start (places below 0) is for warming up, and is not asked again within the stretch as long as
 * the source has enough.
 */
export interface Workload {
  readonly summary: WorkloadSummary;
  /** When the conversations of a trace start, in seconds from the start, in ascending order; null without a trace. */
  readonly arrivals: readonly number[] | null;
  /** What earlier turns are followed by: the answers the target gave, or those of the data set where it has them. */
  readonly answers: "measured" | "recorded";
  conversation(stretch: number, place: number): Conversation;
}

/**
 * The prompt of a turn: all that was said before, and what the turn adds. `prefix` is put before the first message.
 * `answers` are those of the turns before it.
 */
export function promptOf(
  conversation: Conversation,
  turn: number,
  answers: readonly string[],
  prefix: string,
  use: Workload["answers"] = "measured",
): Prompt {
  const messages: Message[] = [];
  for (let at = 0; at <= turn; at++) {
    const { messages: added, recordedAnswer } = conversation.turns[at]!;
    messages.push(...added);
    if (at === turn) break;
    const answer = use === "recorded" ? (recordedAnswer ?? answers[at]) : answers[at] || recordedAnswer;
    // hosts refuse an assistant's message without content
    messages.push({ role: "assistant", content: answer || "..." });
  }
  const first = messages[0];
  if (first !== undefined && prefix !== "") messages[0] = { ...first, content: prefix + first.content };
  return { id: conversation.id, messages, parameters: conversation.turns[turn]!.parameters };
}
