import { InvalidArgumentError } from "commander";

/** Parses a whole number within bounds (both included). */
export function whole(least: number, most = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const number = Number(text);
    if (/^\d+$/.test(text) && number >= least && number <= most) return number;
    const bounds = most === Number.MAX_SAFE_INTEGER ? `of at least ${least}` : `from ${least} to ${most}`;
    throw new InvalidArgumentError(`It must be a whole number ${bounds}.`);
  };
}

/** Parses a time in seconds above 0. */
export function seconds(text: string): number {
  const number = Number(text);
  if (text.trim() !== "" && number > 0 && number <= 3600) return number;
  throw new InvalidArgumentError("It must be a number of seconds above 0, at most 3600.");
}

/** Parses a share above 0 and below 1: `5%` or `0.05`. */
export function share(text: string): number {
  const number = shareOf(text);
  if (number > 0 && number < 1) return number;
  throw new InvalidArgumentError("It must be a share above 0 and below 1, such as 5% or 0.05.");
}

/** Parses a share from 0 to 1, both included. */
export function anyShare(text: string): number {
  const number = shareOf(text);
  if (number >= 0 && number <= 1) return number;
  const meant = number > 1 && number <= 100 && !text.includes("%") ? ` For ${number} percent write ${number}%.` : "";
  throw new InvalidArgumentError(`It must be a share from 0 to 1, such as 2% or 0.02.${meant}`);
}

function shareOf(text: string): number {
  const trimmed = text.trim();
  if (!/\d/.test(trimmed)) return Number.NaN;
  return trimmed.endsWith("%") ? Number(trimmed.slice(0, -1)) / 100 : Number(trimmed);
}

/** Gathers the values of an option that may be given several times. */
export function repeated(text: string, earlier: readonly string[] = []): readonly string[] {
  return [...earlier, text];
}
