import { UserError } from "../../errors.js";
import { seedOf } from "./seeds.js";
import type { Vocabulary } from "./words.js";
import type { Conversation } from "./workload.js";

/** Conversations of a group begin with the same text of so many tokens, as those of one application do. */
export interface SharedPrefix {
  readonly tokens: number;
  readonly groups: number;
}

/** Reads `1000/8`: 1000 tokens, 8 groups; `1000` is one group. */
export function parseSharedPrefix(text: string, what: string): SharedPrefix {
  const [, tokens, groups = "1"] = /^(\d{1,7})(?:\/(\d{1,6}))?$/.exec(text.trim()) ?? [];
  if (tokens === undefined || Number(tokens) === 0 || Number(groups) === 0) {
    throw new UserError(`${what}: "${text}" is not tokens/groups, such as 1000/8`);
  }
  return { tokens: Number(tokens), groups: Number(groups) };
}

/** Texts that are remembered; longer lists are made anew when they are needed. */
const keptTexts = 64;

/** Puts each conversation into a group, by chance, and the group's text into its system message. */
export function sharePrefix(
  shared: SharedPrefix | null,
  words: Vocabulary,
  seed: number,
): (conversation: Conversation, stretch: number, place: number) => Conversation {
  if (shared === null) return (conversation) => conversation;
  const texts = new Map<number, string>();
  const textOf = (group: number): string => {
    const text = texts.get(group) ?? words.text(shared.tokens, "", seed, "shared prefix", group);
    if (texts.size >= keptTexts) texts.clear();
    texts.set(group, text);
    return text;
  };
  return (conversation, stretch, place) => {
    const group = (seedOf(seed, "group", stretch, place) >>> 0) % shared.groups;
    const text = textOf(group);
    const turns = conversation.turns.map((turn, at) => {
      if (at > 0) return turn;
      const [first, ...rest] = turn.messages;
      const messages =
        first?.role === "system"
          ? [{ ...first, content: `${text}\n\n${first.content}` }, ...rest]
          : [{ role: "system" as const, content: text }, ...turn.messages];
      return { ...turn, messages };
    });
    return { ...conversation, turns, group };
  };
}
