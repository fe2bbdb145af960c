// Columns of other names and codes in other words: what a user declares about a table gives it the model's form.

import { asNumbers, numberOf } from "./column.js";
import { decimal, general, quoted, shown } from "./format.js";
import { kindOf } from "./kinds.js";
import { BadInput } from "./problem.js";

export const UNIT = "unit";
/** Columns that a table of any model may have. */
export const OPTIONAL = [UNIT, "trial"];
const ODD_SEPARATORS = { "|": "'|'", ":": "':'", " ": "spaces" };

/** Whether two names differ in nothing but case. */
export const same = (name, other) => name.toLowerCase() === other.trim().toLowerCase();

/** A message about the value of one row. */
export function at(table, name, row, expected) {
  const column = table.columns[name];
  return `${table.where}, row ${table.index[row]}: ${name} is ${shown(column.values[row], column)}; expected ${expected}`;
}

/** A table under the model's names of its columns, all of which it has; `columns` is {name: theirs}. */
export function named(card, table, columns = {}) {
  const header = table.header ? `${table.where}, row ${table.header}` : table.where;
  const wanted = card.needed;
  const found = `columns found: ${Object.keys(table.columns).map(quoted).join(", ")}${odd(table, wanted)}`;
  for (const [name, theirs] of Object.entries(columns)) {
    if (!(theirs in table.columns)) {
      throw new BadInput(`${header}: no column ${theirs}, which is declared to be ${name}; ${found}`);
    }
  }
  const sources = Object.fromEntries(Object.entries(columns).map(([name, theirs]) => [theirs, name]));
  if (Object.keys(sources).length < Object.keys(columns).length) {
    const all = Object.keys(columns).join(", ");
    throw new BadInput(`columns: ${all} are one column of the table; expected one for each`);
  }
  // a column that has the name of the model but is declared not to be meant makes room
  const kept = Object.entries(table.columns).filter(([name]) => !(name in columns) || name in sources);
  const renamed = Object.fromEntries(kept.map(([name, column]) => [sources[name] ?? name, column]));
  const missing = wanted.filter((name) => !(name in renamed));
  if (missing.length) {
    const expected = `no column ${missing.join(", ")}; expected ${wanted.join(", ")}`;
    const number = missing.length === 1 && missing[0] === UNIT ? `; number the rows in ${UNIT}, where each is one` : "";
    throw new BadInput(`${header}: ${expected}; ${found}${alike(renamed, missing)}${number}`);
  }
  return { ...table, columns: withOptional(card, renamed) };
}

function odd(table, wanted) {
  const names = Object.keys(table.columns);
  const fits = ([character]) => names.length === 1 && wanted.every((name) => names[0].split(character).includes(name));
  return Object.entries(ODD_SEPARATORS)
    .filter(fits)
    .map(([, words]) => ` (separated by ${words}? expected commas, semicolons or tabs)`)
    .join("");
}

function alike(columns, missing) {
  const pairs = missing.flatMap((name) => {
    const theirs = Object.keys(columns)
      .filter((other) => same(name, other))
      .at(-1);
    return theirs === undefined ? [] : [[name, theirs]];
  });
  if (!pairs.length) return "";
  const declared = pairs.map(([name, theirs]) => `"${name}": "${theirs}"`).join(", ");
  const options = pairs.map(([name, theirs]) => `--columns ${name}=${theirs}`).join(" ");
  return `; perhaps columns={${declared}} (${options})`;
}

/** Of optional columns, which nobody would miss, the case of letters does not count. */
function withOptional(card, columns) {
  const names = {};
  for (const name of OPTIONAL.filter((n) => !(n in columns) && !(n in card.model.columns))) {
    const theirs = Object.keys(columns).filter((other) => same(name, other));
    if (theirs.length === 1) names[theirs[0]] = name;
  }
  return Object.fromEntries(Object.entries(columns).map(([name, column]) => [names[name] ?? name, column]));
}

/** A table whose columns are multiplied: {rt: 0.001} makes seconds of milliseconds. */
export function scaled(table, scale = {}) {
  const columns = { ...table.columns };
  for (const [name, factor] of Object.entries(scale)) {
    const numbers = asNumbers(columns[name]);
    const values = numbers.map((v, i) => (v === null || Number.isNaN(v) ? columns[name].values[i] : v * factor));
    columns[name] = { values, decimals: true };
  }
  return { ...table, columns };
}

/** A table with the model's codes in the place of a user's own; `codes` is {column: {value: code or null}}. */
export function coded(card, table, codes = {}) {
  const columns = { ...table.columns };
  for (const [name, words] of Object.entries(codes)) columns[name] = translated(card, table, name, words);
  for (const name of [...Object.keys(card.model.columns), ...card.model.covariates]) {
    if (!(name in codes)) checkCodes(card, table, name);
  }
  return { ...table, columns };
}

/** A value as text that is the same for 1, 1.0 and '1', and for True and 'TRUE'. */
export function keyOf(value) {
  const text = String(value).trim();
  if (/^(true|false)$/i.test(text)) return text.toLowerCase();
  const number = numberOf(text);
  return Number.isNaN(number) ? text : decimal(number);
}

function translated(card, table, name, words) {
  const kind = kindOf(card.model.columns[name]);
  for (const [word, code] of Object.entries(words)) {
    if (code !== null && !kind.accepts(Number(code))) {
      throw new BadInput(
        `codes: ${name} ${quoted(word)} becomes ${general(Number(code))}; expected ${card.expected[name]}`,
      );
    }
  }
  const known = new Map(
    Object.entries(words).map(([word, code]) => [keyOf(word), code === null ? null : Number(code)]),
  );
  const values = table.columns[name].values.map((value, row) => {
    if (value === null) return null;
    const key = keyOf(value);
    if (known.has(key)) return known.get(key);
    const number = typeof value === "string" ? numberOf(value) : Number(value);
    if (kind.name !== "Choice" && Number.isFinite(number)) return number;
    throw new BadInput(at(table, name, row, `a value whose code is declared: ${Object.keys(words).join(", ")}`));
  });
  return { values, decimals: true };
}

/** Truth values, and codes other than the model's own, have no meaning of their own. */
function checkCodes(card, table, name) {
  const kind = card.model.columns[name] && kindOf(card.model.columns[name]);
  const column = table.columns[name];
  const numbers = asNumbers(column);
  const bad = column.values.findIndex(
    (value, i) =>
      typeof value === "boolean" || (kind?.name === "Choice" && value !== null && !kind.accepts(numbers[i])),
  );
  if (bad < 0) return;
  const how = `codes={"${name}": {VALUE: CODE, ...}} (--codes ${name}:VALUE=CODE,...)`;
  throw new BadInput(at(table, name, bad, `${kind ? card.expected[name] : "a number"}, or ${how}`));
}
