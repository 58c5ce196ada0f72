// Completes package-lock.json after `npm install` ran against a registry mirror that lacks the packages of other
// platforms: npm then leaves these optional packages out of the lock file, and `npm ci` refuses it everywhere.
// Adds the missing entries (name, version, platform), as npm writes them but without the checksum it could not see.
import { readFileSync, writeFileSync } from "node:fs";

interface Entry {
  version?: string;
  dev?: boolean;
  optionalDependencies?: Record<string, string>;
  [key: string]: unknown;
}

const systems = ["android", "darwin", "freebsd", "linux", "openharmony", "win32"];
const processors: readonly (readonly [part: RegExp, cpu: string])[] = [
  [/arm64/, "arm64"],
  [/x64/, "x64"],
  [/ia32/, "ia32"],
  [/-arm-/, "arm"],
  [/ppc64/, "ppc64"],
  [/s390x/, "s390x"],
  [/riscv64/, "riscv64"],
  [/loong64/, "loong64"],
];

const lock = JSON.parse(readFileSync("package-lock.json", "utf8")) as { packages: Record<string, Entry> };
let added = 0;
for (const [holder, { optionalDependencies, dev }] of Object.entries(lock.packages)) {
  for (const [name, version] of Object.entries(optionalDependencies ?? {})) {
    const key = `node_modules/${name}`;
    if (lock.packages[key] || lock.packages[`${holder}/${key}`]) continue;
    const os = systems.find((system) => name.includes(`-${system}`));
    const cpu = processors.find(([part]) => part.test(name))?.[1];
    if (!os || !cpu) throw new Error(`${name}: its platform cannot be told from its name; add it by hand`);
    const libc = os !== "linux" ? undefined : /musl/.test(name) ? "musl" : "glibc";
    lock.packages[key] = {
      version,
      cpu: [cpu],
      ...(dev ? { dev } : {}),
      ...(libc ? { libc: [libc] } : {}),
      optional: true,
      os: [os],
    };
    added += 1;
  }
}
const [root, ...others] = Object.entries(lock.packages);
others.sort(([a], [b]) => (a < b ? -1 : 1));
lock.packages = Object.fromEntries([root!, ...others]);
if (added > 0) writeFileSync("package-lock.json", `${JSON.stringify(lock, undefined, 2)}\n`);
console.log(`package-lock.json: ${added} entries added`);
