import { loadTypeScript } from "./typescript-compiler.cjs";

/** JavaScript of a TypeScript module: types are dropped, nothing is checked. */
export function transpile(text: string, file: string): string {
  const ts = loadTypeScript();
  return ts.transpileModule(text, {
    fileName: file,
    compilerOptions: {
      target: ts.ScriptTarget.ES2022,
      module: ts.ModuleKind.ESNext,
      verbatimModuleSyntax: false,
      isolatedModules: true,
    },
  }).outputText;
}
