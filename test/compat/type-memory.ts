import type { TypeFiles } from "../../src/compat/fix/verify.js";

/** Files a type checker may ask for, from a record of path below /p and text. */
export function memoryTypeFiles(files: Readonly<Record<string, string>>): TypeFiles {
  const all = new Map(Object.entries(files).map(([path, text]) => [`/p/${path}`, text]));
  const below = (path: string) => [...all.keys()].filter((file) => file.startsWith(`${path.replace(/\/$/, "")}/`));
  return {
    root: "/p",
    readFile: (path) => all.get(path),
    fileExists: (path) => all.has(path),
    directoryExists: (path) => below(path).length > 0,
    directories: (path) => [
      ...new Set(
        below(path).flatMap((file) =>
          file
            .slice(path.length + 1)
            .split("/")
            .slice(0, -1)
            .slice(0, 1),
        ),
      ),
    ],
    realPath: (path) => path,
  };
}
