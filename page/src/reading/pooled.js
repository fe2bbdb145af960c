// Tables of several people: split by a column, or refused where nothing says what belongs together.

import { OPTIONAL, UNIT } from "./naming.js";
import { BadInput } from "./problem.js";

const different = (column) => new Set(column.values.filter((value) => value !== null)).size;

/** Whether a column of this name says whose rows they are: subject, Subject_ID, participant.nr. */
export function looksLikeAnId(name, rules) {
  const text = name.toLowerCase().replaceAll(/[\s_.-]+/g, "");
  return rules.whose.includes(text) || rules.whose.includes(text.replace(new RegExp(rules.ends), ""));
}

/** Columns with several values that say whose rows they are: [[name, number of values], ...]; `known` are declared. */
export function pooledBy(table, known, rules) {
  const rows = table.index.length;
  const units = UNIT in table.columns ? different(table.columns[UNIT]) : rows;
  return Object.keys(table.columns)
    .filter((name) => !known.includes(name) && !OPTIONAL.includes(name) && looksLikeAnId(name, rules))
    .map((name) => [name, different(table.columns[name])])
    .filter(([, values]) => values > 1 && values < units); // as many as units are labels of the units
}

/** Refuse a table that would pool people or sessions in one fit without a word. */
export function checkPooled(table, known, rules) {
  for (const [name, values] of pooledBy(table, known, rules).slice(0, 1)) {
    throw new BadInput(
      `${table.where}: column ${name} has ${values} values; expected sequence="${name}" (--sequence ${name}) if they ` +
        `are sessions of one person, or by="${name}" (--by ${name}) for one fit each`,
    );
  }
}

/** [[value, table], ...] by the values of a column, in the order in which they first appear. */
export function splitBy(table, by) {
  if (!(by in table.columns)) throw new BadInput(`${table.where}: no column ${by}, by which rows are split`);
  const missing = table.columns[by].values.indexOf(null);
  if (missing >= 0) {
    const where = `${table.where}, row ${table.index[missing]}`;
    throw new BadInput(`${where}: no value of ${by}, by which rows are split; expected one in each row`);
  }
  const rows = new Map();
  table.columns[by].values.forEach((value, i) => {
    if (!rows.has(value)) rows.set(value, []);
    rows.get(value).push(i);
  });
  return [...rows].map(([value, places]) => [value, part(table, places)]);
}

function part(table, places) {
  const pick = (values) => places.map((i) => values[i]);
  const columns = Object.entries(table.columns).map(([name, column]) => [
    name,
    { ...column, values: pick(column.values) },
  ]);
  return { ...table, index: pick(table.index), columns: Object.fromEntries(columns) };
}
