import { type Argument, Command, CommanderError, type Option } from "commander";
import { UserError } from "./errors.js";

/** What a program's end says: done, findings or a missed gate, could not do it, Ctrl-C. */
export const exitCode = { ok: 0, found: 1, failed: 2, interrupted: 130 } as const;
export type ExitCode = (typeof exitCode)[keyof typeof exitCode];

/** One output of the process. */
export interface Output {
  write(text: string): void;
  readonly isTerminal: boolean;
  /** Width in characters; 80 where it is not known. */
  readonly columns: number;
}

/** The outside world as a command sees it, so that a test can run a whole command in-process. */
export interface Host {
  readonly cwd: string;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The result, and nothing else. */
  readonly stdout: Output;
  /** Progress, warnings and errors. */
  readonly stderr: Output;
  /** Standard input, where the program has one. */
  readonly stdin?: { readonly isTerminal: boolean; read(): Uint8Array };
  readonly version: string;
  /**
   * Registers what Ctrl-C must undo (temporary files, child processes); the returned function forgets it. Where `undo`
   * returns a promise, the program waits for it (to keep what was measured), but ends at once on a second Ctrl-C.
   */
  onInterrupt(undo: () => void | Promise<void>): () => void;
}

/** Options as commander hands them over, keyed by camel-cased name. */
export type Options = Readonly<Record<string, unknown>>;

/** A command: declared here without loading anything heavy; `run` imports what it needs. */
export interface CommandSpec {
  readonly name: string;
  /** One line for the list of commands. */
  readonly summary: string;
  /** What the command's own help adds to the summary. */
  readonly details?: string;
  readonly arguments: readonly Argument[];
  readonly options: readonly Option[];
  /** Headings under which the help lists long options, in its order; the rest stand first, under "Options:". */
  readonly optionGroups?: Readonly<Record<string, readonly string[]>>;
  readonly examples: readonly { readonly command: string; readonly note: string }[];
  /** What each exit code means for this command. */
  readonly exitCodes: Readonly<Record<0 | 1 | 2, string>>;
  /** `typed` are the names of options that were given, not left to their defaults. */
  run(host: Host, args: readonly unknown[], options: Options, typed: ReadonlySet<string>): Promise<ExitCode>;
}

/** What the list of commands shows of one. */
export interface CommandHead {
  readonly name: string;
  readonly summary: string;
  /** Its arguments: `[paths...]`; empty where it has none. */
  readonly usage: string;
}

/** A command of which only the head is loaded before somebody asks for it. */
interface LazyCommand extends CommandHead {
  load(): Promise<CommandSpec>;
}

export interface Program {
  readonly name: string;
  readonly summary: string;
  readonly commands: readonly (CommandSpec | LazyCommand)[];
}

/** A program with its commands loaded: all, or those of some names. */
export async function loadCommands(program: Program, names?: readonly string[]): Promise<Program> {
  const commands: (CommandSpec | LazyCommand)[] = [];
  for (const one of program.commands) {
    commands.push("load" in one && (names?.includes(one.name) ?? true) ? await one.load() : one);
  }
  return { ...program, commands };
}

/** The commander set-up of a program; `finish` is told the exit code of the command that ran. */
export function commanderOf(program: Program, host: Host, finish: (code: ExitCode) => void = () => {}): Command {
  const root = new Command(program.name)
    .description(program.summary)
    .version(host.version, "-V, --version", "print the version")
    .helpOption("-h, --help", "show help")
    .helpCommand("help [command]", "show help for a command")
    .configureHelp({ showGlobalOptions: false, sortSubcommands: false })
    .exitOverride()
    .configureOutput({
      writeOut: (text) => host.stdout.write(text),
      writeErr: (text) => host.stderr.write(text),
      getOutHelpWidth: () => host.stdout.columns,
      getErrHelpWidth: () => host.stderr.columns,
      getOutHasColors: () => false,
      getErrHasColors: () => false,
    })
    .addHelpText("after", `\nRun \`${program.name} <command> --help\` for its options and examples.`);
  for (const spec of program.commands) {
    if ("load" in spec) {
      const head = root.command(spec.name).summary(spec.summary).option("--any", "so that the list says [options]");
      if (spec.usage !== "") head.arguments(spec.usage);
      continue;
    }
    const command = root
      .command(spec.name)
      .summary(spec.summary)
      .description(spec.details ? `${spec.summary}\n\n${spec.details}` : spec.summary)
      .helpOption("-h, --help", "show help")
      .addHelpText("after", helpTail(program.name, spec))
      .showHelpAfterError(`(see: ${program.name} ${spec.name} --help)`);
    for (const argument of spec.arguments) command.addArgument(argument);
    for (const option of grouped(spec)) command.addOption(option);
    command.action(async () => {
      const options = command.opts();
      const typed = new Set(Object.keys(options).filter((name) => command.getOptionValueSource(name) === "cli"));
      finish(await spec.run(host, command.processedArgs, options, typed));
    });
  }
  return root;
}

/** The options of a command in the order of its help, with their headings. */
function grouped({ options, optionGroups = {} }: CommandSpec): readonly Option[] {
  const places = Object.entries(optionGroups).flatMap(([heading, names]) => names.map((name) => ({ heading, name })));
  const placeOf = ({ long }: Option) => places.findIndex(({ name }) => name === long);
  for (const option of options) {
    const place = places[placeOf(option)];
    if (place) option.helpGroup(`${place.heading}:`);
  }
  return [...options].sort((a, b) => placeOf(a) - placeOf(b));
}

function helpTail(program: string, spec: CommandSpec): string {
  const width = Math.max(0, ...spec.examples.map((example) => example.command.length));
  const examples = spec.examples.map(({ command, note }) =>
    `  $ ${program} ${command.padEnd(width)}  ${note ? `# ${note}` : ""}`.trimEnd(),
  );
  const codes = Object.entries(spec.exitCodes).map(([code, meaning]) => `  ${code.padEnd(4)} ${meaning}`);
  return ["", "Examples:", ...examples, "", "Exit codes:", ...codes, "  130  interrupted"].join("\n");
}

/** Runs a program on its arguments (without node and script) and returns its exit code; throws nothing. */
export async function runProgram(program: Program, argv: readonly string[], host: Host): Promise<ExitCode> {
  let code: ExitCode = exitCode.ok;
  const root = commanderOf(await loadCommands(program, argv), host, (result) => {
    code = result;
  });
  if (argv.length === 0) {
    host.stderr.write(root.helpInformation());
    return exitCode.failed;
  }
  try {
    await root.parseAsync(argv, { from: "user" });
    return code;
  } catch (error) {
    // commander has printed its own message; help and version are not failures
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCode.ok : exitCode.failed;
    if (error instanceof UserError) {
      host.stderr.write(`error: ${error.message}\n`);
      return exitCode.failed;
    }
    const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
    host.stderr.write(
      `internal error: ${stack}\n\nThis is a bug in ${program.name} ${host.version}. Please report it with the command and the lines above.\n`,
    );
    return exitCode.failed;
  }
}
