import process from "node:process";
import { serveParent } from "../../../src/bench/server/child.js";

serveParent(process, () => Number(process.hrtime.bigint()) / 1e9);
