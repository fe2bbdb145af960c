// A table becomes a data set of a model, every value checked.
//
// A row is a unit; where a unit can have several observations a column `unit` says which rows belong together. An empty
// field, or a value outside declared limits, is an observation that was not made: its unit stays in its place.

import { existsOf, filled, countsOf } from "../fit/data.js";
import { asNumbers } from "./column.js";
import { general } from "./format.js";
import { kindOf } from "./kinds.js";
import { at, coded, named, scaled } from "./naming.js";
import { placesOf } from "./places.js";
import { checkPooled } from "./pooled.js";
import { BadInput } from "./problem.js";

/** Rows that a note names. */
const FEW = 5;

/** {data, labels, notes} of a table; `reading` has columns, codes, scale, sequence and keep: {column: [low, high]}. */
export function read(card, source, reading, rules) {
  const { columns, codes, scale, sequence, keep = {} } = reading;
  const table = scaled(coded(card, named(card, source, columns), codes), scale);
  const { model } = card;
  checkPooled(table, [...Object.keys(model.columns), ...model.covariates, sequence], rules);
  if (!table.index.length) throw new BadInput(`${table.where}: no rows of data; expected one for each observation`);
  const values = Object.keys(model.columns).map((name) => numeric(table, name, true));
  const { notes, seen } = observed(card, table, values, keep);
  const covariates = model.covariates.map((name) => numeric(table, name, false));
  const places = placesOf(card, table, sequence, rules.most_missing);
  const kinds = Object.values(model.columns).map(kindOf);
  const stored = values.map((column, j) => column.map((v) => (v === null ? NaN : kinds[j].stored(v))));
  const data = framed(table, model, stored, covariates, seen, places);
  notes.push(...conditioning(model, data));
  const gaps = places.labels.length - new Set(places.unit).size;
  if (gaps) notes.push(`${gaps} units between those of the table were not observed`);
  return { data, labels: places.labels, notes };
}

/** Values of a column, null for empty fields. */
function numeric(table, name, empty) {
  const numbers = asNumbers(table.columns[name]);
  const bad = numbers.findIndex((v) => (v === null ? !empty : !Number.isFinite(v)));
  if (bad >= 0) throw new BadInput(at(table, name, bad, `a finite number${empty ? " or nothing" : ""}`));
  return numbers;
}

/** Sentences about what was left out, and whether each value of each row is observed. */
function observed(card, table, values, keep) {
  const { model } = card;
  const names = Object.keys(model.columns);
  const [rows, notes] = [table.index.length, []];
  const seen = names.map(() => new Array(rows).fill(true));
  names.forEach((name, j) => {
    const [low, high] = (keep[name] ?? [null, null]).map((end, i) => end ?? [-Infinity, Infinity][i]);
    const kind = kindOf(model.columns[name]);
    const empty = values[j].map((v) => v === null);
    const outside = values[j].map((v) => v !== null && !(v >= low && v <= high));
    const bad = values[j].findIndex((v, i) => !(empty[i] || outside[i] || kind.accepts(v)));
    if (bad >= 0) throw new BadInput(at(table, name, bad, card.expected[name]));
    for (const [left, words] of [
      [empty, "is empty"],
      [outside, `is ${beyond(low, high)}`],
    ]) {
      const which = table.index.filter((_, i) => left[i]);
      const few = which.slice(0, FEW).join(", ") + (which.length > FEW ? ", ..." : "");
      if (which.length) notes.push(`${name} ${words} in ${which.length} rows, not observed: ${few}`);
    }
    for (const column of model.divisible ? [seen[j]] : seen) {
      for (let i = 0; i < rows; i += 1) if (empty[i] || outside[i]) column[i] = false;
    }
  });
  refuseNothing(table, model, names, seen);
  return { notes, seen };
}

