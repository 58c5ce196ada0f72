// biome-ignore lint/suspicious/noControlCharactersInRegex: these are what is looked for
const controls = /[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g;

function hex(character: string): string {
  return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
}

/**
 * A mistake the user can mend: one line that names the file, tensor, option or line, and the remedy.
 * It is shown without a stack and ends the program with exit code 2.
 */
export class UserError extends Error {
  override readonly name: string = "UserError";

  /** Control characters, which names in damaged files hold, are escaped: they would break the line or steer a terminal. */
  constructor(message: string, options?: ErrorOptions) {
    super(
      message.replace(controls, (character) => JSON.stringify(character).slice(1, -1).replace(character, hex)),
      options,
    );
  }
}

/** A model that cannot be run on what it is fed; `reason` is what the runtime says. */
export class RunError extends UserError {
  override readonly name = "RunError";

  constructor(
    message: string,
    readonly reason: string,
  ) {
    super(`${message}: ${reason}`);
  }
}

/** A file that is not what its format says: truncated, overlapping, absurd sizes, cycles. */
export class FormatError extends UserError {
  override readonly name = "FormatError";
}
