// Which series each figure has: states over units, and observed values beside the fitted model.

import uPlot from "uplot";

import { kindOf } from "../reading/kinds.js";
import { colour, figure } from "./charts.js";
import { short } from "./dom.js";

const nan = (value) => (Number.isFinite(value) ? value : null);
const stateColour = (k) => `state-${k % 5}`;

/** Data, and probabilities of the states of every unit: over units where they are a chain, else over their data. */
export function statesFigure(card, fit, stem, data) {
  const name = `${stem}_states`;
  const { title, means } = unitMeans(card, fit);
  const words = `Probabilities of the states of ${fit.labels.length} units; the table of states has the numbers`;
  if (!card.model.dependent) {
    const order = fit.labels
      .map((_, i) => i)
      .filter((i) => means[i] !== null)
      .sort((i, j) => means[i] - means[j]);
    const x = order.map((i) => means[i]);
    return figure(words, name, data, [probabilityChart(card, fit, x, order, title, { label: title, value: number })]);
  }
  const order = fit.labels.map((_, i) => i);
  const x = order.map((i) => i + 1);
  const unit = { label: "unit", value: (_, v) => (v === null ? "–" : String(fit.labels[Math.round(v) - 1] ?? v)) };
  return figure(`Data above, ${words}`, name, data, [
    { ...dataChart(title, means, x, unit), whole: true },
    { ...probabilityChart(card, fit, x, order, "units, in order", unit), whole: true },
  ]);
}

const number = (_, value) => (value === null ? "–" : short(value));

/** Mean of the first column of numbers of every unit, null where nothing was observed. */
function unitMeans(card, fit) {
  const names = Object.keys(card.model.columns);
  const column = names.find((c) => kindOf(card.model.columns[c]).name !== "Choice") ?? names[0];
  const j = names.indexOf(column);
  const { n, p, d, y, mask } = fit.data;
  const means = Array.from({ length: n }, (_, i) => {
    const there = Array.from({ length: p }, (_, r) => i * p + r).filter((r) => mask[r] > 0);
    return there.length ? there.reduce((sum, r) => sum + y[r * d + j], 0) / there.length : null;
  });
  return { title: p > 1 ? `mean ${column}` : column, means };
}

function dataChart(title, means, x, unit) {
  const stroke = () => colour("data");
  const points = { show: true, size: 4, fill: stroke, stroke };
  return {
    height: 170,
    y: title,
    data: [x, means],
    bands: [],
    series: [unit, { label: title, value: number, stroke, points }],
  };
}

/** Mean and band of the probability of each state, for units in an order. */
function probabilityChart(card, fit, x, order, words, first) {
  const k = card.labels.length;
  const pick = (part, j) => order.map((i) => nan(fit.states[part][i * k + j]));
  const [series, data, bands] = [[first], [x], []];
  // with two states one is the other's rest
  const shown = k === 2 ? [1] : card.labels.map((_, j) => j);
  for (const j of shown) {
    const [stroke, faint] = [() => colour(stateColour(j)), () => colour(stateColour(j), "33")];
    const [low, high] = [pick("low", j), pick("high", j)];
    const value = (_, v, at, i) =>
      v === null || i === null ? "–" : `${v.toFixed(3)} (${low[i]?.toFixed(3)} to ${high[i]?.toFixed(3)})`;
    bands.push({ series: [data.length + 1, data.length], fill: faint });
    for (const values of [low, high]) {
      series.push({ label: "edge", class: "edge", stroke: faint, width: 0.5, points: { show: false } });
      data.push(values);
    }
    series.push({ label: `P(${card.labels[j]})`, value, stroke, width: 1.6, points: { show: false } });
    data.push(pick("mean", j));
  }
  return { height: 230, x: words, y: "probability", range: [-0.02, 1.02], data, series, bands };
}

/** Observed values beside their density under the fitted model. */
export function predictiveFigures(pictures, name, data) {
  const most = Math.max(...pictures.flatMap((p) => [...p.high, ...p.observed].filter(Number.isFinite))) * 1.05;
  return pictures.map((picture) => {
    const { column, other, code, points, edges } = picture;
    const title = code === null ? column : `${column} where ${other} is ${code}`;
    const step = points.map((v) => picture.observed[Math.max(edges.findIndex((e) => e > v) - 1, 0)] ?? 0);
    const line = { value: number, points: { show: false } };
    const faint = () => colour("state-1", "44");
    const series = [
      { label: column, value: number },
      {
        ...line,
        label: "observed",
        stroke: () => colour("data"),
        fill: () => colour("data", "44"),
        width: 0,
        paths: bars(),
      },
      { ...line, label: "edge", class: "edge", stroke: faint, width: 0.5 },
      { ...line, label: "edge", class: "edge", stroke: faint, width: 0.5 },
      { ...line, label: "model", stroke: () => colour("state-1"), width: 2 },
    ];
    const words = `Observed values of ${title} beside their density under the fitted model`;
    const chart = {
      title,
      height: 230,
      x: column,
      y: picture.counts ? "probability" : "density",
      range: [0, most],
      series,
      whole: picture.counts,
      data: [points, step, picture.low, picture.high, picture.mean],
      bands: [{ series: [3, 2], fill: faint }],
    };
    const file = `${name}_predictive_${column}${code === null ? "" : `_${code}`}`;
    return figure(words, file, data, [chart], { zoom: false });
  });
}

const bars = () => uPlot.paths.bars({ size: [1, Infinity], align: 0, gap: 0 });
