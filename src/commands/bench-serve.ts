/** The process of the server that a self-test measures against: started by its parent, ends with it. */
import { serveParent } from "../bench/server/child.js";
import { monotonic } from "./process-clocks.js";

serveParent(process, monotonic);
