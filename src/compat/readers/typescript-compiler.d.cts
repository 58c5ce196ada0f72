import type { ts as TypeScript } from "ts-morph";

/** Holds only what the readers use of it, as of the last build. */
export { ts } from "ts-morph";
export function loadTypeScript(): typeof TypeScript;
export function loadMorph(): typeof import("ts-morph");
