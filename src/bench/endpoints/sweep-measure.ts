import { clientLimits } from "./client-verdict.js";
import { flowsOf, flowValue, isCounted, meets, type Slo, totalFlow } from "./flow.js";
import type { EndpointRun } from "./record.js";
import { slicesOf } from "./slices.js";
import type { SweepMeasure } from "./sweep.js";

/** What a sweep needs to know of a load that has just been put on all targets. */
export function measureSweep(
  run: EndpointRun,
  point: number,
  targets: readonly string[],
  slo: Slo,
): readonly SweepMeasure[] {
  const own = {
    ...run,
    blocks: run.blocks.filter((block) => block.point === point),
    records: run.records.filter((record) => record.point === point),
  };
  const sliceOf = slicesOf(own);
  const limits = clientLimits(own);
  return targets.map((target) => {
    const slice = sliceOf(target, point);
    const { counted, succeeded } = slice;
    const flow = totalFlow(flowsOf(slice, slo).values());
    const metric = isCounted("output_throughput", slice) ? "output_throughput" : "request_throughput";
    const good = counted.filter((record) => meets(record, slo)).length;
    return {
      target,
      throughput: flowValue(metric, flow) ?? 0,
      errorRate: counted.length === 0 ? 1 : 1 - succeeded.length / counted.length,
      goodShare: Object.keys(slo).length === 0 ? null : good / Math.max(1, counted.length),
      limited: limits.find((limit) => limit.target === target)?.why ?? null,
    };
  });
}
