import { describe, expect, test } from "@jest/globals";
import { redact, redactText } from "../../src/compat/redact.js";

const secret = "s3cr3tV4lue9x8y7z";

describe("masked", () => {
  test.each([
    `const client = new OpenAI({ apiKey: "sk-${secret}" });`,
    `const x = "sk-${secret}";`,
    `headers: { Authorization: "Bearer ${secret}" }`,
    `curl -H 'Authorization: Bearer ${secret}' https://api.deepseek.com`,
    `DEEPSEEK_API_KEY=${secret}`,
    `export DEEPSEEK_API_KEY="${secret}"`,
    `DEEPSEEK_API_KEY: ${secret}`,
    `{"api_key": "${secret}", "model": "deepseek-chat"}`,
    `api_key='${secret}'`,
    `client = OpenAI(api_key="${secret}", base_url="https://api.deepseek.com")`,
    `const token = '${secret}';`,
    `DB_PASSWORD=${secret}`,
    `password: "${secret}"`,
    `os.getenv("DEEPSEEK_API_KEY", "${secret}")`,
    `process.env.DEEPSEEK_API_KEY ?? "${secret}"`,
    `process.env["API_KEY"] || '${secret}'`,
    `ENV API_KEY=${secret}`,
    `"x-api-key": "${secret}"`,
    `aws AKIAIOSFODNN7EXAMPLE`,
    `ghp_${"a1B2".repeat(9)}`,
    `https://user:${secret}@example.org/`,
  ])("%s", (text) => {
    const masked = redactText(text);
    for (const leak of [secret, "IOSFODNN7", "a1B2"]) expect(masked).not.toContain(leak);
    expect(masked).toContain("****");
    expect(masked).toHaveLength(text.length);
    // what is masked stays so
    expect(redactText(masked)).toBe(masked);
  });
});

describe("left as it is", () => {
  test.each([
    "apiKey: process.env.DEEPSEEK_API_KEY,",
    'api_key=os.environ["DEEPSEEK_API_KEY"]',
    'const key = "DEEPSEEK_API_KEY";',
    "max_tokens: 4096,",
    'cache_key: "user-profile-1"',
    '"max_tokens": 8192',
    // biome-ignore lint/suspicious/noTemplateCurlyInString: code that is read
    "DEEPSEEK_API_KEY=${{ secrets.DEEPSEEK_API_KEY }}",
    "DEEPSEEK_API_KEY=$KEY",
    'apiKey: "<your key>"',
    'token: "your-token-here"',
    "const deepseekTokens = countTokens(text);",
    "max_completion_tokens is ignored by the official API, so this request has no limit; the name is max_tokens",
    'model: "deepseek-chat"',
    "Authorization: Bearer $DEEPSEEK_API_KEY",
    // biome-ignore lint/suspicious/noTemplateCurlyInString: code that is read
    "Authorization: `Bearer ${key}`",
    '"input_cost_per_token": 5.5e-07,',
    "costPerToken: 0.00000014, outputPerToken = 219e-8",
    "tokens = tokenizer.encode(text)",
    "for (const key of Object.keys(models)) {",
    "const disk = 'sk-1'",
  ])("%s", (text) => expect(redactText(text)).toBe(text));
});

test("every string of a report, however deep; numbers and shape stay", () => {
  const report = { a: [{ text: `token: "${secret}"`, line: 3 }], none: null, yes: true };
  const masked = redact(report);
  expect(JSON.stringify(masked)).not.toContain(secret);
  expect(masked).toMatchObject({ a: [{ line: 3 }], none: null, yes: true });
});
