// Our client, as built.
import { createSender } from "../../../dist/bench/endpoints/sender-create.js";
import { now, work } from "./harness.mjs";

let sender;
await work({
  async connect({ url, model, stream, streams }) {
    const target = {
      label: model,
      url,
      protocol: "chat",
      model,
      key: undefined,
      headers: {},
      body: {},
      stream,
      http2: "off",
    };
    const limits = { connectSeconds: 10, totalSeconds: 120, idleSeconds: 60, bytes: 1e9, retries: 0 };
    sender = createSender(target, limits, { now });
    await sender.connect(streams);
  },
  async one(job, id, maxTokens) {
    const parameters = maxTokens === undefined ? {} : { max_tokens: maxTokens };
    const { error, sent, done, events } = await sender.send({
      id,
      messages: [{ role: "user", content: id }],
      parameters,
    });
    if (error !== null) throw new Error(error.message);
    if (job.kind === "saturated") return { count: job.stream ? events.length : 1 };
    return { sent, done, events };
  },
  close: () => sender.close(),
});
