import { formatShape } from "../tensor/tensor.js";
import { bytesOf, decisionsOf, float32Bytes, formWords, placeOf } from "./compress-decisions.js";
import { preparation, type Report, reportForms } from "./compress-lead.js";
import type { PlanResult } from "./compress-result.js";
import type { Forms } from "./forms.js";
import { formatBytes, formatCount, formatPercent } from "./quantities.js";
import type { Section } from "./sections.js";

const right = "right" as const;

/** The forms of a plan: every tensor and its fate, the largest first. */
export function planForms(result: PlanResult): Forms {
  const { tensors } = result.plan;
  const after = result.estimatedBytes;
  const full = float32Bytes(result.model.bytes, tensors);
  const share = (after / result.model.bytes).toFixed(3);
  const ofFull = full === result.model.bytes ? "" : `, ${(after / full).toFixed(3)} of it in float32`;
  const report: Report = {
    title: `Plan for ${result.model.path}`,
    lead: [
      `${formatBytes(result.model.bytes)} -> about ${formatBytes(after)} (${share} of it${ofFull}); nothing was written`,
      ...preparation(result),
    ],
    sections: [tensorSection(result), summarySection(result)],
    foot: [],
  };
  return {
    ...reportForms(result, report),
    html: async () => (await import("./compress-page.js")).planPage(result, report),
  };
}

function tensorSection({ plan: { tensors } }: PlanResult): Section {
  return {
    title: "Tensors",
    columns: [
      { header: "scheme" },
      { header: "tensor" },
      { header: "shape" },
      { header: "before", align: right },
      { header: "after", align: right },
      { header: "used by" },
      { header: "form" },
      { header: "why" },
    ],
    rows: [...tensors]
      .sort((a, b) => b.bytes - a.bytes)
      .map((tensor) => [
        tensor.scheme ?? "left",
        placeOf(tensor),
        formatShape(tensor.shape),
        formatBytes(tensor.bytes),
        formatBytes(tensor.bytesAfter),
        tensor.usedBy.join(", "),
        formWords(tensor.form),
        [...(tensor.transpose ? ["stored as [K, N], Gemm without transB"] : []), tensor.reason]
          .filter(Boolean)
          .join("; "),
      ]),
  };
}

function summarySection({ plan: { tensors } }: PlanResult): Section {
  const total = bytesOf(tensors).before;
  return {
    title: "In all",
    columns: [
      { header: "scheme" },
      { header: "tensors", align: right },
      { header: "before", align: right },
      { header: "after", align: right },
      { header: "share", align: right },
      { header: "why" },
    ],
    rows: decisionsOf(tensors).map(({ way, tensors: members, before, after, reason }) => [
      way,
      formatCount(members.length),
      formatBytes(before),
      formatBytes(after),
      formatPercent(total > 0 ? before / total : 0),
      reason,
    ]),
  };
}
