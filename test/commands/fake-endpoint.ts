import { createServer, type IncomingMessage, type Server } from "node:http";
import type { AddressInfo } from "node:net";

/** Whose behaviour an endpoint imitates, as the official API's documentation and users' reports describe it. */
export type Era = "v3.0" | "v3.1" | "current";

/** An endpoint on this machine that answers as the official API did. */
export interface FakeEndpoint {
  readonly url: string;
  /** Bodies of the requests it got, with their paths. */
  readonly requests: readonly { readonly path: string; readonly body: Body; readonly key: string | undefined }[];
  close(): Promise<void>;
}

interface Body {
  readonly model?: string;
  readonly messages?: readonly Readonly<Record<string, unknown>>[];
  readonly tools?: unknown;
  readonly tool_choice?: unknown;
  readonly thinking?: { readonly type: string };
  readonly response_format?: { readonly type: string };
  readonly max_tokens?: number;
  readonly stream?: boolean;
}

type Reply = readonly [status: number, body: unknown];
const refusal = (status: number, message: string): Reply => [
  status,
  { error: { message, type: "invalid_request_error" } },
];

const listed: Readonly<Record<Era, readonly string[]>> = {
  "v3.0": ["deepseek-chat", "deepseek-reasoner"],
  "v3.1": ["deepseek-chat", "deepseek-reasoner"],
  current: ["deepseek-flash", "deepseek-v4-pro"],
};

function answer(era: Era, path: string, body: Body): Reply {
  if (path === "/models") return [200, { object: "list", data: listed[era].map((id) => ({ id, object: "model" })) }];
  const { model = "", messages = [] } = body;
  if (!listed[era].includes(model)) {
    const words = `The supported API model names are deepseek-flash, deepseek-v4-pro, but you passed ${model}.`;
    return refusal(400, era === "current" ? words : "Model Not Exist");
  }
  const usage = {
    prompt_tokens: 9,
    completion_tokens: Math.min(40, body.max_tokens ?? 40),
    prompt_cache_hit_tokens: 0,
    prompt_cache_miss_tokens: 9,
  };
  if (path === "/beta/completions") {
    if (model !== "deepseek-chat" && model !== "deepseek-v4-pro")
      return refusal(400, "this model does not support FIM");
    return [200, { model, choices: [{ text: "1" }], usage }];
  }
  if (!path.endsWith("/chat/completions")) return refusal(404, "not found");
  const malformed = era === "v3.0" ? 422 : 400;
  if (messages.some(({ role }) => role === "developer"))
    return refusal(malformed, "messages[0].role: unknown variant `developer`");
  if (messages.at(-1)?.["prefix"] === true && !path.startsWith("/beta"))
    return refusal(400, "prefix needs the beta API");
  if (body.response_format?.type === "json_schema")
    return refusal(malformed, "This response_format type is unavailable now");
  let thinks = era === "current" ? body.thinking?.type !== "disabled" : model === "deepseek-reasoner";
  const sent = messages.filter(({ role }) => role === "assistant").map((message) => "reasoning_content" in message);
  if (era === "current") {
    if (thinks && body.tools && sent.includes(false)) {
      return refusal(400, "The `reasoning_content` in the thinking mode must be passed back to the API.");
    }
    if (thinks && body.tool_choice === "required")
      return refusal(400, "Thinking mode does not support this tool_choice");
  } else if (thinks) {
    if (sent.includes(true)) return refusal(400, "The reasoning_content is an invalid field of the message");
    if (body.tools && era === "v3.0") return refusal(400, "deepseek-reasoner does not support Function Calling");
    if (body.tools) thinks = false;
  }
  const message = {
    role: "assistant",
    content: body.response_format ? '{"ok": true}' : "Hello.",
    ...(thinks ? { reasoning_content: "They greet." } : {}),
    ...(body.tools && messages.at(-1)?.["role"] === "user" ? { tool_calls: [{ id: "1", type: "function" }] } : {}),
  };
  if (!body.stream) return [200, { model, choices: [{ message, finish_reason: "stop" }], usage }];
  const last =
    era === "current"
      ? [{ choices: [{ delta: { content: "." } }], usage }]
      : [
          { choices: [{ delta: { content: "." } }], usage: null },
          { choices: [], usage },
        ];
  return [
    200,
    `${[{ choices: [{ delta: { content: "Hello" } }] }, ...last].map((chunk) => `data: ${JSON.stringify(chunk)}\n\n`).join("")}: keep-alive\n\ndata: [DONE]\n\n`,
  ];
}

/** Starts an endpoint on 127.0.0.1. A function stands in for an era, to imitate what is broken; undefined: no answer. */
export async function startEndpoint(
  era: Era | ((path: string, body: Body) => Reply | undefined),
): Promise<FakeEndpoint> {
  const requests: { path: string; body: Body; key: string | undefined }[] = [];
  const server: Server = createServer(async (request, response) => {
    const path = request.url ?? "";
    const body = JSON.parse((await textOf(request)) || "{}") as Body;
    requests.push({ path, body, key: request.headers.authorization });
    const reply = typeof era === "string" ? answer(era, path, body) : era(path, body);
    if (!reply) return;
    const [status, content] = reply;
    response.writeHead(status, status >= 300 && status < 400 ? { location: "http://127.0.0.1:9/" } : {});
    response.end(typeof content === "string" ? content : JSON.stringify(content));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = "";
  for await (const chunk of request) text += chunk;
  return text;
}
