// Where the rows of a table stand: which unit each belongs to, which units are missing, where sequences begin.

import { numberOf } from "./column.js";
import { decimal } from "./format.js";
import { UNIT, at } from "./naming.js";
import { BadInput } from "./problem.js";

const TRIAL = "trial";

/** Codes 0, 1, ... of values in the order in which they appear, and the values. */
function factorized(values) {
  const known = new Map();
  const codes = values.map((value) => {
    if (!known.has(value)) known.set(value, known.size);
    return known.get(value);
  });
  return [codes, [...known.keys()]];
}

/** {unit of each row, labels and sequence of each unit}. */
export function placesOf(card, table, sequence, mostMissing) {
  const rows = table.index.length;
  const [part, parts] = partsOf(table, rows, sequence);
  const [name, labelled] = labelsOf(card, table, rows);
  const unit = new Array(rows);
  const [labels, numbers] = [[], []];
  parts.forEach((title, i) => {
    const own = Array.from(part.keys()).filter((row) => part[row] === i);
    const [codes, found] = unitsOf(card, labelled, name, own, mostMissing);
    own.forEach((row, j) => (unit[row] = codes[j] + numbers.length));
    for (const label of found) {
      labels.push([title, label]);
      numbers.push(i + 1);
    }
  });
  const plain = labels.map(([, label]) => label);
  const twice = new Set(plain).size < plain.length; // trial 1 of every session
  return { unit, labels: twice ? labels.map(([title, label]) => `${title}: ${label}`) : plain, sequence: numbers };
}

function partsOf(table, rows, sequence) {
  if (!sequence) return [new Array(rows).fill(0), [""]];
  refuseMissing(
    table,
    sequence,
    table.index.map((_, i) => i),
    "the sequence of a unit",
  );
  const [codes, names] = factorized(table.columns[sequence].values);
  return [codes, names.map((name) => inWords(name, table.columns[sequence]))];
}

/** Name of the labels, and the table that has them; running numbers where there is none. */
function labelsOf(card, table, rows) {
  const names = card.model.dependent ? [UNIT, TRIAL] : [UNIT];
  const name = names.find((n) => n in table.columns && !(n in card.model.columns));
  if (name) return [name, table];
  const values = Array.from({ length: rows }, (_, i) => i + 1);
  return [UNIT, { ...table, columns: { ...table.columns, [UNIT]: { values, decimals: false } } }];
}

const inWords = (value, column) => (typeof value === "number" && column.decimals ? decimal(value) : String(value));

function unitsOf(card, table, name, rows, mostMissing) {
  refuseMissing(table, name, rows, "the label of a unit");
  const column = table.columns[name];
  const values = rows.map((row) => column.values[row]);
  const [codes, labels] = factorized(values);
  if (card.model.design.observations[1] === 1 && labels.length < codes.length) {
    const twice = codes.findIndex((code, i) => codes.indexOf(code) < i);
    throw new BadInput(at(table, name, rows[twice], "a label of its own: a unit of this model has one observation"));
  }
  const whole = card.model.dependent ? wholeOf(labels) : null;
  if (!whole) return [codes, labels.map((label) => inWords(label, column))];
  const numbers = codes.map((code) => whole[code]);
  refuseDisorder(table, name, rows, numbers, mostMissing);
  const size = whole.at(-1) - whole[0] + 1;
  return [numbers.map((n) => n - whole[0]), Array.from({ length: size }, (_, i) => String(whole[0] + i))];
}

function wholeOf(labels) {
  const numbers = labels.map((label) => (typeof label === "number" ? label : numberOf(String(label))));
  return numbers.every(Number.isInteger) ? numbers : null;
}

/** Whole numbers of the rows of a chain must not go back, and must count units. */
function refuseDisorder(table, name, rows, numbers, mostMissing) {
  const steps = numbers.slice(1).map((n, i) => n - numbers[i]);
  const back = steps.findIndex((step) => step < 0) + 1;
  if (back > 0) {
    const expected = `at least ${numbers[back - 1]}, as before it; of several sequences declare the column (sequence=)`;
    throw new BadInput(at(table, name, rows[back], expected));
  }
  const total = steps.reduce((a, b) => a + b, 0);
  if (numbers.length && total > mostMissing * (new Set(numbers).size + 1)) {
    const jump = steps.indexOf(Math.max(...steps)) + 1;
    throw new BadInput(at(table, name, rows[jump], `a count of units, which was ${numbers[jump - 1]} before it`));
  }
}

function refuseMissing(table, name, rows, expected) {
  const row = rows.find((i) => table.columns[name].values[i] === null);
  if (row !== undefined) throw new BadInput(at(table, name, row, expected));
}
