// What a page shows of a table before anything is fitted: its columns, the model they fit, and what has to be declared.

import { keyOf, same } from "./naming.js";
import { tableOf } from "./csv.js";
import { kindOf } from "./kinds.js";
import { looksLikeAnId, pooledBy } from "./pooled.js";

/** Different values of a column that are shown, so that each can have a code. */
const MOST_VALUES = 12;
/** Names of columns that say sessions of one person, in which the states begin anew, rather than people. */
const SESSIONS = /^(sess|ses|session|block|blk|run)/;

/** The table of a text for a model; `columns` is {name of the model: name in the table}. */
export function tableFor(card, { text, where }, columns = {}) {
  const theirs = (name) => columns[name] ?? name;
  const numbers = [...Object.keys(card.model.columns), ...card.model.covariates].map(theirs);
  return tableOf(text, where, card.needed.map(theirs), numbers);
}

/** {best, networks: [{names, columns, people, values}]}: for each network what its model finds in tables like the first. */
export function describe(sources, cards, rules) {
  const networks = cards.map((card) => {
    const tables = sources.map((source) => tableFor(card, source));
    const [table] = tables;
    const names = Object.keys(table.columns);
    const columns = Object.fromEntries(card.needed.map((name) => [name, match(name, names)]));
    const renamed = Object.values(columns).filter(Boolean);
    const ids = tables.flatMap((one) => pooledBy(one, renamed, rules).map(([name]) => name));
    return { names, rows: table.index.length, columns, ...whose(ids, names, rules), values: choices(card, tables) };
  });
  const worth = (i) => {
    const { columns } = networks[i];
    const names = Object.entries(columns);
    const exact = names.filter(([name, theirs]) => theirs === name).length;
    return names.filter(([, theirs]) => theirs).length / names.length + exact / names.length / 10;
  };
  const best = networks.reduce((found, _, i) => (worth(i) > worth(found) ? i : found), 0);
  return { best, networks };
}

/** The column of the same name, or the one whose name differs in nothing but case; null where there is none. */
function match(name, names) {
  if (names.includes(name)) return name;
  const alike = names.filter((other) => same(name, other));
  return alike.length === 1 ? alike[0] : null;
}

/** Which column says people; of sessions a user decides, for they may be those of one person. */
function whose(ids, names, rules) {
  const people = ids.find((name) => !SESSIONS.test(name.toLowerCase())) ?? null;
  return { people, likely: names.filter((name) => looksLikeAnId(name, rules)) };
}

/** {column of the tables: its values}, of those with few: what codes are declared for. */
function choices(card, tables) {
  if (!Object.values(card.model.columns).some((known) => kindOf(known).name === "Choice")) return {};
  const all = (name) => tables.flatMap(({ columns }) => columns[name]?.values ?? []);
  const found = Object.keys(tables[0].columns).map((name) => [name, [...new Set(all(name).map(valueOf))]]);
  return Object.fromEntries(found.filter(([, values]) => values.length <= MOST_VALUES));
}

const valueOf = (value) => (value === null ? "" : keyOf(value).replace(/^(-?\d+)\.0$/, "$1"));
