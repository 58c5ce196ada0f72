import type { Syntax } from "./facts.js";

/** A value that can be written in every language. */
export type Written = string | number | boolean | { readonly [name: string]: Written };

/** Writes a value in a syntax, on one line. `quote` is the quote strings are written with where there is a choice. */
export function writeValue(value: Written, syntax: Syntax, quote: string): string {
  const strings = syntax === "json" ? '"' : quote;
  if (typeof value === "string") {
    if (syntax === "yaml" && /^[A-Za-z][\w./-]*$/.test(value) && !/^(true|false|yes|no|on|off|null)$/i.test(value)) {
      return value;
    }
    return `${strings}${value}${strings}`;
  }
  if (typeof value === "boolean" && (syntax === "dict" || syntax === "keywords")) return value ? "True" : "False";
  if (typeof value !== "object") return String(value);
  // what is nested in keyword arguments is a dict
  const inner = syntax === "keywords" ? "dict" : syntax;
  const properties = Object.entries(value).map(([name, one]) => writeProperty(name, one, inner, quote));
  return syntax === "js" || syntax === "yaml" ? `{ ${properties.join(", ")} }` : `{${properties.join(", ")}}`;
}

/** Writes a property: `name: v`, `name=v`, `"name": v`. */
export function writeProperty(name: string, value: Written, syntax: Syntax, quote: string): string {
  const text = writeValue(value, syntax, quote);
  if (syntax === "keywords") return `${name}=${text}`;
  if (syntax === "dict") return `${quote}${name}${quote}: ${text}`;
  if (syntax === "json") return `"${name}": ${text}`;
  // a name such as deep-seek is none without quotes
  const isName = syntax !== "js" || /^[\p{ID_Start}$_][\p{ID_Continue}$]*$/u.test(name);
  return `${isName ? name : `${quote}${name}${quote}`}: ${text}`;
}

/** How a comment of its own line begins; undefined in a syntax that has none. */
export function lineComment(syntax: Syntax): string | undefined {
  if (syntax === "js") return "//";
  return syntax === "json" ? undefined : "#";
}
