import type { Host, Options } from "../cli.js";
import type { QuantizeSettings } from "../quantize/settings.js";
import type { Clip } from "../tensor/quantized.js";

/** What the options ask of the plan. */
export function settingsOf(_host: Host, options: Options): QuantizeSettings {
  const x86 = options["target"] === "x86" || (options["target"] === "auto" && process.arch === "x64");
  return {
    scheme: "auto",
    signed: !x86,
    clip: options["clip"] as Clip,
    minElements: options["minElements"] as number,
  };
}
