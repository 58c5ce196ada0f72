/** The schema of a scan's report (ScanReport), from which docs/schema/scan.json is written. Loads zod. */
import { z } from "zod";

const line = z.int().min(1);
const offset = z.int().min(0);
const count = z.int().min(0);
const severity = z.enum(["error", "warning", "info"]);
const applicability = z.enum(["safe", "suggested"]);
const target = z.enum(["v3.1", "current"]);

const place = z.looseObject({ file: z.string(), start: offset, end: offset }).describe("offsets in UTF-16 code units");
const edit = z.looseObject({ ...place.shape, text: z.string() });

const host = z.looseObject({
  host: z.string(),
  certainty: z.enum(["certain", "possible", "unknown"]),
  evidence: z.string(),
});

const reasons = z.array(z.looseObject({ field: z.string(), words: z.string(), error: z.string().optional() }));

/** What a version of the API answers to a request. */
const verdict = z.looseObject({
  answer: z.enum(["accepted", "rejected", "unknown"]),
  because: reasons,
  ignored: reasons,
  changed: reasons,
  undocumented: z.array(z.string()),
});

const rate = z.looseObject({ hit: z.number(), miss: z.number(), output: z.number() });
const range = z.looseObject({ low: z.number(), high: z.number() });

/** What a request costs at one day: US dollars for a million tokens. */
const costAt = z.looseObject({
  when: z.enum(["v3.0", "v3.1", "current"]),
  day: z.string(),
  model: z.string(),
  price: z
    .looseObject({
      model: z.string(),
      from: z.string(),
      low: rate,
      high: rate,
      hours: z.string(),
      source: z.string(),
      confidence: z.enum(["primary", "secondary"]),
    })
    .optional(),
  month: range.optional(),
  answer: range.optional(),
  notes: z.array(z.string()),
});

const finding = z.looseObject({
  rule: z.string(),
  code: z.string(),
  severity,
  effect: z.enum(["hard error", "silent change", "cost", "opportunity"]),
  message: z.string(),
  place,
  line,
  column: line,
  endLine: line,
  endColumn: line,
  cell: line.optional(),
  cellLine: line.optional(),
  source: z.string(),
  fingerprint: z.string(),
  baseline: z.literal(true).optional(),
  host: host.optional(),
  path: z.array(z.string()).optional(),
  fix: z.looseObject({ applicability, description: z.string(), edits: z.array(edit) }).optional(),
  manual: z.string().optional(),
});

const suppressed = z.looseObject({
  ...finding.shape,
  suppressed: z.looseObject({ reason: z.string(), until: z.string().optional(), line }),
});

const baselineEntry = z.looseObject({
  fingerprint: z.string(),
  rule: z.string(),
  file: z.string(),
  line,
  message: z.string(),
});

const counts = z.record(z.string(), count);

export const scanSchema = z.looseObject({
  schema: z.literal("deepseek-compat/scan@1"),
  target,
  from: z.enum(["v3.0", "v3.1"]),
  findings: z.array(finding),
  hidden: count,
  suppressed: z.array(suppressed),
  baseline: z
    .looseObject({ file: z.string(), known: count, gone: z.array(baselineEntry), updated: z.boolean() })
    .optional(),
  changed: z.looseObject({ since: z.string(), files: count }).optional(),
  files: z.looseObject({
    scanned: count,
    parsed: count,
    excluded: count,
    skipped: z.array(z.looseObject({ file: z.string(), reason: z.string() })),
    broken: z.array(z.looseObject({ file: z.string(), line, message: z.string() })),
  }),
  unresolved: z.array(z.looseObject({ file: z.string(), line, what: z.string() })),
  score: z.looseObject({
    score: z.number().min(0).max(100),
    formula: z.string(),
    parts: z.array(z.looseObject({ name: z.string(), count, weight: z.number(), points: z.number() })),
  }),
  failOn: z.enum(["error", "warning", "info", "never"]),
  failures: z.array(z.string()),
  fixed: z.array(
    z.looseObject({
      rule: z.string(),
      code: z.string(),
      applicability,
      description: z.string(),
      file: z.string(),
      line,
      verification: z.looseObject({
        state: z.enum(["fixed-verified", "fixed-unverified"]),
        checks: z.array(z.string()),
        doubt: z.string().optional(),
      }),
    }),
  ),
  withdrawn: z.array(
    z.looseObject({ file: z.string(), rule: z.string(), description: z.string(), reason: z.string() }),
  ),
  proofs: z.array(
    z.looseObject({
      file: z.string(),
      line,
      place,
      callee: z.string(),
      host,
      body: z.record(z.string(), z.unknown()).optional(),
      holes: z.array(z.string()),
      verdicts: z.looseObject({ "v3.0": verdict, "v3.1": verdict, current: verdict }).optional(),
      renamed: verdict.optional(),
      sentence: z.string(),
      cost: z.string().optional(),
      costs: z.array(costAt).optional(),
    }),
  ),
  diff: z.string().optional(),
  stats: z
    .looseObject({
      rules: z.array(z.looseObject({ rule: z.string(), timeMs: z.number(), findings: count })),
      languages: counts,
      skipped: z.record(z.string(), z.looseObject({ files: count, folders: count })),
    })
    .optional(),
});
