import type { Host, Options } from "../cli.js";
import type { FileSettings } from "../compat/gates/config.js";
import type { Limits } from "../compat/gates/gates.js";
import { nearestNames } from "../compat/gates/names.js";
import type { CostOptions } from "../compat/proof/cost.js";
import type { Rule } from "../compat/rule.js";
import type { ScanOptions } from "../compat/scan.js";
import { UserError } from "../errors.js";
import { type LoadedConfig, loadConfig } from "./config-file.js";
import { loadPrices } from "./price-file.js";
import { probeOf } from "./probe-recording.js";
import { pathFrom } from "./scan-sources.js";

/** What a scan goes by: the command line first, then the configuration, then the defaults. */
export interface ScanSettings {
  readonly loaded: LoadedConfig | undefined;
  /** Folder that the configuration's globs and paths are relative to. */
  readonly folder: string;
  readonly files: FileSettings | undefined;
  readonly scan: ScanOptions & { readonly rules: readonly Rule[] };
  readonly limits: Limits;
  /** What costs are reckoned with, as far as the configuration says it. */
  readonly cost: CostOptions;
  /** Absolute path of the configuration's price table: it speaks of models without using any. */
  readonly priceFile: string | undefined;
}

/**
 * Reads configuration and plugins and puts them together with the options. `inside` is the host whose folder the
 * scanned paths are relative to, where that is another.
 */
export async function scanSettings(host: Host, options: Options, inside: Host = host): Promise<ScanSettings> {
  const { rules: builtIn } = await import("../compat/rules/index.js");
  const loaded = await loadConfig(host, options, inside.cwd);
  const folder = loaded?.folder ?? inside.cwd;
  const config = loaded?.config;
  const own = config?.plugins
    ? await (await import("./plugins.js")).loadPlugins(host, folder, config.plugins, builtIn)
    : [];
  const known = [...builtIn, ...own];
  let files: FileSettings | undefined;
  if (loaded) {
    const { checkRuleNames, fileSettings } = await import("../compat/gates/config.js");
    checkRuleNames(loaded.config, known, loaded.name);
    files = fileSettings(loaded.config);
  }
  const inFolder = (file: string) => pathFrom(inside, folder, file);
  const probe = await probeOf(host, options);
  const prices = await loadPrices(host, loaded);
  const from = (options["from"] ?? config?.from) as ScanOptions["from"];
  const target = options["target"] as ScanOptions["target"] | undefined;
  return {
    loaded,
    folder,
    files,
    scan: {
      target: target ?? config?.target ?? "current",
      ...(from ? { from } : {}),
      ...(probe ? { probe } : {}),
      rules: chosenRules(known, options),
      known,
      ...(files
        ? {
            // a target that was asked for holds for all files
            targetOf: (file) => (target ? undefined : files.targetOf(inFolder(file))),
            severityOf: (rule, file) => files.severityOf(rule, inFolder(file)),
          }
        : {}),
      today: new Date().toISOString().slice(0, 10),
      ...(options["stats"] ? { clock: () => performance.now() } : {}),
    },
    limits: {
      failOn: (options["failOn"] as Limits["failOn"] | undefined) ?? config?.failOn ?? "error",
      maxWarnings: (options["maxWarnings"] as number | undefined) ?? config?.maxWarnings,
      maxUnresolved: (options["maxUnresolved"] as number | undefined) ?? config?.maxUnresolved,
      minScore: (options["minScore"] as number | undefined) ?? config?.minScore,
    },
    cost: {
      ...(config?.tokensPerMonth ? { tokensPerMonth: config.tokensPerMonth } : {}),
      ...(prices ? { prices: prices.prices } : {}),
    },
    priceFile: prices?.path,
  };
}

function chosenRules(known: readonly Rule[], options: Options): readonly Rule[] {
  const names = options["rule"] as string[] | undefined;
  if (!names) return known;
  for (const name of names) {
    if (known.some(({ id, code }) => name === id || name.toUpperCase() === code)) continue;
    const near = nearestNames(
      name,
      known.flatMap(({ id, code }) => [id, code]),
    );
    const hint = near.length > 0 ? `did you mean ${near.join(" or ")}?` : "`deepseek-compat rules` lists them";
    throw new UserError(`--rule ${name}: there is no such rule; ${hint}`);
  }
  return known.filter(({ id, code }) => names.some((name) => name === id || name.toUpperCase() === code));
}
