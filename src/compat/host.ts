import type { Certainty, HostName, HostVerdict, Value } from "./facts.js";

/** Base URLs and who answers there; the first row that fits counts. */
const hostsByUrl: readonly (readonly [pattern: RegExp, host: HostName])[] = [
  // what stands before an @ is a user's name, not a host
  [/^(https?:)?\/\/api\.deepseek\.com(?![\w.-]|[^/?#]*@)/i, "official"],
  [/openrouter\.ai(?![\w.-])/i, "openrouter"],
  [/together\.(xyz|ai)(?![\w.-])/i, "together"],
  [/fireworks\.ai(?![\w.-])/i, "fireworks"],
  [/siliconflow\.(cn|com)(?![\w.-])/i, "siliconflow"],
  [/novita\.ai(?![\w.-])/i, "novita"],
  [/nebius\.(com|ai)(?![\w.-])/i, "nebius"],
  [/(huggingface\.co|hf\.space|endpoints\.huggingface\.cloud)(?![\w.-])/i, "huggingface"],
  [/api\.groq\.com(?![\w.-])/i, "groq"],
  [/(models\.github\.ai|models\.inference\.ai\.azure\.com)(?![\w.-])/i, "github-models"],
  [/\.(azure\.com|azure-api\.net)(?![\w.-])/i, "azure"],
  [/(bedrock[\w.-]*\.amazonaws\.com)(?![\w.-])/i, "bedrock"],
  [/aiplatform\.googleapis\.com(?![\w.-])/i, "vertex"],
  [/dashscope[\w-]*\.aliyuncs\.com(?![\w.-])/i, "alibaba"],
  [/(qianfan|aip)\.baidubce\.com(?![\w.-])/i, "baidu"],
  [/ark\.[\w.-]*(volces|volcengineapi)\.com(?![\w.-])/i, "volcengine"],
  [/integrate\.api\.nvidia\.com(?![\w.-])/i, "nvidia"],
  [/(inference|model-[\w-]+\.api)\.baseten\.co(?![\w.-])/i, "baseten"],
  [/ai-gateway\.vercel\.sh(?![\w.-])/i, "vercel"],
  [/^https?:\/\/(localhost|127\.0\.0\.1|host\.docker\.internal|ollama)(:11434)(?!\d)/i, "ollama"],
  [
    /^https?:\/\/(localhost|127\.|0\.0\.0\.0|10\.|192\.168\.|172\.(1[6-9]|2\d|3[01])\.|host\.docker\.internal)/i,
    "self-hosted",
  ],
  // names that only a network of one's own knows: http://gpu-01:8000, http://vllm.internal
  [/^https?:\/\/([\w-]+|[\w.-]+\.(internal|local|lan|svc))(:\d+)?(?=[/?#]|$)/i, "self-hosted"],
  [/^https?:\/\/[\w.-]+/i, "other"],
];

/** Packages whose import says where requests go, unless a base URL says otherwise. */
const hostsByPackage: Readonly<Record<string, HostName>> = {
  "@ai-sdk/deepseek": "official",
  "@langchain/deepseek": "official",
  "@llamaindex/deepseek": "official",
  "@openrouter/ai-sdk-provider": "openrouter",
  "@openrouter/sdk": "openrouter",
  "@ai-sdk/togetherai": "together",
  "together-ai": "together",
  "@ai-sdk/fireworks": "fireworks",
  "@ai-sdk/groq": "groq",
  "groq-sdk": "groq",
  "@ai-sdk/azure": "azure",
  "@azure-rest/ai-inference": "azure",
  "@ai-sdk/amazon-bedrock": "bedrock",
  "@aws-sdk/client-bedrock-runtime": "bedrock",
  "@ai-sdk/google-vertex": "vertex",
  "@huggingface/inference": "huggingface",
  "@langchain/ollama": "ollama",
  ollama: "ollama",
  "ollama-ai-provider": "ollama",
};

/** Python packages and names in them that say where requests go; the first row that fits counts. */
const hostsByPython: readonly (readonly [pattern: RegExp, host: HostName])[] = [
  [/^(langchain_deepseek|llama_index\.llms\.deepseek|pydantic_ai\.providers\.deepseek)\b/, "official"],
  [/^(agno\.models|phi\.model|browser_use\.llm|haystack_integrations\.components\.generators)\.deepseek\b/, "official"],
  // what wrappers call the official client
  [
    /^(browser_use|langchain_community|camel|autogen|agno|phi|swarms|upsonic)\b.*\.(Chat)?DeepSeek(Chat|Model|LLM)?$/,
    "official",
  ],
  [/^(pydantic_ai)\b.*\.DeepSeekProvider$/, "official"],
  [
    /^(openrouter|langchain_openrouter|llama_index\.llms\.openrouter|pydantic_ai\.providers\.openrouter)\b/,
    "openrouter",
  ],
  [/^(together|langchain_together|llama_index\.llms\.together)\b/, "together"],
  [/^(fireworks|langchain_fireworks|llama_index\.llms\.fireworks)\b/, "fireworks"],
  [/^(groq|langchain_groq|llama_index\.llms\.groq)\b/, "groq"],
  [/^(ollama|langchain_ollama|llama_index\.llms\.ollama)\b/, "ollama"],
  [/^(langchain_community\.(chat_models|llms)\.(ollama\.)?(Chat)?Ollama)$/, "ollama"],
  [/^(vllm|sglang|llama_cpp|transformers|ctransformers|mlx_lm|lmdeploy)\b/, "self-hosted"],
  [/^(huggingface_hub|langchain_huggingface|llama_index\.llms\.huggingface\w*|text_generation)\b/, "huggingface"],
  [/^(boto3|botocore|aioboto3|langchain_aws|llama_index\.llms\.bedrock\w*)\b/, "bedrock"],
  [/^(vertexai|langchain_google_vertexai|llama_index\.llms\.vertex)\b/, "vertex"],
  [/^(azure\.ai\.\w+|langchain_azure_ai|llama_index\.llms\.azure\w*)\b/, "azure"],
  [/^(dashscope|langchain_community\.chat_models\.tongyi)\b/, "alibaba"],
  [/^qianfan\b/, "baidu"],
  [/^volcenginesdkarkruntime\b/, "volcengine"],
];

/** Where what is imported from a Python package sends its requests; undefined where many hosts are served. */
export function hostOfPython(module: string, name: string): HostName | undefined {
  return hostsByPython.find(([pattern]) => pattern.test(name === "*" ? module : `${module}.${name}`))?.[1];
}

/** Environment variables that name a host. */
const hostsByEnvironment: readonly (readonly [pattern: RegExp, host: HostName])[] = [
  [/^(\w+_)?OPENROUTER_/i, "openrouter"],
  [/^(\w+_)?TOGETHER(AI)?_/i, "together"],
  [/^(\w+_)?FIREWORKS_/i, "fireworks"],
  [/^(\w+_)?SILICONFLOW_/i, "siliconflow"],
  [/^(\w+_)?AZURE_/i, "azure"],
  [/^(\w+_)?DASHSCOPE_/i, "alibaba"],
  [/^(\w+_)?OLLAMA_/i, "ollama"],
  // before it only words that say nothing of a host: VLLM_DEEPSEEK_URL is another's
  [
    /^((VITE|NEXT_PUBLIC|REACT_APP|EXPO_PUBLIC|NUXT|PUBLIC|MY|APP|LLM|AI|PROD|DEV|TEST)_)*DEEP_?SEEK_(API_?KEY|KEY|TOKEN|API_BASE|API_BASE_URL|BASE_?URL|API_URL|URL|ENDPOINT)$/i,
    "official",
  ],
];

/** Ids that exist with one kind of host only. */
const hostsByModel: readonly (readonly [pattern: RegExp, host: HostName])[] = [
  [/^accounts\/fireworks\//i, "fireworks"],
  [/^Pro\/deepseek-ai\//, "siliconflow"],
  [/^openrouter[/:]/i, "openrouter"],
  [/^((us|eu|apac)\.)?deepseek\.(r1|v3)/i, "bedrock"],
  [/^deepseek-.*-maas$/i, "vertex"],
  [/^deepseek:deepseek-/i, "official"],
];

/** Providers as litellm, LangChain's init_chat_model, pydantic-ai and configuration files name them. */
const hostsByProvider: Readonly<Record<string, HostName>> = {
  deepseek: "official",
  openrouter: "openrouter",
  together: "together",
  together_ai: "together",
  togetherai: "together",
  fireworks: "fireworks",
  fireworks_ai: "fireworks",
  siliconflow: "siliconflow",
  novita: "novita",
  nebius: "nebius",
  huggingface: "huggingface",
  groq: "groq",
  azure: "azure",
  azure_ai: "azure",
  github: "github-models",
  "github-models": "github-models",
  bedrock: "bedrock",
  bedrock_converse: "bedrock",
  google_vertexai: "vertex",
  vertex: "vertex",
  vertex_ai: "vertex",
  alibaba: "alibaba",
  dashscope: "alibaba",
  baidu: "baidu",
  qianfan: "baidu",
  volcengine: "volcengine",
  ollama: "ollama",
  ollama_chat: "ollama",
  vllm: "self-hosted",
  hosted_vllm: "self-hosted",
  sglang: "self-hosted",
  lmstudio: "self-hosted",
  "llama.cpp": "self-hosted",
};

/** The host that the name of a provider means, in the words of litellm, Continue and others. */
export function hostOfProvider(name: string): HostName | undefined {
  const key = name.toLowerCase();
  return Object.hasOwn(hostsByProvider, key) ? hostsByProvider[key] : undefined;
}

/** Who answers at a URL; unknown for one of which the start is not known. */
export function hostOfUrl(url: string): HostName {
  return hostsByUrl.find(([pattern]) => pattern.test(url))?.[1] ?? "unknown";
}

/** Where a package sends its requests; undefined for one that serves many hosts. */
export function hostOfPackage(name: string): HostName | undefined {
  return Object.hasOwn(hostsByPackage, name) ? hostsByPackage[name] : undefined;
}

/** The host that the name of an environment variable speaks of. */
export function hostOfEnvironment(name: string): HostName | undefined {
  return hostsByEnvironment.find(([pattern]) => pattern.test(name))?.[1];
}

/** The host that alone knows such an id. */
export function hostOfModel(id: string): HostName | undefined {
  return hostsByModel.find(([pattern]) => pattern.test(id))?.[1];
}

/** Nothing says where requests go. */
export const unknownHost: HostVerdict = {
  host: "unknown",
  certainty: "unknown",
  evidence: "nothing here says which host is asked",
};

/**
 * The verdict of a base URL. All its possible values must lie with one host; a default that an environment variable
 * of another subject may replace makes it `possible` only. Undefined where the URL is not known at all.
 */
export function hostOfBaseUrl(value: Value, name: string): HostVerdict | undefined {
  const urls = value.candidates.filter((candidate) => typeof candidate.value === "string");
  const hosts = new Set(urls.map((candidate) => hostOfUrl(String(candidate.value))));
  hosts.delete("unknown");
  const [first] = urls.filter((candidate) => hosts.has(hostOfUrl(String(candidate.value))));
  if (first && hosts.size === 1) {
    const [host] = hosts as Set<HostName>;
    const own = value.environment.every((variable) => hostOfEnvironment(variable) === host);
    const certainty: Certainty =
      value.certainty === "certain" || (value.environment.length > 0 && own && urls.length === 1 && !value.open)
        ? "certain"
        : "possible";
    const way = first.path.length > 0 ? ` (${first.path.join(" -> ")})` : "";
    return { host: host!, certainty, evidence: `${name} "${String(first.value)}"${way}` };
  }
  if (hosts.size > 1) {
    return { host: "unknown", certainty: "unknown", evidence: `${name} may be one of ${[...hosts].join(", ")}` };
  }
  return hostOfVariables(value.environment, name);
}

/** The verdict of environment variables alone: never more than `possible`. */
export function hostOfVariables(variables: readonly string[], name: string): HostVerdict | undefined {
  for (const variable of variables) {
    const host = hostOfEnvironment(variable);
    if (host) return { host, certainty: "possible", evidence: `${name} from the environment variable ${variable}` };
  }
  return undefined;
}
