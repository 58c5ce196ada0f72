/** The head of the rules' examples: a client of openai-node that talks to the official API. */
export const setUp = `import OpenAI from "openai";
const client = new OpenAI({ baseURL: "https://api.deepseek.com", apiKey: process.env.DEEPSEEK_API_KEY });
`;