function refuseNothing(table, model, names, seen) {
  const lacking = names.filter((_, j) => !seen[j].some(Boolean));
  if (!lacking.length) return;
  const any = seen.some((column) => column.some(Boolean));
  const lacks = any && model.divisible ? lacking : names;
  throw new BadInput(`${table.where}: no row is an observation; expected at least one with ${lacks.join(", ")}`);
}

/** Limits in words. */
function beyond(low, high) {
  const ends = [];
  if (low > -Infinity) ends.push(`below ${general(low)}`);
  if (high < Infinity) ends.push(`above ${general(high)}`);
  return ends.join(" or ");
}

/** Rows of which some are observed, as a padded data set. */
function framed(table, model, columns, covariates, seen, places) {
  const [n, d] = [places.labels.length, columns.length];
  const rows = table.index.map((_, i) => i).filter((i) => seen.some((column) => column[i]));
  const taken = new Int32Array(n);
  const place = rows.map((i) => (taken[places.unit[i]] += 1) - 1);
  const p = Math.max(...taken);
  const [y, mask, there] = [
    new Float32Array(n * p * d).fill(NaN),
    new Float32Array(n * p),
    new Float32Array(n * p * d),
  ];
  rows.forEach((i, r) => {
    const where = places.unit[i] * p + place[r];
    mask[where] = 1;
    columns.forEach((column, j) => {
      y[where * d + j] = column[i];
      there[where * d + j] = seen[j][i] ? 1 : 0;
    });
  });
  const whole = rows.every((i) => seen.every((column) => column[i]));
  const regular = taken.every((count) => count > 0) && places.sequence.at(-1) === 1;
  return filled({
    n,
    p,
    d,
    y,
    mask,
    c: covariates.length,
    x: covariates.length ? ofUnits(table, model, covariates, places) : null,
    sequence: regular ? null : Float32Array.from(places.sequence),
    components: whole ? null : there,
  });
}

/** Covariates (N, C) of units from those of rows, which must agree. */
function ofUnits(table, model, covariates, places) {
  const [n, c] = [places.labels.length, covariates.length];
  const found = new Float32Array(n * c).fill(NaN);
  covariates.forEach((column, j) => {
    for (let i = column.length - 1; i >= 0; i -= 1) found[places.unit[i] * c + j] = column[i];
    const close = (v, i) => Math.abs(found[places.unit[i] * c + j] - v) <= 1e-8 + 1e-5 * Math.abs(v);
    if (!column.every(close)) {
      throw new BadInput(
        `${table.where}: ${model.covariates[j]} differs within a unit; expected one value for each unit`,
      );
    }
  });
  const unknown = places.labels.findIndex((_, i) => Number.isNaN(found[i * c]));
  if (unknown >= 0) {
    const names = model.covariates.join(", ");
    throw new BadInput(
      `${table.where}: unit ${places.labels[unknown]} has no row; expected one with ${names} for each unit`,
    );
  }
  return found;
}

/** A sentence about the observations that condition, where the model has lags, in a list. */
function conditioning(model, data) {
  if (!model.lags) return [];
  const counts = countsOf(data);
  const sequence = data.sequence ?? existsOf(data).map(Number);
  const whole = Array.from(counts, (count, i) => count > 0 && !lacksAny(data, i));
  const complete = (i) =>
    Array.from({ length: model.lags }, (_, k) => i - k - 1).every(
      (j) => j >= 0 && whole[j] && sequence[j] === sequence[i],
    );
  const given = Array.from(counts.keys()).filter((i) => counts[i] > 0 && !complete(i)).length;
  if (given === counts.filter((count) => count > 0).length) {
    throw new BadInput(
      `${model.name}: no unit follows ${model.lags} observed ones; expected some, for a model with lags`,
    );
  }
  return [
    `${given} observations have fewer than ${model.lags} before them: they are given, and say nothing of a state`,
  ];
}

function lacksAny({ p, d, components }, i) {
  return components !== null && components.subarray(i * p * d, (i + 1) * p * d).some((there) => !there);
}
