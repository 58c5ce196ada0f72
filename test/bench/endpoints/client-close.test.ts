import { expect, test } from "@jest/globals";
import { certificate } from "./client-certificate.js";
import { chunk, event, goodStream, plainOf, prompt, senderOf, smallServer, streamHead } from "./client-server.js";

/** What keeps a process from ending, by kind. */
function handles(): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const kind of process.getActiveResourcesInfo()) {
    if (/TCP|TLS|Timeout|Immediate|GetAddrInfo|HTTP2/i.test(kind)) counts[kind] = (counts[kind] ?? 0) + 1;
  }
  return counts;
}

test("whatever happened, a closed sender leaves no socket and no timer behind", async () => {
  const before = handles();
  const server = await smallServer((socket, { body }) => {
    if (body["model"] === "good") socket.write(goodStream);
    else if (body["model"] === "cut") socket.end(streamHead);
    else if (body["model"] === "busy") socket.write(plainOf("", "429 Busy", "Retry-After: 3\r\n"));
    else if (body["model"] === "marked") socket.write(streamHead + chunk(`${event({ content: "a" })}data: [DONE]\n\n`));
    else socket.write(streamHead);
  });
  const tls = await smallServer((socket) => socket.write(goodStream), certificate);
  const senders = ["good", "cut", "busy", "marked", "mute"].flatMap((model) => [
    senderOf(server.url, { model }, { totalSeconds: 60, idleSeconds: 60, retries: 2 }),
    senderOf(tls.url, { model }, {}, { ca: certificate.cert }),
    senderOf("http://127.0.0.1:1", { model }),
  ]);
  await Promise.all(senders.map((sender) => sender.connect(3)));
  const stop = new AbortController();
  const sent = senders.flatMap((sender) => [sender.send(prompt), sender.send(prompt, stop.signal)]);
  await new Promise((resolve) => setTimeout(resolve, 100));
  stop.abort();
  for (const sender of senders) sender.close();
  const outcomes = await Promise.all(sent);
  expect(new Set(outcomes.map((outcome) => outcome.error?.kind))).toEqual(new Set([undefined, "cancelled", "refused"]));
  await Promise.all([server.close(), tls.close()]);
  await new Promise((resolve) => setTimeout(resolve, 50));
  // what other tests in this process left may have gone meanwhile
  for (const [kind, count] of Object.entries(handles()))
    expect([kind, count]).toEqual([kind, Math.min(count, before[kind] ?? 0)]);
});
