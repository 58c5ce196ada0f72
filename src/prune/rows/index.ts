import type { Rows } from "../row.js";
import { attentions } from "./attention.js";
import { convolution } from "./convolution.js";
import { cuttings } from "./cuts.js";
import { einsums } from "./einsum.js";
import { elementwise } from "./elementwise.js";
import { matrix } from "./matrix.js";
import { normalisation } from "./normalisation.js";
import { places } from "./places.js";
import { pooling } from "./pooling.js";
import { recurrence } from "./recurrent.js";
import { reduction } from "./reduction.js";
import { reshapes } from "./reshape.js";

/** Every operator that labels are followed through. */
export const rows: Rows = {
  ...attentions,
  ...convolution,
  ...cuttings,
  ...einsums,
  ...elementwise,
  ...matrix,
  ...normalisation,
  ...places,
  ...pooling,
  ...recurrence,
  ...reduction,
  ...reshapes,
};
