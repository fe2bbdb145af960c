// A figure as a picture to keep: on white, twice as fine as a screen, with the name of the data and what each line is.

import uPlot from "uplot";

import { axesOf, colour } from "./charts.js";

/** Pixels of the picture for each of the page, and heights of its lines of text. */
const [FINE, TITLE, LEGEND, EDGE] = [2, 34, 26, 14];

/** The charts of a figure one above the other, as a PNG; `title` is the name of the data. */
export async function pictureOf({ parts, host }, title) {
  const root = document.documentElement;
  root.dataset.light = "true"; // whatever the colours of the page, those of a picture are for paper
  const scale = FINE / devicePixelRatio;
  const plots = parts.map(({ chart, plot }) => drawnAnew(chart, plot, host.clientWidth, scale));
  try {
    await null; // a chart is drawn once the script that made it rests
    return composed(plots, parts, [title, parts[0].chart.title].filter(Boolean).join(": "));
  } finally {
    for (const plot of plots) plot.destroy();
    delete root.dataset.light;
  }
}

/** The same chart with everything larger by a factor, over the same range. */
function drawnAnew(chart, shown, width, scale) {
  const thick = (series) => {
    const points = series.points && { ...series.points, size: (series.points.size ?? 4) * scale };
    return { ...series, width: (series.width ?? 1) * scale, ...(points && { points }) };
  };
  const { min, max } = shown.scales.x;
  const options = {
    width: width * scale,
    height: chart.height * scale,
    series: chart.series.map(thick),
    bands: chart.bands,
    cursor: { show: false },
    legend: { show: false },
    scales: { x: { time: false, range: [min, max] }, y: chart.range ? { range: chart.range } : {} },
    axes: axesOf(chart, scale),
  };
  return new uPlot(options, chart.data, document.createElement("div"));
}

function composed(plots, parts, title) {
  const sources = plots.map((plot) => plot.ctx.canvas);
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(...sources.map((s) => s.width));
  canvas.height = (TITLE + EDGE + LEGEND * parts.length) * FINE + sources.reduce((total, s) => total + s.height, 0);
  const context = canvas.getContext("2d");
  context.fillStyle = colour("paper");
  context.fillRect(0, 0, canvas.width, canvas.height);
  context.textBaseline = "middle";
  write(context, title, EDGE, TITLE / 2 + 4, "600 15px");
  let top = TITLE * FINE;
  sources.forEach((source, i) => {
    legend(context, parts[i].chart, top / FINE + LEGEND / 2);
    context.drawImage(source, 0, top + LEGEND * FINE);
    top += LEGEND * FINE + source.height;
  });
  const [, text] = canvas.toDataURL("image/png").split(",");
  return new Blob([Uint8Array.from(atob(text), (c) => c.charCodeAt(0))], { type: "image/png" });
}

/** Text at a place in pixels of the page; where it ends. */
function write(context, text, left, middle, font) {
  context.font = `${font} system-ui, sans-serif`.replace(/(\d+)px/, (_, size) => `${size * FINE}px`);
  context.fillStyle = colour("ink");
  context.fillText(text, left * FINE, middle * FINE);
  return left + context.measureText(text).width / FINE;
}

/** Which line is what. */
function legend(context, { series, bands }, middle) {
  let left = 56;
  for (const { label, stroke } of series.slice(1).filter((one) => one.label !== "edge")) {
    context.fillStyle = stroke();
    context.fillRect(left * FINE, (middle - 2) * FINE, 18 * FINE, 4 * FINE);
    const words = bands.length && label !== "observed" ? `${label}, with 95 % band` : label;
    left = write(context, words, left + 24, middle, "13px") + 20;
  }
}
