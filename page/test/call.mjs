// Calls functions of the page under Node: [{module, name, values}, ...] from standard input, one answer a line.

import { readFileSync } from "node:fs";

/** Numbers that JSON has no word for are text. */
const revive = (_, value) => ({ inf: Infinity, "-inf": -Infinity, nan: NaN })[value] ?? value;
const plain = (_, value) => {
  if (ArrayBuffer.isView(value)) return Array.from(value);
  return typeof value === "number" && !Number.isFinite(value) ? String(value).replace("Infinity", "inf") : value;
};

for (const { module, name, values } of JSON.parse(readFileSync(0, "utf8"), revive)) {
  const found = (await import(new URL(`../src/${module}`, import.meta.url)))[name];
  console.log(JSON.stringify(found(...values), plain));
}
