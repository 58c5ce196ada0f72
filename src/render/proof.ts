import type { ChalkInstance } from "chalk";
import type { LocatedProof } from "../compat/proof/proof.js";
import { type ApiVersion, apiVersions, schemaSource } from "../compat/proof/schemas.js";
import type { Forms } from "./forms.js";
import { markdownTable } from "./table.js";

const titles: Readonly<Record<ApiVersion, string>> = { "v3.0": "V3.0", "v3.1": "V3.1", current: "today" };

/** A result's forms with the proof of each request below them. JSON holds the proofs already. */
export function withProofs<F extends Forms>(forms: F, proofs: readonly LocatedProof[]): F {
  return {
    ...forms,
    text: (paint: ChalkInstance, columns: number) => forms.text(paint, columns) + proofText(proofs, paint),
    markdown: () => forms.markdown() + proofMarkdown(proofs),
  };
}

function proofText(proofs: readonly LocatedProof[], paint: ChalkInstance): string {
  if (proofs.length === 0) return "\nno request to DeepSeek was found, so there is nothing to prove\n";
  const blocks = proofs.map(({ file, line, callee, body, verdicts, sentence, cost }) => {
    const answers = verdicts
      ? apiVersions.map((version) => `${titles[version]} ${verdicts[version].answer}`).join(", ")
      : "";
    return [
      `${paint.bold(`${file}:${line}`)} ${callee}\n`,
      ...(body ? [`  ${paint.dim(JSON.stringify(body))}\n`] : []),
      ...(answers ? [`  ${answers}\n`] : []),
      `  ${sentence}\n`,
      ...(cost ? [`  ${cost}\n`] : []),
    ].join("");
  });
  return `\n${paint.bold.underline("Requests, checked offline against each version of the API")}\n${paint.dim(`by DeepSeek's documentation and prices as read on ${schemaSource.date}`)}\n\n${blocks.join("\n")}`;
}

function proofMarkdown(proofs: readonly LocatedProof[]): string {
  if (proofs.length === 0) return "";
  const columns = ["request", ...apiVersions.map((version) => titles[version]), "why"].map((header) => ({ header }));
  const rows = proofs.map(({ file, line, verdicts, sentence }) => [
    `\`${file}:${line}\``,
    ...apiVersions.map((version) => verdicts?.[version].answer ?? "-"),
    sentence,
  ]);
  return `\n### Requests against each version of the API\n\nBy DeepSeek's documentation as read on ${schemaSource.date}.\n\n${markdownTable(columns, rows)}`;
}
