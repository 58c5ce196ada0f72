import type { CommandHead } from "../cli.js";

/** Narrower than this, commander leaves a column as it is. */
const narrowest = 40;

/**
 * The list of a program's commands, as commander prints it for `--help`. Made without loading commander, which alone
 * takes most of the time above that of Node.js itself. `columns` is the width of the terminal in characters.
 */
export function listCommands(
  program: { readonly name: string; readonly summary: string; readonly commands: readonly CommandHead[] },
  columns: number,
): string {
  const options: readonly Item[] = [
    ["-V, --version", "print the version"],
    ["-h, --help", "show help"],
  ];
  const commands: readonly Item[] = [
    ...program.commands.map(({ name, usage, summary }): Item => [`${name} [options] ${usage}`.trimEnd(), summary]),
    ["help [command]", "show help for a command"],
  ];
  const width = Math.max(...[...options, ...commands].map(([term]) => term.length));
  const lines = (items: readonly Item[]) =>
    items.map(([term, text]) => {
      const indent = `\n${" ".repeat(width + 4)}`;
      return `  ${term.padEnd(width + 2)}${wrap(text, columns - width - 4).replaceAll("\n", indent)}\n`;
    });
  return [
    `Usage: ${program.name} [options] [command]\n\n${wrap(program.summary, columns)}\n\n`,
    `Options:\n${lines(options).join("")}\n`,
    `Commands:\n${lines(commands).join("")}\n`,
    `Run \`${program.name} <command> --help\` for its options and examples.\n`,
  ].join("");
}

type Item = readonly [term: string, text: string];

/** Breaks a text into lines of at most some width; longer words stand on lines of their own. */
function wrap(text: string, width: number): string {
  if (width < narrowest) return text;
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const longer = line === "" ? word : `${line} ${word}`;
    if (line === "" || longer.length <= width) line = longer;
    else {
      lines.push(line);
      line = word;
    }
  }
  return [...lines, line].join("\n");
}
