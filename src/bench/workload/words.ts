import { uniform } from "../../data/random.js";
import { seedOf } from "./seeds.js";

/**
 * Common English words: with a space before it, each is one token of the vocabularies of today's large models (100,000
 * entries and more), so that a text of n of them has about n tokens. Text, not random token ids: those do not survive
 * being decoded and encoded again (vllm#17408, vllm#44708).
 */
const common =
  `time year people way day man thing woman life child world school state family student group country problem hand
part place case week company system program question work government number night point home water room mother area
money story fact month lot right study book eye job word business issue side kind head house service friend father
power hour game line end member law car city community name president team minute idea body information back parent
face level office door health person art war history party result change morning reason research girl guy moment air
teacher force education foot boy age policy music market sense nation plan college interest death experience effect
use class control care field development role effort rate heart show leader light voice wife police mind price
report decision son view relationship town road arm difference value building action season society tax director
position player record paper space ground form event matter center couple site project activity star table need court
oil situation cost industry figure street image phone data picture practice piece land product doctor wall patient
worker news test movie north love step baby computer type attention film tree source organization hair window culture
chance brother energy period course summer plant opportunity term letter condition choice rule south floor campaign
material population call economy hospital church risk fire future bank west sport board subject officer rest behavior
performance top goal second bed order author blood agency nature color store sound movement page race concern series
language response animal factor decade article east artist scene stock career treatment approach size dog fund media
sign thought list individual quality pressure answer resource meeting disease success cup amount ability staff
character growth loss degree attack region television box training trade deal election feeling standard bill message
analysis benefit lawyer section glass skill sister professor operation crime stage authority design sort knowledge
station strategy truth song example environment leg dark note model factory river farm garden bridge ship engine
train island forest mountain ocean weather winter spring rain snow wind cloud sun moon sky stone metal wood gold
silver iron paper cloth bread milk sugar salt rice meat fish fruit apple coffee tea wine beer dinner lunch breakfast
kitchen chair desk lamp clock mirror knife plate bottle bag coat shirt dress shoe hat ring key lock box card map
camera radio paint brush pen pencil letter stamp ticket seat wheel boat plane bus truck horse cow sheep bird cat mouse
lion bear wolf snake tiger rabbit egg leaf flower grass root seed branch hill valley lake beach coast desert field
small large great good new old young high low long short early late big little important different public able bad
same free real full special easy clear recent certain personal open red difficult available likely single current
wrong private past foreign fine common poor natural significant similar hot dead central happy serious ready simple
left physical general environmental financial blue democratic dark various entire close legal religious cold final
main green nice huge popular traditional cultural white black strong possible whole major better best local social`
    .split(/\s+/)
    .filter((word, at, all) => all.indexOf(word) === at);

/** How many tokens a text has; handed in where there is a tokenizer. Special tokens that it adds do not matter. */
export type CountTokens = (text: string) => number;

/** Words to make texts of. */
export interface Vocabulary {
  /** A text of about so many tokens, the same for the same seeds; it begins with `start`, which counts. */
  text(tokens: number, start: string, ...seeds: readonly (number | string)[]): string;
  /** How the number of tokens comes about, in words. */
  readonly counted: string;
}

/** Texts to check that a number of tokens is what was asked for, and how far off it may be before it is corrected. */
const checked = [64, 256, 512];
const near = 0.01;
const fewestWords = 50;
/** Texts are put together of phrases: prompts are made while others are being measured, and word by word takes time. */
const phraseWords = 16;
const phraseCount = 4096;

/**
 * Makes the vocabulary. With a tokenizer only words stay that are one token within a text; then whole texts are counted
 * again, and if they come out longer or shorter, the number of words is corrected by their ratio. Counting happens here,
 * once: while a load runs, there is no time for a tokenizer.
 */
export function vocabulary(count: CountTokens | null = null): Vocabulary {
  if (count === null) return texts(common, 1, countPlainly, "a word counts as one token");
  const alone = count("the the");
  const single = common.filter((word) => count(`the ${word} the`) - alone === 1);
  const words = single.length >= fewestWords ? single : common;
  const empty = count("");
  const lengthOf = (text: string) => Math.max(1, count(text) - empty);
  const drafts = texts(words, 1, lengthOf, "");
  const made = checked.map((tokens) => lengthOf(drafts.text(tokens, "", "check")));
  const ratio = made.reduce((sum, tokens) => sum + tokens, 0) / checked.reduce((sum, tokens) => sum + tokens, 0);
  const used = Math.abs(ratio - 1) <= near ? 1 : ratio;
  return texts(words, used, lengthOf, "counted with the tokenizer");
}

/** Without a tokenizer: words and signs. */
function countPlainly(text: string): number {
  return text.match(/\w+|[^\w\s]/g)?.length ?? 0;
}

function texts(
  words: readonly string[],
  tokensPerWord: number,
  lengthOf: (text: string) => number,
  counted: string,
): Vocabulary {
  const choose = uniform(seedOf("phrases"));
  const phrases = Array.from({ length: phraseCount }, () =>
    Array.from({ length: phraseWords }, () => words[Math.floor(choose() * words.length)]!).join(" "),
  );
  const startLengths = new Map<string, number>([["", 0]]);
  const startLength = (start: string) => {
    let known = startLengths.get(start);
    if (known === undefined) {
      known = lengthOf(start);
      startLengths.set(start, known);
    }
    return known;
  };
  return {
    counted,
    text(tokens, start, ...seeds) {
      const next = uniform(seedOf("text", ...seeds));
      const own = startLength(start);
      // a text too short for its beginning does without
      const begins = own < tokens;
      const left = Math.max(1, Math.round((tokens - (begins ? own : 0)) / tokensPerWord));
      const made: string[] = [];
      for (let at = 0; at + phraseWords <= left; at += phraseWords)
        made.push(phrases[Math.floor(next() * phraseCount)]!);
      for (let at = 0; at < left % phraseWords; at++) made.push(words[Math.floor(next() * words.length)]!);
      const text = made.join(" ");
      return begins && start !== "" ? `${start} ${text}` : text;
    },
  };
}
