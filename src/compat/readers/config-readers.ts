import type { Reader } from "./index.js";

/** The readers of configuration, shell, Docker and HTTP files. */
export const configReaders: readonly Reader[] = [
  {
    name: "env",
    handles: (path) =>
      /(^|\/)(\.env(rc|\.[\w.-]+)?|env\.(example|sample|template|dist))$|\.env(\.(example|sample|template|dist|local))?$/i.test(
        path,
      ),
    load: async () => {
      const { readEnv, countSyntaxErrors } = await import("./env.js");
      return { read: readEnv, countSyntaxErrors };
    },
  },
  {
    name: "dockerfile",
    handles: (path) => /(^|\/)(Dockerfile|Containerfile)([.-][\w.-]+)?$|\.(dockerfile|containerfile)$/i.test(path),
    load: async () => {
      const { readDockerfile, countSyntaxErrors } = await import("./dockerfile.js");
      return { read: readDockerfile, countSyntaxErrors };
    },
  },
  {
    name: "yaml",
    handles: (path) => /\.ya?ml$/i.test(path),
    load: async () => {
      const { readYaml, countSyntaxErrors } = await import("./yaml.js");
      return { read: readYaml, countSyntaxErrors };
    },
  },
  {
    name: "json",
    handles: (path) => /\.(json|jsonc|json5|jsonl|ndjson|code-workspace)$/i.test(path),
    load: async () => {
      const { readJson, countSyntaxErrors } = await import("./json.js");
      return { read: readJson, countSyntaxErrors };
    },
  },
  {
    name: "toml",
    handles: (path) => /\.toml$/i.test(path),
    load: async () => {
      const { readToml, countSyntaxErrors } = await import("./toml.js");
      return { read: readToml, countSyntaxErrors };
    },
  },
  {
    name: "shell",
    handles: (path) => /\.(sh|bash|zsh|ksh|ps1|psm1|mk)$|(^|\/)((GNUm|m|M)akefile|Procfile)([.-][\w.-]+)?$/.test(path),
    load: async () => {
      const { readShell, countSyntaxErrors } = await import("./shell.js");
      return { read: readShell, countSyntaxErrors };
    },
  },
  {
    name: "http",
    handles: (path) => /\.(http|rest)$/i.test(path),
    load: async () => {
      const { readHttp, countSyntaxErrors } = await import("./http.js");
      return { read: readHttp, countSyntaxErrors };
    },
  },
];
