import type { Scheme } from "../scheme.js";
import type { SchemeId } from "../settings.js";
import { dynamic } from "./dynamic.js";
import { gather } from "./gather.js";
import { nbits } from "./nbits.js";
import { qdq } from "./qdq.js";
import { staticScheme } from "./static.js";
import { unpack } from "./unpack.js";

/** Every scheme. */
export const schemes: Readonly<Record<SchemeId, Scheme>> = {
  qdq,
  unpack,
  nbits,
  gather,
  dynamic,
  static: staticScheme,
};
