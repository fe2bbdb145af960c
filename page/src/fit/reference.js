// Values far outside anything simulated: in milliseconds, say, or of another kind.

import { general } from "../reading/format.js";
import { kindOf } from "../reading/kinds.js";
import { existsOf, seenOf } from "./data.js";

/** Sentences about values and covariates; `far` is a share of the width of the simulated range. */
export function farOutside({ model, reference }, { data, labels }, far) {
  const seen = seenOf(data);
  const columns = Object.entries(model.columns).flatMap(([column, known], j) => {
    const { feature } = kindOf(known);
    const places = every(data.d, j, seen.length).filter((i) => seen[i] > 0);
    const values = places.map((i) => feature(data.y[i]));
    const beyond = outside(reference.values[j], far);
    const found = places.filter((_, i) => beyond(values[i]));
    if (found.length) return [named(column, data.y, found, labels, data.d * data.p)];
    const centre = values.reduce((a, b) => a + b, 0) / values.length;
    return outside(reference.means[j], far)(centre)
      ? [`the mean of ${column} is far outside those of all simulated data sets`]
      : [];
  });
  const exists = existsOf(data);
  const covariates = reference.covariates.flatMap((known, j) => {
    const beyond = outside(known, far);
    const places = every(data.c, j, data.x.length).filter((i) => exists[Math.floor(i / data.c)]);
    const found = places.filter((i) => beyond(data.x[i]));
    return found.length ? [named(model.covariates[j], data.x, found, labels, data.c)] : [];
  });
  return [...columns, ...covariates];
}

/** Places j, j + step, ... below an end. */
const every = (step, j, end) => Array.from({ length: Math.ceil((end - j) / step) }, (_, i) => j + i * step);

/** The first value that lies beyond, and how many others do; `width` is the number of places of a unit. */
function named(column, values, found, labels, width) {
  const unit = labels[Math.floor(found[0] / width)];
  const others = found.length > 1 ? `, as are ${found.length - 1} others` : "";
  return `${column} of unit ${unit} is ${general(values[found[0]])}, far outside all simulated data sets${others}`;
}

function outside([low, high], far) {
  const margin = far * (high - low);
  return (value) => value < low - margin || value > high + margin;
}
