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

/** Parses one or several whole numbers of at least 1: `1,4,16`. */
export function wholes(text: string): readonly number[] {
  const numbers = text.split(",").map((part) => (/^\d+$/.test(part.trim()) ? Number(part) : 0));
  if (numbers.every((number) => number >= 1 && number <= 65_536)) return [...new Set(numbers)];
  throw new InvalidArgumentError("It must be whole numbers from 1 to 65536, such as 1,4,16.");
}

/** Parses a time in seconds above 0. */
export function seconds(text: string): number {
  const number = Number(text);
  if (text.trim() !== "" && number > 0 && number <= 3600) return number;
  throw new InvalidArgumentError("It must be a number of seconds above 0, at most 3600.");
}

/** Parses a time with its unit into seconds above 0: `500ms`, `60s`, `2m`, `1h`; a bare number is seconds. */
export function duration(text: string): number {
  const found = /^(\d+(?:\.\d+)?|\.\d+)\s*(us|ms|s|m|min|h)?$/.exec(text.trim());
  const unit = { us: 1e-6, ms: 1e-3, s: 1, m: 60, min: 60, h: 3600 }[found?.[2] ?? "s"]!;
  const value = Number(found?.[1] ?? 0) * unit;
  if (value > 0 && value <= 7 * 86_400) return value;
  throw new InvalidArgumentError("It must be a time above 0 such as 500ms, 60s or 5m.");
}

/** Parses one or several rates above 0, a second: `0.5,2,8`. */
export function rates(text: string): readonly number[] {
  const numbers = text.split(",").map((part) => Number(part.trim().replace(/\/s$/, "") || Number.NaN));
  if (numbers.every((number) => number > 0 && number <= 1e6)) return [...new Set(numbers)];
  throw new InvalidArgumentError("It must be requests per second above 0, such as 2 or 0.5,2,8.");
}

/** Parses one number above 0. */
export function positive(text: string): number {
  const number = Number(text.trim() || Number.NaN);
  if (number > 0 && number <= 1e6) return number;
  throw new InvalidArgumentError("It must be one number above 0, such as 0.5.");
}

/** Parses a confidence from 50 % to 99.9 %. */
export function confidence(text: string): number {
  const number = shareOf(text);
  if (number >= 0.5 && number <= 0.999) return number;
  throw new InvalidArgumentError("It must be a share from 50% to 99.9%, such as 95% or 0.95.");
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
