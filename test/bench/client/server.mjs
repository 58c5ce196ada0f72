// The server of `npm run bench:client`, in a process of its own.
import { serveParent } from "../../../dist/bench/server/child.js";

serveParent(process, () => Number(process.hrtime.bigint()) / 1e9);
