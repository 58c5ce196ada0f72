import usual from "../../jest.config.js";

/** The tests that take minutes: `npm run test:long`. */
export default {
  ...usual,
  rootDir: "../..",
  testMatch: ["<rootDir>/test/long/**/*.test.ts"],
  testPathIgnorePatterns: ["/node_modules/"],
};
