export default {
  testEnvironment: "<rootDir>/test/environment.cjs",
  testMatch: ["<rootDir>/test/**/*.test.ts"],
  // minutes long: npm run test:long
  testPathIgnorePatterns: ["/node_modules/", "<rootDir>/test/long/"],
  extensionsToTreatAsEsm: [".ts"],
  moduleNameMapper: { "^(\\.{1,2}/.*)\\.js$": "$1" },
  transform: {
    "^.+\\.ts$": [
      "@swc/jest",
      { jsc: { parser: { syntax: "typescript" }, target: "es2022" }, module: { type: "es6" } },
    ],
  },
  // fixtures hold package.json files of small example applications
  modulePathIgnorePatterns: ["<rootDir>/dist/", "<rootDir>/fixtures/", "<rootDir>/tour/", "<rootDir>/bench-work/"],
  // two cores are usual in pipelines, and one of them would wait
  maxWorkers: "100%",
  testTimeout: 60000,
};
