// What is said of a posterior under a learned density, from the answers of its programs: JSON from standard input.

import { readFileSync } from "node:fs";

import { doubts } from "../src/fit/members.js";

const { outputs, model, data, labels, theta, logWeights, rules } = JSON.parse(readFileSync(0, "utf8"));
const engine = {
  model,
  frame: (framed) => framed,
  run: async (name) => ({ [name]: Float32Array.from(outputs[name]) }),
};
const table = { data, labels };
console.log(JSON.stringify(await doubts(engine, table, Float32Array.from(theta), logWeights, rules)));
