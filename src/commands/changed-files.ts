import { spawnSync } from "node:child_process";
import { relative, resolve, sep } from "node:path";
import type { Host } from "../cli.js";
import { UserError } from "../errors.js";

/** Files that differ from a commit, and that commit. */
export interface ChangedFiles {
  /** What they are compared with, for people: `origin/main (merge base 0123456789ab)`. */
  readonly since: string;
  /** Relative to the host's folder, forward slashes; files that are gone may be among them. */
  readonly files: ReadonlySet<string>;
}

interface Answer {
  readonly ok: boolean;
  readonly out: string;
  readonly error: string;
}

function git(host: Host, ...argv: string[]): Answer {
  const { status, stdout, stderr, error } = spawnSync("git", argv, {
    cwd: host.cwd,
    encoding: "utf8",
    maxBuffer: 2 ** 28,
  });
  if (error) throw new UserError(`--changed: cannot start git: ${error.message}`);
  return { ok: status === 0, out: stdout, error: stderr.trim().split("\n")[0] ?? "" };
}

/**
 * Files that were changed since the last commit that HEAD and `ref` have in common, those not committed and those not
 * tracked included. Without a ref: the target branch of the pull or merge request in CI, else the remote's main branch,
 * else a local main or master, else HEAD.
 */
export function changedFiles(host: Host, ref: string | undefined): ChangedFiles {
  const top = git(host, "rev-parse", "--show-cdup");
  if (!top.ok) throw new UserError(`--changed: this folder is in no git repository (${top.error})`);
  const root = resolve(host.cwd, top.out.trim());
  const commit = ref ?? defaultRef(host);
  if (commit.startsWith("-")) throw new UserError(`--changed ${commit}: is no name of a commit`);
  if (!git(host, "rev-parse", "--verify", "--quiet", `${commit}^{commit}`).ok) {
    throw new UserError(
      `--changed ${commit}: there is no such branch, tag or commit here; fetch it first (git fetch origin ${commit.replace(/^origin\//, "")})`,
    );
  }
  const base = git(host, "merge-base", commit, "HEAD");
  if (!base.ok) {
    const shallow = git(host, "rev-parse", "--is-shallow-repository").out.trim() === "true";
    throw new UserError(
      shallow
        ? `--changed ${commit}: this clone is shallow and does not reach the commit that ${commit} and HEAD have in common; fetch more history (git fetch --unshallow, or fetch-depth: 0 for actions/checkout)`
        : `--changed ${commit}: ${commit} and HEAD have no commit in common`,
    );
  }
  const from = base.out.trim();
  // a clone of one commit knows no other branch: everything would pass unseen
  const isOwn = from === git(host, "rev-parse", "HEAD").out.trim();
  if (isOwn && ref === undefined && git(host, "rev-parse", "--is-shallow-repository").out.trim() === "true") {
    throw new UserError(
      `--changed: this clone is shallow and holds nothing but HEAD to compare with; fetch more history (git fetch --unshallow, or fetch-depth: 0 for actions/checkout) and name the branch (--changed origin/main)`,
    );
  }
  const lists = [
    git(host, "diff", "--name-only", "-z", "--no-renames", "--no-ext-diff", from),
    git(host, "ls-files", "-z", "--others", "--exclude-standard", "--full-name", ":/"),
  ];
  const failed = lists.find(({ ok }) => !ok);
  if (failed) throw new UserError(`--changed ${commit}: git says: ${failed.error}`);
  const names = lists.flatMap(({ out }) => out.split("\0")).filter((name) => name !== "");
  return {
    since: `${commit} (${from.slice(0, 12)})`,
    files: new Set(names.map((name) => relative(host.cwd, resolve(root, name)).split(sep).join("/"))),
  };
}

function defaultRef(host: Host): string {
  const { GITHUB_BASE_REF: github, CI_MERGE_REQUEST_TARGET_BRANCH_NAME: gitlab } = host.env;
  // in a request, its target is meant: where that is missing, a guess would scan the wrong files
  if (github) return `origin/${github}`;
  if (gitlab) return `origin/${gitlab}`;
  const known = ["origin/HEAD", "origin/main", "origin/master", "main", "master"];
  return known.find((name) => git(host, "rev-parse", "--verify", "--quiet", `${name}^{commit}`).ok) ?? "HEAD";
}
