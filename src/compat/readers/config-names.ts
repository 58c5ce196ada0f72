import { entryOf, type Mapping } from "./config-tree.js";

/** Keys that name containers, services and repositories. */
const otherKeys =
  /^(image|container_?name|host|host_?name|namespace|app|service(_?account)?(_?name)?|repo(sitory)?|project(_?name)?|(claim|secret|config_?map)_?name|domain|topic|queue|bucket|user(_?name)?)$/i;

/** Keys below which names of services, jobs, volumes and labels stand. */
const otherHolders =
  /^(metadata|services?|jobs|volumes|networks|(init_?)?containers|selector|match_?labels|labels|annotations|depends_on|links|needs|project|package|poetry|bin|scripts|(dev|peer|optional)?_?dependencies)$/i;

/** What says that the `name` at the top of a file is that of a package, a workflow or a stack. */
const rootKeys = ["version", "services", "jobs", "scripts", "dependencies", "on", "apiVersion", "description"];

/**
 * Does a text such as `deepseek-chat` name something else than a model here: a container, a service, a package?
 * `path` ends with the text's key, or with the list it stands in.
 */
export function namesNoModel(path: readonly string[], mapping: Mapping | undefined): boolean {
  const [key = "", holder = ""] = [path.at(-1), path.at(-2)];
  if (/model|llm|engine/i.test(key)) return false;
  if (otherKeys.test(key) || otherHolders.test(key) || otherHolders.test(holder)) return true;
  if (key !== "name") return false;
  const above = path.slice(0, -1);
  if (above.length === 0) return rootKeys.some((one) => entryOf(mapping, one) !== undefined);
  return above.some((one) => otherHolders.test(one)) && !above.some((one) => /model|llm|provider/i.test(one));
}
