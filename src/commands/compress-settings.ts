import { readFileSync } from "node:fs";
import type { Options } from "../cli.js";
import { UserError } from "../errors.js";
import type { RangeSettings } from "../quantize/ranges.js";
import type { Goal, Override, QuantizeSettings, SchemeId } from "../quantize/settings.js";
import { schemeIds } from "../quantize/settings.js";
import type { StaticSettings } from "../quantize/static/settings.js";
import { staticKinds } from "../quantize/static/targets.js";
import { detectTarget, type OrtVersion, type Target } from "../quantize/target.js";
import type { Clip } from "../tensor/quantized.js";
import { rangeSettings } from "./sample-options.js";

/** What the options ask for. */
export interface CompressSettings {
  readonly weights: QuantizeSettings;
  /** Static quantization of activations; undefined where it is not wanted. */
  readonly activations: StaticSettings | undefined;
  readonly ranges: RangeSettings;
}

/** Reads the options; `hasData` tells whether activations can be calibrated on real samples. */
export function settingsOf(options: Options, hasData: boolean): CompressSettings {
  const target = targetOf(options["target"] as string);
  const ortMin = options["ortMin"] as OrtVersion | undefined;
  const goal = options["optimizeFor"] as Goal;
  const forced = forcedScheme(options);
  const block = options["block"] as number | undefined;
  // fast convolutions need activations in 8 bits, whose ranges need samples
  const isStatic = forced === "static" || (forced === undefined && goal !== "size" && hasData);
  const weights: QuantizeSettings = {
    scheme: forced === undefined || forced === "static" ? "auto" : forced,
    // 8 bits lose more by a clip, which moves sums, than they gain in resolution
    clip: clipOf(options["clip"] as Clip | "auto", options["int4"] === true),
    balance: options["balance"] !== false,
    // static quantization takes the floats of biases
    halves: !isStatic,
    minElements: options["minElements"] as number,
    bits: options["int4"] ? 4 : 8,
    convolutions4: options["int4Convolutions"] === true,
    asymmetric: options["asymmetric"] === true,
    goal,
    target,
    overrides: overridesOf(options),
    ...(block === undefined ? {} : { blockSize: block }),
    ...(ortMin === undefined ? {} : { ortMin }),
  };
  const activations: StaticSettings = {
    ...staticKinds[target],
    symmetric: options["symmetricActivations"] === true,
    minRealRange: 0,
    matmulOfActivations: options["attention"] === true,
    placement: options["everywhere"] === true ? "everywhere" : "cheapest",
  };
  return {
    weights,
    activations: isStatic ? activations : undefined,
    ranges: rangeSettings(options),
  };
}

function clipOf(clip: Clip | "auto", int4: boolean): Clip {
  if (clip !== "auto") return clip;
  return int4 ? "mse" : "max";
}

function forcedScheme(options: Options): SchemeId | undefined {
  const { scheme } = options as { readonly scheme?: SchemeId };
  const asked = [
    ...(options["dynamic"] ? [{ option: "--dynamic", id: "dynamic" } as const] : []),
    ...(options["static"] ? [{ option: "--static", id: "static" } as const] : []),
    ...(scheme === undefined ? [] : [{ option: `--scheme ${scheme}`, id: scheme }]),
  ];
  if (new Set(asked.map(({ id }) => id)).size > 1) {
    throw new UserError(`${asked.map(({ option }) => option).join(" and ")}: choose one scheme`);
  }
  return asked[0]?.id;
}

/** The target of an option; `auto` is this machine. */
function targetOf(option: string): Target {
  if (option !== "auto") return option === "x86" ? "avx2" : (option as Target);
  return detectTarget(process.arch, cpuFlags());
}

/** What Linux says the processor can do; empty where that is not known. */
function cpuFlags(): readonly string[] {
  try {
    return /^flags\s*:\s*(.*)$/m.exec(readFileSync("/proc/cpuinfo", "utf8"))?.[1]?.split(" ") ?? [];
  } catch {
    return [];
  }
}

/** What can be decided for a tensor by itself. */
const tensorSchemes: readonly string[] = ["float", "half", ...schemeIds.filter((id) => id !== "static")];

function overridesOf(options: Options): readonly Override[] {
  const given = (options["tensor"] as readonly string[] | undefined) ?? [];
  return given.map((text): Override => {
    const at = text.lastIndexOf("=");
    const scheme = text.slice(at + 1);
    if (at > 0 && tensorSchemes.includes(scheme)) {
      return { pattern: text.slice(0, at), scheme: scheme as Override["scheme"] };
    }
    throw new UserError(`--tensor ${text}: write it as <pattern>=<scheme>; schemes: ${tensorSchemes.join(", ")}`);
  });
}

/** Loss by quantizing that is allowed where nobody says. */
const usualDrop = 0.02;

/** The loss by quantizing that --max-drop allows. */
export function maxDropOf(options: Options): number {
  return (options["maxDrop"] as number | undefined) ?? usualDrop;
}
