import type { Rows } from "../row.js";
import { convolution } from "./convolution.js";
import { elementwise } from "./elementwise.js";
import { matrix } from "./matrix.js";
import { normalisation } from "./normalisation.js";
import { pooling } from "./pooling.js";
import { recurrence } from "./recurrent.js";
import { reduction } from "./reduction.js";

/** Every operator that labels are followed through. */
export const rows: Rows = {
  ...convolution,
  ...elementwise,
  ...matrix,
  ...normalisation,
  ...pooling,
  ...recurrence,
  ...reduction,
};
