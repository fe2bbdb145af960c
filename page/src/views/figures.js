// Which series each figure has: states over units, and observed values beside the fitted model.

import uPlot from "uplot";

import { kindOf } from "../reading/kinds.js";
import { colour, figure } from "./charts.js";
import { short } from "./dom.js";

const nan = (value) => (Number.isFinite(value) ? value : null);
const stateColour = (k) => `state-${k % 5}`;

/** Data, and probabilities of the states of every unit. */
export function statesFigure(card, fit, name) {
  const x = fit.labels.map((_, i) => i + 1);
  const unit = card.model.dependent ? "trial or unit, in order" : "unit";
  const words = `Data, and probabilities of the states of ${fit.labels.length} units; the table of states has the numbers`;
  const label = (_, i) => (i === null || i === undefined ? "–" : String(fit.labels[Math.round(i) - 1] ?? i));
  return figure(words, name, [dataChart(card, fit, x, label), probabilityChart(card, fit, x, label, unit)]);
}

function dataChart(card, fit, x, label) {
  const columns = Object.keys(card.model.columns).filter((c) => kindOf(card.model.columns[c]).name !== "Choice");
  const column = columns[0] ?? Object.keys(card.model.columns)[0];
  const j = Object.keys(card.model.columns).indexOf(column);
  const { n, p, d, y, mask } = fit.data;
  const means = Array.from({ length: n }, (_, i) => {
    const there = Array.from({ length: p }, (_, r) => i * p + r).filter((r) => mask[r] > 0);
    return there.length ? there.reduce((sum, r) => sum + y[r * d + j], 0) / there.length : null;
  });
  const title = p > 1 ? `mean ${column}` : column;
  const value = (_, v) => (v === null ? "–" : short(v));
  return {
    height: 170, y: title, data: [x, means], bands: [],
    series: [
      { label: "unit", value: label },
      { label: title, value, stroke: () => colour("data"), width: card.model.dependent ? 1 : 0, spanGaps: false,
        points: { show: true, size: 4, fill: () => colour("data"), stroke: () => colour("data") } },
    ],
  };
}

function probabilityChart(card, fit, x, label, unit) {
  const k = card.labels.length;
  const pick = (part, j) => x.map((_, i) => nan(fit.states[part][i * k + j]));
  const series = [{ label: "unit", value: label }];
  const [data, bands] = [[x], []];
  const value = (_, v) => (v === null ? "–" : v.toFixed(3));
  // with two states one is the other's rest
  const shown = k === 2 ? [1] : card.labels.map((_, j) => j);
  for (const j of shown) {
    const [stroke, faint] = [() => colour(stateColour(j)), () => colour(stateColour(j), "33")];
    bands.push({ series: [data.length + 1, data.length], fill: faint });
    for (const [part, ending] of [["low", "2.5%"], ["high", "97.5%"], ["mean", ""]]) {
      const name = `P(${card.labels[j]})${ending ? `, ${ending}` : ""}`;
      series.push({ label: name, value, stroke: part === "mean" ? stroke : faint, width: part === "mean" ? 1.6 : 0.5, points: { show: false } });
      data.push(pick(part, j));
    }
  }
  return { height: 230, x: unit, y: "probability", range: [-0.02, 1.02], data, series, bands };
}

/** Observed values beside their density under the fitted model. */
export function predictiveFigures(pictures, name) {
  const most = Math.max(...pictures.flatMap((p) => [...p.high, ...p.observed].filter(Number.isFinite))) * 1.05;
  return pictures.map((picture) => {
    const { column, other, code, points, edges } = picture;
    const title = code === null ? column : `${column} where ${other} is ${code}`;
    const step = points.map((v) => picture.observed[Math.max(edges.findIndex((e) => e > v) - 1, 0)] ?? 0);
    const value = (_, v) => (v === null ? "–" : short(v));
    const line = { value, points: { show: false } };
    const faint = () => colour("state-1", "44");
    const series = [
      { label: column, value },
      { ...line, label: "observed", stroke: () => colour("data"), fill: () => colour("data", "44"), paths: steps() },
      { ...line, label: "2.5%", stroke: faint, width: 0.5 },
      { ...line, label: "97.5%", stroke: faint, width: 0.5 },
      { ...line, label: "model", stroke: () => colour("state-1"), width: 2 },
    ];
    const words = `Observed values of ${title} beside their density under the fitted model`;
    const chart = {
      title, height: 230, x: column, y: picture.counts ? "probability" : "density", range: [0, most], series,
      data: [points, step, picture.low, picture.high, picture.mean], bands: [{ series: [3, 2], fill: faint }],
    };
    return figure(words, `${name}_predictive_${column}${code === null ? "" : `_${code}`}`, [chart], { zoom: false });
  });
}

const steps = () => uPlot.paths.stepped({ align: 1 });
