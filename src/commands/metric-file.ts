import type { Host } from "../cli.js";
import type { Metric } from "../evaluate/metric.js";
import { absolute } from "./files.js";

/** The metric of a user's module, named by `option`; undefined without a path. */
export async function readMetric(host: Host, option: string, path: string | undefined): Promise<Metric | undefined> {
  if (path === undefined) return undefined;
  const { metricOfModule } = await import("../evaluate/metric.js");
  const { importModule } = await import("./modules.js");
  return metricOfModule(await importModule(host, absolute(host, path), `${option} ${path}`, "it"), path, option);
}
