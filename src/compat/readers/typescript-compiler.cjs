// TypeScript itself without ts-morph around it: a reader needs no more, and it loads in half the time. A CommonJS file,
// because importing one of its size makes Node search it for exports first.
const { createRequire } = require("node:module");

let ts;
try {
  ts = createRequire(require.resolve("ts-morph"))("@ts-morph/common/dist/typescript.js");
} catch {
  // another version of ts-morph may keep it elsewhere
  ts = require("ts-morph").ts;
}
exports.ts = ts;
/** All of ts-morph, of which only the standard library's declarations are needed, and those only to check types. */
exports.loadMorph = () => require("ts-morph");
