import type { Ignore } from "ignore";

/** Where GitHub and GitLab look for it. */
export const ownerFiles = ["CODEOWNERS", ".github/CODEOWNERS", ".gitlab/CODEOWNERS", "docs/CODEOWNERS"];

/** Says who owns a file by a CODEOWNERS text; the last line that fits counts. Paths are relative to the repository. */
export async function readOwners(text: string): Promise<(file: string) => readonly string[]> {
  const { default: createIgnore } = await import("ignore");
  const rules: { readonly matcher: Ignore; readonly owners: readonly string[] }[] = [];
  for (const line of text.split(/\r?\n/)) {
    // sections of GitLab say nothing of files
    const words = line
      .replace(/(^|\s)#.*$/, "")
      .trim()
      .split(/\s+/);
    const [pattern, ...owners] = words;
    if (!pattern || /^\^?\[/.test(pattern)) continue;
    rules.push({ matcher: createIgnore().add(pattern), owners: owners.filter((one) => /@/.test(one)) });
  }
  return (file) => {
    if (file === "" || file.startsWith("/") || file.startsWith("..")) return [];
    return rules.findLast(({ matcher }) => matcher.ignores(file))?.owners ?? [];
  };
}
