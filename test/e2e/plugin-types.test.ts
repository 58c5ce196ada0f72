import { join } from "node:path";
import { expect, test } from "@jest/globals";
import ts from "typescript";

/* The published types, as a file with rules of one's own sees them. Needs `npm run build`. */
function errorsOf(text: string): string[] {
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    strict: true,
    noEmit: true,
    types: [],
    paths: { "deepseek-compat": [join(process.cwd(), "dist/compat/plugin.d.ts")] },
  };
  const host = ts.createCompilerHost(options);
  const name = join(process.cwd(), "test/e2e/my-rule.ts");
  const { getSourceFile } = host;
  host.getSourceFile = (file, ...rest) =>
    file === name ? ts.createSourceFile(file, text, ts.ScriptTarget.ES2022) : getSourceFile(file, ...rest);
  host.fileExists = (file) => file === name || ts.sys.fileExists(file);
  return ts
    .getPreEmitDiagnostics(ts.createProgram([name], options, host))
    .map(({ messageText }) => ts.flattenDiagnosticMessageText(messageText, " "));
}

const rule = `import type { Facts, Problem, Rule } from "deepseek-compat";
function* check(facts: Facts): Iterable<Problem> {
  for (const file of facts.files)
    for (const { value, place } of file.literals) if (value === "deepseek-todo") yield { message: "choose a model", place };
}
export const rule: Rule = {
  id: "no-todo-model", code: "X01", title: "A model nobody chose", effect: "cost", explanation: "Why not.",
  severity: { "v3.1": "warning", current: "error" }, examples: [], check,
  source: { urls: [], date: "2026-01-01", confidence: "primary" },
};
`;

test("a rule of one's own type-checks against the published types, and mistakes are found", () => {
  expect(errorsOf(rule)).toEqual([]);
  expect(errorsOf(rule.replace('"cost"', '"money"'))).toEqual([expect.stringContaining('"money"')]);
});
