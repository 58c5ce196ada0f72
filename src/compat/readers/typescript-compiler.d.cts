export { ts } from "ts-morph";
export function loadMorph(): typeof import("ts-morph");
