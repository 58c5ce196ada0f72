import { readCorpus } from "./compat/corpus.js";
import { memorySources } from "./compat/memory.js";
import { scan } from "../src/compat/scan.js";
const [name, target] = process.argv.slice(2);
for (const p of readCorpus().filter((one) => one.name.includes(name!))) {
  const r = await scan(memorySources(p.files), { target: (target ?? "current") as any });
  for (const f of r.findings) console.log(f.place.file + ":" + f.line, f.code, f.severity, f.message, "|", f.fix?.applicability ?? "-", f.manual ?? "", "|", f.host?.host, f.host?.certainty);
  console.log(JSON.stringify(r.unresolved), r.parsed.length);
}
