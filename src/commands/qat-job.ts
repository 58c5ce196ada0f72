import type { Host } from "../cli.js";
import { UserError } from "../errors.js";
import type { Job, Link, Outcome } from "./training-job.js";

export async function qatJob(_host: Host, _job: Job, _link: Link): Promise<Outcome> {
  throw new UserError("--qat: not yet");
}
