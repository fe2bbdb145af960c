// Files that a visitor keeps: tables as CSV, figures as PNG; they are made here and go nowhere.

/** Offer a file to save. */
export function save(name, content) {
  const blob = content instanceof Blob ? content : new Blob([content], { type: "text/csv;charset=utf-8" });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

const field = (value) => {
  const text = value === null || value === undefined ? "" : String(value);
  return /[",\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
};

/** Text of a table of rows. */
export const csvOf = (rows) => `${rows.map((row) => row.map(field).join(",")).join("\n")}\n`;

/** A name that any system takes for a file. */
export const fileName = (name) =>
  String(name)
    .replace(/\.(csv|tsv|txt)(\.gz)?$/i, "")
    .replaceAll(/[^\p{L}\p{N}_.-]+/gu, "_")
    .slice(0, 100);

/** Posterior draws, one a row. */
export function drawsOf(model, { theta }) {
  const width = model.parameters.length;
  const rows = [model.parameters.map(([name]) => name)];
  for (let s = 0; s < theta.length; s += width) rows.push(Array.from(theta.subarray(s, s + width)));
  return csvOf(rows);
}

/** Mean, sd and quantiles of each parameter. */
export function parametersOf({ parameters }) {
  const rows = parameters.map((p) => [p.name, p.mean, p.sd, p.low, p.median, p.high]);
  return csvOf([["parameter", "mean", "sd", "2.5%", "median", "97.5%"], ...rows]);
}

/** Probability of each state for every unit, with 95 % bands. */
export function statesOf(card, fit) {
  const { mean, low, high } = fit.states;
  const [k, counts] = [card.labels.length, observedUnits(fit.data)];
  const missing = counts.some((there) => !there);
  const header = [
    "unit",
    ...card.labels.flatMap((s) => [`P(${s})`, `${s}, low`, `${s}, high`]),
    ...(missing ? ["observed"] : []),
  ];
  const rows = fit.labels.map((label, i) => {
    const values = card.labels.flatMap((_, j) => [mean, low, high].map((part) => part[i * k + j]));
    return [label, ...values, ...(missing ? [counts[i] ? "True" : "False"] : [])];
  });
  return csvOf([header, ...rows]);
}

/** Whether each unit was observed. */
export function observedUnits({ n, p, mask }) {
  return Array.from({ length: n }, (_, i) => mask.subarray(i * p, (i + 1) * p).some((m) => m > 0));
}

/** One row for each data set: verdict, then mean, sd and interval of every parameter, k-hat and reason. */
export function summaryOf(model, people) {
  const each = model.parameters.flatMap(([name]) => ["mean", "sd", "2.5%", "97.5%"].map((what) => `${name} ${what}`));
  const header = ["data set", "verdict", ...each, "log_evidence", "pareto_k", "mmd_p", "reason"];
  const rows = people.map(({ name, fit, problem }) => {
    if (!fit) return [name, "not fitted", ...each.map(() => ""), "", "", "", problem];
    const values = fit.parameters.flatMap((p) => [p.mean, p.sd, p.low, p.high]);
    return [name, fit.verdict, ...values, fit.said.log_evidence, fit.said.pareto_k, fit.said.mmd_p, fit.reason];
  });
  return csvOf([header, ...rows]);
}
