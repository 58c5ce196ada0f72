// The TypeScript declarations of the JSON results, collected from the sources for docs/results.md.
import ts from "typescript";

/** A result of a command: its schema name, the file and the name of its type. */
export interface ResultType {
  readonly command: string;
  readonly schema: string;
  readonly file: string;
  readonly type: string;
}

type Named = ts.InterfaceDeclaration | ts.TypeAliasDeclaration;

/** One section a result: its type and every type of this project that it mentions, as written, comments included. */
export function resultsMarkdown(results: readonly ResultType[]): string {
  const config = ts.getParsedCommandLineOfConfigFile(
    "tsconfig.json",
    {},
    { ...ts.sys, onUnRecoverableConfigFileDiagnostic() {} },
  )!;
  const program = ts.createProgram(
    results.map(({ file }) => file),
    config.options,
  );
  const checker = program.getTypeChecker();
  const sections = results.map(({ command, schema, file, type }) => {
    const source = program.getSourceFile(file)!;
    const root = source.statements.find((one): one is Named => isNamed(one) && one.name.text === type);
    if (!root) throw new Error(`${file} declares no type ${type}`);
    const found = new Set<Named>();
    const collect = (declaration: Named): void => {
      if (found.has(declaration)) return;
      found.add(declaration);
      const visit = (node: ts.Node): void => {
        const name = ts.isTypeReferenceNode(node)
          ? node.typeName
          : ts.isExpressionWithTypeArguments(node)
            ? node.expression
            : undefined;
        for (const target of name ? declarationsOf(name, checker) : []) collect(target);
        ts.forEachChild(node, visit);
      };
      ts.forEachChild(declaration, visit);
    };
    collect(root);
    const code = [...found].map((declaration) => textOf(declaration)).join("\n\n");
    return `## ${schema}\n\nPrinted by \`${command}\`.\n\n\`\`\`ts\n${code}\n\`\`\`\n`;
  });
  return sections.join("\n");
}

const isNamed = (node: ts.Node): node is Named => ts.isInterfaceDeclaration(node) || ts.isTypeAliasDeclaration(node);

/** The project's own declarations of a type name; those of libraries are known to the reader. */
function declarationsOf(name: ts.Node, checker: ts.TypeChecker): readonly Named[] {
  const symbol = checker.getSymbolAtLocation(name);
  const target = symbol && symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
  return (target?.declarations ?? [])
    .filter(isNamed)
    .filter(
      (one) =>
        /(^|[\\/])src[\\/]/.test(one.getSourceFile().fileName) && !/node_modules/.test(one.getSourceFile().fileName),
    );
}

function textOf(declaration: Named): string {
  const source = declaration.getSourceFile();
  const start = ts.getLeadingCommentRanges(source.text, declaration.pos)?.at(-1)?.pos ?? declaration.getStart();
  return source.text.slice(start, declaration.end).replace(/^export /m, "");
}
