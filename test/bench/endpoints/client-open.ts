import type { Socket } from "node:net";
import type { TlsOptions } from "node:tls";
import { afterEach } from "@jest/globals";
import type { Sender } from "../../../src/bench/endpoints/sender.js";
import { type Got, type SmallServer, senderOf, smallServer } from "./client-server.js";

const open: { close(): unknown }[] = [];

/** Closes what `serve` and `sending` opened; to be called once in a test file. */
export function closeAfterEach(): void {
  afterEach(async () => {
    for (const it of open.splice(0).reverse()) await it.close();
  });
}

export async function serve(answer: (socket: Socket, got: Got) => void, ...more: [TlsOptions?]): Promise<SmallServer> {
  const server = await smallServer(answer, ...more);
  open.push(server);
  return server;
}

export function sending(...parameters: Parameters<typeof senderOf>): Sender {
  const sender = senderOf(...parameters);
  open.push(sender);
  return sender;
}

export function closing(it: { close(): unknown }): void {
  open.push(it);
}
