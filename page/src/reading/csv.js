// The text of a CSV file becomes a table: separators and decimal commas are found, surplus is refused in one line.
//
//     {where, header, index, columns: {name: {values, decimals}}}
//
// `index` is the number of each row in its file, as an editor counts lines; a value is a number, text, a truth value
// or null where there is none.

import Papa from "papaparse";

import { columnOf } from "./column.js";
import { BadInput } from "./problem.js";
import { quoted } from "./format.js";

const SEPARATORS = [",", ";", "\t"];

/** The table in a text; `wanted` are columns that will be asked for, `numbers` those that may have decimal commas. */
export function tableOf(text, where, wanted, numbers) {
  let records = recordsOf(where, text);
  while (records.length && !records[0].text.trim()) records.shift();
  const declared = records.length && /^"?sep=(.)"?$/.exec(records[0].text);
  if (declared) records.shift();
  if (!records.length) throw new BadInput(`${where}: empty; expected a CSV file with ${wanted.join(", ")}`);
  const separator = declared ? declared[1] : separatorOf(records[0].text, wanted);
  records = records.filter(({ text: record }) => stripped(record, blank(separator)));
  const rows = even(where, records, separator);
  const names = rows[0];
  for (const name of wanted) {
    const times = names.filter((n) => n === name).length;
    if (times > 1) throw new BadInput(`${where}, row ${records[0].row}: ${times} columns ${name}; expected one`);
  }
  const columns = {};
  names.forEach((name, j) => {
    const values = rows.slice(1).map((row) => row[j] ?? "");
    columns[uniqueName(columns, name, j)] = columnOf(
      values,
      separator !== "," && numbers.includes(name),
      separator === ";",
      {
        where,
        name,
        index: records.slice(1).map((r) => r.row),
      },
    );
  });
  return { where, header: records[0].row, index: records.slice(1, rows.length).map((r) => r.row), columns };
}

function uniqueName(columns, name, j) {
  let found = name || `Unnamed: ${j}`;
  for (let i = 1; found in columns; i += 1) found = `${name}.${i}`;
  return found;
}

/** {row, text} of each record; a quoted value may go on in the next line. */
function recordsOf(where, text) {
  const found = [];
  let [held, first, open] = [[], 0, false];
  text.split("\n").forEach((line, i) => {
    if (!open) first = i + 1;
    if ((line.split('"').length - 1) % 2) open = !open;
    held.push(line);
    if (!open) {
      found.push({ row: first, text: held.join("\n") });
      held = [];
    }
  });
  if (open) throw new BadInput(`${where}, row ${first}: a quotation mark that is not closed; expected pairs of them`);
  return found;
}

const blank = (separator) => " \t".replace(separator, "");

function stripped(text, characters) {
  let [start, end] = [0, text.length];
  while (start < end && characters.includes(text[start])) start += 1;
  while (end > start && characters.includes(text[end - 1])) end -= 1;
  return text.slice(start, end);
}

/** Values of a record, as text. */
function fieldsOf(record, separator) {
  if (!record.includes('"')) return record.split(separator).map((field) => field.trim());
  const tidy = record.replaceAll(new RegExp(`(^|[${separator === "\t" ? "\\t" : separator}]) +"`, "g"), '$1"');
  return (Papa.parse(tidy, { delimiter: separator, newline: "\u0001" }).data[0] ?? [""]).map((field) => field.trim());
}

/** The separator under which a header has most of the columns that are wanted, else most columns. */
function separatorOf(header, wanted) {
  const worth = (separator) => {
    const names = fieldsOf(header, separator);
    return [wanted.filter((name) => names.includes(name)).length, names.length];
  };
  return SEPARATORS.reduce((best, separator) => {
    const [ours, theirs] = [worth(separator), worth(best)];
    return ours[0] > theirs[0] || (ours[0] === theirs[0] && ours[1] > theirs[1]) ? separator : best;
  });
}

/** Rows without what spreadsheets leave behind the last column and the last row; other surplus is refused. */
function even(where, records, separator) {
  const edge = separator + blank(separator);
  while (records.length > 1 && !stripped(records.at(-1).text, `${edge}"`)) records.pop();
  const header = records[0].text.slice(0, records[0].text.length - trailing(records[0].text, edge));
  const names = fieldsOf(header, separator);
  return [
    names,
    ...records.slice(1).map(({ row, text }) => {
      const values = fieldsOf(text, separator);
      if (values.slice(names.length).some(Boolean)) {
        const hint = separator === "," ? " (decimal commas need semicolons or tabs between values)" : "";
        throw new BadInput(
          `${where}, row ${row}: ${values.length} values; expected ${names.length} as in row ${records[0].row}: ` +
            `${names.map(quoted).join(", ")}${hint}`,
        );
      }
      return values;
    }),
  ];
}

function trailing(text, characters) {
  let count = 0;
  while (count < text.length && characters.includes(text[text.length - 1 - count])) count += 1;
  return count;
}
