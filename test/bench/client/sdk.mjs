// The loop that the documentation of the `openai` package shows.
import OpenAI from "openai";
import { now, work } from "./harness.mjs";

let client;
await work({
  async connect({ url }) {
    client = new OpenAI({ baseURL: url, apiKey: "none", maxRetries: 0 });
  },
  async one(job, id, maxTokens) {
    const body = {
      model: job.model,
      messages: [{ role: "user", content: id }],
      stream: job.stream,
      max_tokens: maxTokens,
    };
    const sent = now();
    const answer = await client.chat.completions.create(body);
    if (!job.stream) {
      if (answer.choices[0].message.content === "") throw new Error("an empty answer");
      return { count: 1 };
    }
    const events = [];
    let count = 0;
    for await (const chunk of answer) {
      if (chunk.choices[0]?.delta?.content) {
        count += 1;
        events.push(now());
      }
    }
    return job.kind === "saturated" ? { count } : { sent, done: now(), events };
  },
});
