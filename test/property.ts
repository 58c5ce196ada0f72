import fc from "fast-check";

/**
 * fast-check with one seed for all, so that a run judges a change and not its luck; PROPERTY_SEED takes another number,
 * or `any` for a new one each time.
 */
const wanted = process.env["PROPERTY_SEED"] ?? "1";
if (wanted !== "any") {
  const seed = Number(wanted);
  if (!Number.isInteger(seed)) throw new Error(`PROPERTY_SEED=${wanted}: is neither a whole number nor "any"`);
  fc.configureGlobal({ seed });
}

export default fc;
