import type { TaskResult } from "../train/result.js";
import type { TaskSettings } from "../train/tasks/task.js";

/** How tasks with recovery are run. */
export interface RecoverySettings extends TaskSettings {
  /** Updates of the weights, where not as many as usual. */
  readonly steps: number | undefined;
  /** The learning rate, where not the usual one. */
  readonly rate: number | undefined;
  readonly times: boolean;
  /** Takes the files of this package that there are, whatever they were made with. */
  readonly asItIs: boolean;
  /** Leaves this package out. */
  readonly peerOnly: boolean;
  /** Options of the command beside those given by the task. */
  readonly more: readonly string[];
}

/** What a task came to, and versions of what it was held against. */
export interface TaskFound {
  readonly result: TaskResult;
  readonly versions?: Readonly<Record<string, string>>;
}
