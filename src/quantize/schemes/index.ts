import type { Scheme } from "../scheme.js";
import type { SchemeId } from "../settings.js";
import { dynamic } from "./dynamic.js";
import { qdq } from "./qdq.js";
import { unpack } from "./unpack.js";

/** Every scheme. */
export const schemes: Readonly<Record<SchemeId, Scheme>> = { qdq, unpack, dynamic };
