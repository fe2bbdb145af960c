// Numbers and values in words, as Python writes them in messages.

/** Python's `g`: so many digits, an exponent where the number is very large or small. */
export function general(value, digits = 6) {
  if (!Number.isFinite(value)) return Number.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
  if (value === 0) return Object.is(value, -0) ? "-0" : "0";
  const [mantissa, power] = value.toExponential(digits - 1).split("e");
  const exponent = Number(power);
  const short = (text) => (text.includes(".") ? text.replace(/\.?0+$/, "") : text);
  if (exponent < -4 || exponent >= digits) return `${short(mantissa)}e${signed(exponent)}`;
  return short(value.toFixed(Math.max(digits - 1 - exponent, 0)));
}

const signed = (exponent) => `${exponent < 0 ? "-" : "+"}${String(Math.abs(exponent)).padStart(2, "0")}`;

/** Python's `.0%`. */
export const percent = (share) => `${(100 * share).toFixed(0)}%`;

/** A range as text: 8 for [8, 8], 1 to 8 for [1, 8]. */
export const span = ([low, high]) => (low === high ? `${low}` : `${low} to ${high}`);

/** Text in quotation marks. */
export function quoted(text) {
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  const inside = text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n").replaceAll("\t", "\\t");
  return mark + (mark === "'" ? inside.replaceAll("'", "\\'") : inside) + mark;
}

/** A value of a table: numbers of a column of decimals have a point. */
export function shown(value, column) {
  if (typeof value === "boolean") return value ? "True" : "False";
  if (value === null) return "nan";
  if (typeof value === "string") return quoted(value);
  return column.decimals ? decimal(value) : String(value);
}

/** A number as Python writes decimals. */
export function decimal(value) {
  if (Number.isNaN(value)) return "nan";
  if (!Number.isFinite(value)) return value > 0 ? "inf" : "-inf";
  const size = Math.abs(value);
  if (size !== 0 && (size < 1e-4 || size >= 1e16)) {
    const [mantissa, power] = value.toExponential().split("e");
    return `${mantissa}e${signed(Number(power))}`;
  }
  return Number.isInteger(value) ? value.toFixed(1) : String(value);
}
