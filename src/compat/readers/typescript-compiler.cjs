// The parser out of TypeScript (made by scripts/typescript-parser.mjs): readers need no more, and it loads in a fifth of
// the time. A CommonJS file, because importing one of its size makes Node search it for exports first.
const { createRequire } = require("node:module");

exports.ts = require("../../../grammars/typescript-parser.cjs");
/** All of TypeScript, without ts-morph around it. */
exports.loadTypeScript = () => {
  try {
    return createRequire(require.resolve("ts-morph"))("@ts-morph/common/dist/typescript.js");
  } catch {
    // another version of ts-morph may keep it elsewhere
    return require("ts-morph").ts;
  }
};
/** All of ts-morph, of which only the standard library's declarations are needed, and those only to check types. */
exports.loadMorph = () => require("ts-morph");
