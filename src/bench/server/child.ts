import type { Behaviours } from "./behaviour.js";
import { type GoldenServer, type ServerOptions, startServer } from "./serve.js";
import type { Served } from "./served.js";

/*
 * The server in a process of its own, so that its work is not the client's. An entry file is two lines,
 *   import { serveParent } from "../bench/server/child.js";
 *   serveParent(process, () => Number(process.hrtime.bigint()) / 1e9);
 * and whoever forks it (node:child_process.fork) talks to it through `connectChild(child, behaviours)`. With that clock
 * in both processes, their times compare to the microsecond.
 */

/** What a process forked with a channel is to its parent, and the parent to it. */
export interface Channel {
  on(event: "message", listener: (message: unknown) => void): unknown;
  on(event: "disconnect" | "exit" | "error", listener: () => void): unknown;
  send?(message: Request | Reply): unknown;
}

/** Plain data of `ServerOptions`. */
export type ChildOptions = Omit<ServerOptions, "now">;

type Request =
  | { readonly id: number; readonly ask: "start"; readonly behaviours: Behaviours; readonly options: ChildOptions }
  | { readonly id: number; readonly ask: "requests" | "forget" | "close" };

type Reply = { readonly id: number; readonly answer: unknown } | { readonly id: number; readonly failed: string };

/** A server that runs elsewhere. */
export interface RemoteServer {
  readonly url: string;
  readonly port: number;
  requests(): Promise<readonly Served[]>;
  forget(): Promise<void>;
  /** It and its process end. */
  close(): Promise<void>;
}

/** Runs in the child: does what the parent asks, and ends with it. `now`: a clock that both share. */
export function serveParent(parent: Channel & { disconnect?(): void }, now?: () => number): void {
  let server: GoldenServer | null = null;
  const close = async (): Promise<void> => {
    await server?.close();
    server = null;
  };
  const does = async (request: Request): Promise<unknown> => {
    switch (request.ask) {
      case "start": {
        server = await startServer(
          request.behaviours,
          now === undefined ? request.options : { ...request.options, now },
        );
        return { url: server.url, port: server.port };
      }
      case "requests":
        return server?.requests() ?? [];
      case "forget":
        server?.forget();
        return null;
      case "close":
        await close();
        return null;
    }
  };
  parent.on("message", (message) => {
    const request = message as Request;
    does(request).then(
      (answer) => {
        parent.send?.({ id: request.id, answer });
        if (request.ask === "close") parent.disconnect?.();
      },
      (error: unknown) => parent.send?.({ id: request.id, failed: error instanceof Error ? error.message : "failed" }),
    );
  });
  parent.on("disconnect", () => {
    void close();
  });
}

/** Starts a server in the child; rejects if the child ends or cannot. */
export async function connectChild(
  child: Channel,
  behaviours: Behaviours,
  options: ChildOptions = {},
): Promise<RemoteServer> {
  const waiting = new Map<number, { resolve(answer: unknown): void; reject(error: Error): void }>();
  let ids = 0;
  let ended = false;
  child.on("message", (message) => {
    const reply = message as Reply;
    const asked = waiting.get(reply.id);
    waiting.delete(reply.id);
    if ("failed" in reply) asked?.reject(new Error(reply.failed));
    else asked?.resolve(reply.answer);
  });
  const end = (): void => {
    ended = true;
    for (const asked of waiting.values()) asked.reject(new Error("the server's process has ended"));
    waiting.clear();
  };
  child.on("exit", end);
  // it could not be started
  child.on("error", end);
  const ask = (request: Record<string, unknown>): Promise<unknown> =>
    new Promise((resolve, reject) => {
      if (ended) {
        reject(new Error("the server's process has ended"));
        return;
      }
      const id = ids++;
      waiting.set(id, { resolve, reject });
      child.send?.({ ...request, id } as Request);
    });
  const { url, port } = (await ask({ ask: "start", behaviours, options })) as { url: string; port: number };
  return {
    url,
    port,
    requests: async () => (await ask({ ask: "requests" })) as readonly Served[],
    async forget() {
      await ask({ ask: "forget" });
    },
    async close() {
      if (!ended) await ask({ ask: "close" });
    },
  };
}
