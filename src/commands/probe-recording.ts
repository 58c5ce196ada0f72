import type { Host, Options } from "../cli.js";
import type { Recording } from "../compat/probe/recording.js";
import { UserError } from "../errors.js";
import { readInput } from "./files.js";

/** Reads what `deepseek-compat probe --record` wrote. */
export async function readRecording(host: Host, path: string): Promise<Recording> {
  const { parseRecording } = await import("../compat/probe/recording.js");
  const recording = parseRecording(new TextDecoder().decode(readInput(host, path, "recording")));
  if (recording) return recording;
  throw new UserError(
    `${path}: is no recording of a probe; make one with \`deepseek-compat probe --base-url <url> --record ${path}\``,
  );
}

/** The recording that --probe names; undefined where the option is not given. */
export async function probeOf(host: Host, options: Options): Promise<Recording | undefined> {
  const path = options["probe"] as string | undefined;
  return path === undefined ? undefined : readRecording(host, path);
}
