/**
 * A mistake the user can mend: one line that names the file, tensor, option or line, and the remedy.
 * It is shown without a stack and ends the program with exit code 2.
 */
export class UserError extends Error {
  override readonly name: string = "UserError";
}

/** A file that is not what its format says: truncated, overlapping, absurd sizes, cycles. */
export class FormatError extends UserError {
  override readonly name = "FormatError";
}
