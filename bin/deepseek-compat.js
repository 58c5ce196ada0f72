#!/usr/bin/env node
import { main } from "../dist/deepseek-compat.js";

await main();
