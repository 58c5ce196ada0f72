import { type Conversation, promptOf, type Workload } from "../workload/workload.js";
import type { Records } from "./keep-records.js";
import type { Outcome, RequestRecord } from "./record.js";
import type { Clock, Sender } from "./sender.js";
import type { Prompt, Protocol } from "./target.js";

/** One target in one block, for those that ask. */
export interface Line {
  readonly sender: Sender;
  readonly clock: Clock;
  readonly records: Records;
  readonly answers: Workload["answers"];
  readonly target: string;
  readonly protocol: Protocol;
  readonly point: number;
  readonly round: number;
  /** Ends all requests and waits of the block. */
  readonly cancel: AbortSignal;
  /** Told of each answer, before the next turn is asked. */
  answered(record: RequestRecord): void;
}

/** One conversation and how it is asked. */
export interface Asking {
  readonly conversation: Conversation;
  readonly prefix: string;
  readonly slot: number;
  readonly warmUp: boolean;
  /** Of its first turn; later ones are due when the user has thought. Null in closed loops. */
  readonly scheduled: number | null;
  /** Whether another turn may be asked at that time. */
  goesOn(at: number): boolean;
}

/** Asks the turns of a conversation one after the other; ends at the first that fails. False if one did. */
export async function converse(line: Line, asking: Asking): Promise<boolean> {
  const { clock, cancel } = line;
  const { conversation, scheduled } = asking;
  const answers: string[] = [];
  let due = scheduled;
  for (let turn = 0; turn < conversation.turns.length; turn++) {
    if (turn > 0) {
      const at = clock.now() + conversation.turns[turn]!.thinkSeconds;
      if (scheduled !== null) due = at;
      if (!asking.goesOn(at)) return true;
      if (at > clock.now()) await clock.until(at, cancel);
      if (cancel.aborted) return true;
    }
    const prompt = promptOf(conversation, turn, answers, asking.prefix, line.answers);
    const outcome = await send(line, prompt);
    const record = line.records.keep(outcome, {
      target: line.target,
      point: line.point,
      round: line.round,
      slot: asking.slot,
      prompt: conversation.id,
      turn,
      scheduled: due,
      warmUp: asking.warmUp,
    });
    line.answered(record);
    if (outcome.error !== null) return false;
    answers.push(outcome.text);
  }
  return true;
}

/** Senders never reject; should one, that defect must not take the other measurements with it. */
async function send(line: Line, prompt: Prompt): Promise<Outcome> {
  const started = line.clock.now();
  try {
    return await line.sender.send(prompt, line.cancel);
  } catch (error) {
    const message = `the request could not be made: ${error instanceof Error ? error.message : String(error)}`;
    return notSent(line, started, { kind: "reset", message });
  }
}

/** The outcome of a request that never got as far as the socket. */
export function notSent(line: Line, sent: number, error: NonNullable<Outcome["error"]>): Outcome {
  return {
    sent,
    firstSent: sent,
    firstByte: null,
    events: [],
    firstAnswer: null,
    done: line.clock.now(),
    streamed: false,
    bytes: 0,
    usage: null,
    outputTokens: null,
    tokenSource: null,
    firstEventTokens: null,
    finish: null,
    status: null,
    error,
    retries: 0,
    protocol: line.protocol,
    http: null,
    reused: false,
    text: "",
    reasoning: "",
  };
}
