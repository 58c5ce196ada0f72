import type { HostVerdict, Request } from "../facts.js";
import { hostOfBaseUrl } from "../host.js";
import { commonHost, externalOf, hostOfFile, hostOfMaker, makersOf } from "./python-clients.js";
import { readDict } from "./python-objects.js";
import type { Resolver } from "./python-resolve.js";
import { build } from "./python-sketch.js";
import { argumentsOf, chainOf, keyword, lastName } from "./python-syntax.js";
import { child, codeOf, type PyNode, short } from "./python-tree.js";
import type { Found } from "./python-values.js";

const httpPackages =
  /^(requests|httpx|aiohttp|urllib|urllib3|niquests|curl_cffi|requests_html|httpcore|aiohttp_retry|tornado|treq|http)(\.|$)/;

/** `requests.post(url, json={...})`, `httpx.post(...)`, `session.post(url, data=json.dumps({...}))`, `Request(url, data=...)`. */
export function httpRequest(node: PyNode, resolver: Resolver): Request | undefined {
  const callee = child(node, "function");
  if (!callee) return undefined;
  const name = lastName(callee);
  if (!/^(a?post|request|stream|urlopen|Request|fetch|send|make_request|post_json)$/i.test(name)) return undefined;
  // what a mock is told to answer is not sent
  if (/mock|stub|respx|fake|test_client|\bresponses\b|patch/i.test(codeOf(callee))) return undefined;
  const { positional } = argumentsOf(node);
  const byMethod =
    /^(request|stream)$/.test(name) && /^["']?(POST|post)["']?$/.test(codeOf(positional[0] ?? node).slice(0, 8));
  const url = keyword(node, "url") ?? positional[byMethod ? 1 : 0];
  const body =
    keyword(node, "json", "json_data", "json_body") ??
    stringified(keyword(node, "data", "content", "body"), resolver) ??
    (/^(requests|httpx)\.post$/.test(codeOf(callee))
      ? (positional[2] ?? stringified(positional[1], resolver))
      : name === "Request"
        ? stringified(positional[1], resolver)
        : undefined);
  if (!body || !url) return undefined;
  const payload = "node" in body ? body : { node: body, from: undefined };
  const object = readDict(payload.node, resolver, node, payload.from);
  if (!object?.parameters.some(({ name: one }) => one === "model" || one === "messages")) return undefined;
  const value = resolver.value(url);
  const byUrl = hostOfBaseUrl(value, "URL");
  const chain = chainOf(callee);
  const root = chain.names.length > 0 ? (child(callee, "object") ?? chain.root) : chain.root;
  const makers = makersOf(root, resolver);
  if (makers.some(({ found }) => isTestClient(found.node))) return undefined;
  // a path only: the client knows the rest
  const byClient = commonHost(
    makers.map((maker) => hostOfMaker(maker, resolver)),
    makers.length === 1 && makers[0]!.found.sure,
  );
  const host: HostVerdict =
    byUrl && byUrl.host !== "unknown"
      ? byUrl
      : byClient && byClient.host !== "unknown"
        ? byClient
        : (byUrl ?? hostOfFile(node.tree));
  const isKnown = [
    externalOf(callee, resolver)?.package,
    ...makers.map(({ found }) => externalOf(child(found.node, "function") ?? found.node, resolver, found)?.package),
  ].some((from) => from !== undefined && httpPackages.test(from));
  return build({
    client: "http",
    node,
    callee: short(callee),
    endpoint: chain.names.join(".") || name,
    host:
      isKnown || host.certainty !== "certain"
        ? host
        : { ...host, certainty: "possible", evidence: `${host.evidence}, if ${short(callee)} sends it` },
    baseUrl: value,
    object,
  });
}

function isTestClient(maker: PyNode): boolean {
  return (
    /TestClient$/.test(lastName(child(maker, "function") ?? maker)) || keyword(maker, "app", "transport") !== undefined
  );
}

/** What `json.dumps(x)` was given, `.encode()` taken off; undefined for another body. */
function stringified(body: PyNode | undefined, resolver: Resolver): { node: PyNode; from: Found } | undefined {
  if (!body) return undefined;
  const [found] = resolver.follow(body);
  let node = found?.node;
  for (let level = 0; level < 2 && node?.type === "call"; level += 1) {
    const callee = child(node, "function");
    if (!callee) return undefined;
    const name = lastName(callee);
    if (name === "encode") {
      const object = child(callee, "object");
      node = object && resolver.follow(object, found)[0]?.node;
    } else if (name === "bytes" || name === "str") node = argumentsOf(node).positional[0];
    else if (/^(dumps|dumps_str|json_dumps)$/.test(name)) {
      const [inner] = argumentsOf(node).positional;
      return inner && found ? { node: inner, from: found } : undefined;
    } else return undefined;
  }
  return undefined;
}
