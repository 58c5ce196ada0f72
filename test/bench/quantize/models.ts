import { cls } from "./cls.js";
import { det } from "./det.js";
import type { Harness } from "./harness.js";
import { isnet } from "./isnet.js";
import { mlsdLarge, mlsdLarge320, mlsdTiny, mlsdTiny320 } from "./mlsd.js";
import { rec } from "./rec.js";
import { vad5, vad6, vadl } from "./vad.js";

/** Every model that is measured. */
export const harnesses: readonly Harness[] = [
  rec,
  det,
  cls,
  vad5,
  vad6,
  vadl,
  mlsdLarge,
  mlsdTiny,
  mlsdLarge320,
  mlsdTiny320,
  isnet,
];
