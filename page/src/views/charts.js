// Charts by uPlot: hover to read, drag to zoom, buttons for the keyboard, and a picture to save.

import uPlot from "uplot";
import "uplot/dist/uPlot.min.css";

import { element } from "./dom.js";
import { pictureOf } from "./picture.js";
import { save } from "./saving.js";

const drawn = new Set();

/** A colour of the page's style, with transparency in hexadecimal digits. */
export function colour(name, alpha = "") {
  return getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim() + alpha;
}

/** Steps between ticks where there is nothing between whole numbers. */
const WHOLE = [0, 1, 2, 3, 4, 5, 6].flatMap((power) => [1, 2, 5].map((first) => first * 10 ** power));

/** Both axes of a chart; in a picture all is larger by a factor. */
export function axesOf(chart, scale = 1) {
  const axis = (label, size, space) => ({
    label,
    size: size * scale,
    space: space * scale,
    gap: 5 * scale,
    labelSize: 22 * scale,
    stroke: () => colour("ink"),
    grid: { stroke: () => colour("line"), width: scale },
    ticks: { stroke: () => colour("line"), width: scale, size: 10 * scale },
    font: `${12 * scale}px system-ui, sans-serif`,
    labelFont: `${13 * scale}px system-ui, sans-serif`,
  });
  return [{ ...axis(chart.x, 50, 50), ...(chart.whole && { incrs: WHOLE }) }, axis(chart.y, 56, 30)];
}

/**
 * A figure of one or several charts above each other with the same horizontal axis.
 *
 * Each chart has `series`, `bands`, `data`, `height`, `x` and `y` (words on the axes), and `whole` where x counts; `words`
 * are for those who cannot see it, `name` and `title` are those of a picture.
 */
export function figure(words, name, title, charts, { zoom = true } = {}) {
  const box = element("div", { class: "figure" });
  const host = element("div", { class: "chart", role: "img", "aria-label": words });
  const sync = uPlot.sync(`${name} ${Math.random()}`);
  const parts = charts.map((chart) => {
    const holder = element("div");
    host.append(holder);
    return { holder, chart, plot: null };
  });
  const draw = () => {
    for (const part of parts) {
      const { min, max } = part.plot?.scales.x ?? {};
      part.plot?.destroy();
      part.plot = new uPlot(
        optionsOf(part.chart, host.clientWidth || 600, sync, parts, zoom),
        part.chart.data,
        part.holder,
      );
      if (min !== undefined) part.plot.setScale("x", { min, max }); // drawn anew, it shows what it showed
    }
  };
  const found = { host, parts, draw };
  drawn.add(found);
  box.append(host, tools(found, name, title, zoom));
  requestAnimationFrame(draw);
  return box;
}

function optionsOf(chart, width, sync, parts, zoom) {
  let settling = false;
  const follow = (plot) => {
    if (settling || !zoom) return;
    settling = true;
    const { min, max } = plot.scales.x;
    for (const part of parts)
      if (part.plot && part.plot !== plot && differs(part.plot.scales.x, min, max))
        part.plot.setScale("x", { min, max });
    settling = false;
  };
  return {
    width,
    height: chart.height,
    title: chart.title,
    series: chart.series,
    bands: chart.bands,
    cursor: { sync: { key: sync.key }, drag: { x: zoom, y: false }, points: { size: 6 } },
    scales: { x: { time: false }, y: chart.range ? { range: chart.range } : {} },
    axes: axesOf(chart),
    legend: { show: chart.legend !== false },
    hooks: { setScale: [(plot, key) => key === "x" && follow(plot)] },
  };
}

const differs = (scale, min, max) => scale.min !== min || scale.max !== max;

function tools(found, name, title, zoom) {
  const button = (sign, words, onclick) =>
    element(
      "button",
      { type: "button", class: "small", title: words, onclick },
      element("span", { "aria-hidden": "true" }, sign),
      element("span", { class: "quiet" }, words),
    );
  const move = (change) => () => {
    const plot = found.parts[0].plot;
    const [first, last] = [plot.data[0][0], plot.data[0].at(-1)];
    const { min, max } = plot.scales.x;
    const [low, high] = change(min, max, max - min);
    const [from, to] = [Math.max(low, first), Math.min(high, last)];
    if (to > from) plot.setScale("x", { min: from, max: to });
  };
  const buttons = [
    button(
      "+",
      "Zoom in",
      move((a, b, w) => [a + w / 4, b - w / 4]),
    ),
    button(
      "−",
      "Zoom out",
      move((a, b, w) => [a - w / 2, b + w / 2]),
    ),
    button(
      "◀",
      "Earlier units",
      move((a, b, w) => (a - w / 2 < found.parts[0].plot.data[0][0] ? [-Infinity, -Infinity] : [a - w / 2, b - w / 2])),
    ),
    button(
      "▶",
      "Later units",
      move((a, b, w) =>
        b + w / 2 > found.parts[0].plot.data[0].at(-1) ? [Infinity, Infinity] : [a + w / 2, b + w / 2],
      ),
    ),
    button(
      "All",
      "All units",
      move(() => [-Infinity, Infinity]),
    ),
  ];
  const picture = button("Save figure", `Save figure ${name}`, async () =>
    save(`${name}.png`, await pictureOf(found, title)),
  );
  return element("div", { class: "row" }, zoom ? buttons : null, picture);
}

/** Forget figures that have left the page. */
export function tidy() {
  for (const found of drawn) {
    if (found.host.isConnected) continue;
    for (const part of found.parts) part.plot?.destroy();
    drawn.delete(found);
  }
}

let waiting = 0;
const redraw = () => {
  cancelAnimationFrame(waiting);
  waiting = requestAnimationFrame(() => {
    tidy();
    for (const found of drawn) found.draw();
  });
};
addEventListener("resize", redraw);
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", redraw);
