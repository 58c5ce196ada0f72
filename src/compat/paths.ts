/** Folder of a path; empty for a file at the root. */
export function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

/** Joins and normalises: `a/b`, `../c.js` -> `a/c.js`. */
export function joinPath(folder: string, path: string): string {
  return joinRelative(folder, path) ?? joinParts(folder, path);
}

/** The same for `./x` and `../x` seen from an ordinary folder, which nearly all imports are; undefined for others. */
function joinRelative(folder: string, path: string): string | undefined {
  if (!path.startsWith(".") || /^[./]|\/[./]|\/$/.test(folder)) return undefined;
  let base = folder;
  let rest = path.startsWith("./") ? path.slice(2) : path;
  for (; base !== "" && rest.startsWith("../"); rest = rest.slice(3)) {
    base = base.slice(0, Math.max(0, base.lastIndexOf("/")));
  }
  if (rest === "" || /^[./]|\/[./]|\/$/.test(rest)) return undefined;
  return base === "" ? rest : `${base}/${rest}`;
}

function joinParts(folder: string, path: string): string {
  const absolute = (folder || path).startsWith("/") ? "/" : "";
  const parts: string[] = [];
  for (const part of `${folder}/${path}`.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === ".." && parts.length > 0 && parts.at(-1) !== "..") parts.pop();
    else parts.push(part);
  }
  return absolute + parts.join("/");
}
