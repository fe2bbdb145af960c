// Parameters with names, units and intervals, and the shape of each posterior.

import { drawing, element, short, table } from "./dom.js";
import { symbol } from "./names.js";

const [WIDTH, HEIGHT, BINS] = [120, 26, 24];

/** The table of parameters. */
export function parameterTable(card, fit) {
  const rows = fit.parameters.map((p, j) =>
    element(
      "tr",
      {},
      element("th", { scope: "row" }, symbol(p.name), p.unit ? ` (${p.unit})` : ""),
      element("td", {}, short(p.mean)),
      element("td", {}, short(p.sd)),
      element("td", {}, `${short(p.low)} to ${short(p.high)}`),
      element("td", {}, shape(card.model.parameters.length, fit.theta, j, p)),
    ),
  );
  return table(
    "Posterior mean, standard deviation and 95 % interval",
    ["parameter", "mean", "sd", "95 % interval", "posterior"],
    rows,
  );
}

/** A small histogram of draws with its interval below. */
function shape(width, theta, j, { low, high, name }) {
  const values = Array.from({ length: theta.length / width }, (_, s) => theta[s * width + j]);
  const [from, to] = [Math.min(...values), Math.max(...values)];
  const place = (value) => (to > from ? ((value - from) / (to - from)) * WIDTH : WIDTH / 2);
  const counts = new Array(BINS).fill(0);
  for (const value of values) counts[Math.min(Math.floor((place(value) / WIDTH) * BINS), BINS - 1)] += 1;
  const most = Math.max(...counts);
  const points = counts.map((c, i) => `${((i + 0.5) * WIDTH) / BINS},${HEIGHT - 6 - (c / most) * (HEIGHT - 8)}`);
  const path = `M0,${HEIGHT - 6} L${points.join(" L")} L${WIDTH},${HEIGHT - 6} Z`;
  return drawing(
    "svg",
    {
      width: WIDTH,
      height: HEIGHT,
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      role: "img",
      "aria-label": `shape of the posterior of ${name}`,
    },
    drawing("path", { d: path, class: "spark" }),
    drawing("line", { x1: place(low), x2: place(high), y1: HEIGHT - 2, y2: HEIGHT - 2, class: "interval" }),
  );
}
