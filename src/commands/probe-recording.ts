import type { Host } from "../cli.js";
import { parseRecording, type Recording } from "../compat/recording.js";
import { UserError } from "../errors.js";
import { readInput } from "./files.js";

/** Reads what `deepseek-compat probe --record` wrote. */
export function readRecording(host: Host, path: string): Recording {
  const recording = parseRecording(new TextDecoder().decode(readInput(host, path, "recording")));
  if (recording) return recording;
  throw new UserError(
    `${path}: is no recording of a probe; make one with \`deepseek-compat probe --base-url <url> --record ${path}\``,
  );
}
