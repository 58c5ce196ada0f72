import type { QuantizeSettings, SchemeId } from "./settings.js";
import type { Site } from "./sites.js";

/** Schemes to try for a site, the best first: the first that fits is taken. */
export function candidates(_site: Site, { scheme }: QuantizeSettings): readonly SchemeId[] {
  return scheme === "auto" ? ["qdq"] : [scheme];
}
