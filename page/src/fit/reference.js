// Values far outside anything simulated: in milliseconds, say, or of another kind.

import { general } from "../reading/format.js";
import { kindOf } from "../reading/kinds.js";
import { seenOf } from "./data.js";

/** Sentences about them; `far` is a share of the width of the simulated range. */
export function farOutside(card, table, far) {
  const { data, labels } = table;
  const seen = seenOf(data);
  return Object.entries(card.model.columns).flatMap(([column, known], j) => {
    const { feature } = kindOf(known);
    const beyond = outside(card.reference.values[j], far);
    const all = [];
    const found = [];
    for (let i = j; i < seen.length; i += data.d) {
      if (!(seen[i] > 0)) continue;
      all.push(feature(data.y[i]));
      if (beyond(all.at(-1))) found.push(i);
    }
    if (found.length) {
      const unit = labels[Math.floor(found[0] / data.d / data.p)];
      const others = found.length > 1 ? `, as are ${found.length - 1} others` : "";
      return [
        `${column} of unit ${unit} is ${general(data.y[found[0]])}, far outside all simulated data sets${others}`,
      ];
    }
    const centre = all.reduce((a, b) => a + b, 0) / all.length;
    return outside(card.reference.means[j], far)(centre)
      ? [`the mean of ${column} is far outside those of all simulated data sets`]
      : [];
  });
}

function outside([low, high], far) {
  const margin = far * (high - low);
  return (value) => value < low - margin || value > high + margin;
}
