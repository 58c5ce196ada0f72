import { loadTypeScript } from "./typescript-compiler.cjs";

/** JavaScript of a TypeScript module: types are dropped and not checked. Throws an Error for what is no TypeScript. */
export function transpile(text: string, file: string): string {
  const ts = loadTypeScript();
  const { outputText, diagnostics = [] } = ts.transpileModule(text, {
    fileName: file,
    reportDiagnostics: true,
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: false,
      isolatedModules: true,
    },
  });
  const [error] = diagnostics.filter(({ category }) => category === ts.DiagnosticCategory.Error);
  if (error) {
    const line =
      error.file && error.start !== undefined ? error.file.getLineAndCharacterOfPosition(error.start).line : 0;
    throw new Error(`line ${line + 1}: ${ts.flattenDiagnosticMessageText(error.messageText, " ")}`);
  }
  return outputText;
}
