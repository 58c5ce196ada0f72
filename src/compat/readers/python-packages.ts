import type { Sources } from "../sources.js";

/** Folders looked into on the way up to a manifest. */
const maximumClimb = 16;

/** Manifests and lock files of Python projects, the surest first. */
const manifests: readonly {
  readonly name: string;
  readonly read: (text: string, name: RegExp) => string | undefined;
}[] = [
  { name: "uv.lock", read: ofLock },
  { name: "poetry.lock", read: ofLock },
  { name: "requirements.txt", read: ofRequirements },
  { name: "pyproject.toml", read: ofProject },
  { name: "Pipfile", read: ofTable },
  { name: "requirements-dev.txt", read: ofRequirements },
  { name: "requirements/base.txt", read: ofRequirements },
];

/** Version of a package as the nearest manifest of a Python file states it: `1.14.0`, `>=1.0,<2`; undefined where none does. */
export function pythonVersion(sources: Sources, file: string, name: string): string | undefined {
  // names are the same whatever separates their parts
  const pattern = new RegExp(`^${name.replace(/[.*+?^$()[\]{}|\\]/g, "\\$&").replace(/[-_]+|\\\./g, "[-_.]+")}$`, "i");
  const folders = file.split("/").slice(0, -1);
  for (let level = 0; level <= Math.min(maximumClimb, folders.length); level += 1) {
    const folder = folders.slice(0, folders.length - level).join("/");
    for (const manifest of manifests) {
      const path = folder ? `${folder}/${manifest.name}` : manifest.name;
      const text = sources.has(path) ? sources.read(path) : undefined;
      const version = text === undefined ? undefined : manifest.read(text, pattern);
      if (version !== undefined) return version;
    }
  }
  return undefined;
}

/** `openai[aiohttp]>=1.0,<2 ; python_version > "3.8"` -> name and `>=1.0,<2`. */
function requirement(line: string, name: RegExp): string | undefined {
  const match = /^\s*([A-Za-z0-9][\w.-]*)\s*(?:\[[^\]]*\])?\s*\(?([^;#)]*)/.exec(line);
  return match && name.test(match[1]!) ? match[2]!.trim() || "*" : undefined;
}

function ofRequirements(text: string, name: RegExp): string | undefined {
  for (const line of text.split(/\r?\n/)) {
    const version = requirement(line, name);
    if (version !== undefined) return version.replace(/^==/, "");
  }
  return undefined;
}

/** Strings of dependency lists (`"openai>=1"`) and tables (`openai = "^1.0"`). */
function ofProject(text: string, name: RegExp): string | undefined {
  for (const match of text.matchAll(/(["'])([A-Za-z0-9][^"'\n]{0,200})\1/g)) {
    const version = requirement(match[2]!, name);
    if (version !== undefined && (version === "*" ? text[match.index + match[0].length] !== " " : /\d/.test(version))) {
      return version.replace(/^==/, "");
    }
  }
  return ofTable(text, name);
}

function ofTable(text: string, name: RegExp): string | undefined {
  for (const match of text.matchAll(
    /^\s*["']?([A-Za-z0-9][\w.-]*)["']?\s*=\s*(?:["']([^"'\n]+)["']|\{[^}\n]*\bversion\s*=\s*["']([^"'\n]+)["'])/gm,
  )) {
    if (name.test(match[1]!)) return match[2] ?? match[3];
  }
  return undefined;
}

function ofLock(text: string, name: RegExp): string | undefined {
  for (const match of text.matchAll(/^name = "([^"\n]+)"\r?\nversion = "([^"\n]+)"/gm)) {
    if (name.test(match[1]!)) return match[2];
  }
  return undefined;
}
