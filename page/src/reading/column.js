// One column of text becomes numbers, truth values or words, as a whole.

import { quoted } from "./format.js";
import { BadInput } from "./problem.js";

/** What stands where there is no value. */
const EMPTY = new Set([
  ...["", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>", "N/A", "NA"],
  ...["NULL", "NaN", "None", "n/a", "nan", "null"],
]);
const NUMBER = /^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$/;
const WHOLE = /^[+-]?\d+$/;
const ENDLESS = /^[+-]?inf(inity)?$/i;
const TRUTH = { true: true, True: true, TRUE: true, false: false, False: false, FALSE: false };
const COMMA = /^[+-]?\d*,\d+(?:[eE][+-]?\d+)?$/;
const POINT = /^[+-]?\d*\.\d+(?:[eE][+-]?\d+)?$/;
const THOUSANDS = /^[+-]?[1-9]\d{0,2}(?:,\d{3})+$/;

/** A text as number; NaN for one that is none. */
export function numberOf(text) {
  const tidy = text.trim();
  if (NUMBER.test(tidy)) return Number(tidy);
  return ENDLESS.test(tidy) ? (tidy.startsWith("-") ? -Infinity : Infinity) : NaN;
}

/** {values, decimals} of texts; `commas` says whether decimal commas may be read, and `sure` that they are none of thousands. */
export function columnOf(texts, commas, sure, place) {
  const there = texts.filter((text) => !EMPTY.has(text));
  const isNumber = (text) => NUMBER.test(text) || ENDLESS.test(text);
  if (there.every(isNumber)) {
    const decimals = there.length < texts.length || !there.every((text) => WHOLE.test(text));
    return { values: texts.map((text) => (EMPTY.has(text) ? null : numberOf(text))), decimals };
  }
  if (there.every((text) => text in TRUTH)) {
    return { values: texts.map((text) => (EMPTY.has(text) ? null : TRUTH[text])), decimals: false };
  }
  const values = texts.map((text) => (EMPTY.has(text) ? null : text));
  return commas ? withPoints(values, sure, place) : { values, decimals: false };
}

/** A column of text with points for its decimal commas: between tabs 1,234 may as well be a thousand. */
function withPoints(values, sure, { where, name, index }) {
  const text = values.map((value) => (value ?? "").trim());
  const commas = new Set(text.filter((value) => COMMA.test(value)));
  if (!commas.size || !(sure || [...commas].some((value) => !THOUSANDS.test(value))))
    return { values, decimals: false };
  const bad = text.findIndex((value) => POINT.test(value));
  if (bad >= 0) {
    throw new BadInput(
      `${where}, row ${index[bad]}: ${name} is ${quoted(text[bad])}, and others have decimal commas; expected one of the two`,
    );
  }
  const points = values.map((value, i) => (commas.has(text[i]) ? text[i].replace(",", ".") : value));
  const numbers = points.map((value) => (value === null ? null : numberOf(value)));
  const clean = numbers.every((value) => value === null || !Number.isNaN(value));
  return clean ? { values: numbers, decimals: true } : { values: points, decimals: false };
}

/** Values of a column as numbers: NaN for what is none, null where there is no value. */
export const asNumbers = (column) =>
  column.values.map((value) => (value === null ? null : typeof value === "string" ? numberOf(value) : Number(value)));
