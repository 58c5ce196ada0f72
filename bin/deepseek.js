#!/usr/bin/env node
import { main } from "../dist/deepseek.js";

await main();
