// Names of parameters as a reader knows them: rho_11 as a Greek letter with its index.

import { element } from "./dom.js";

const GREEK = {
  alpha: "α",
  beta: "β",
  gamma: "γ",
  delta: "δ",
  epsilon: "ε",
  theta: "θ",
  kappa: "κ",
  lambda: "λ",
  mu: "μ",
  nu: "ν",
  pi: "π",
  rho: "ρ",
  sigma: "σ",
  tau: "τ",
  phi: "φ",
  psi: "ψ",
  omega: "ω",
};

/** What a row of a table is to a model, in words, and what its column `unit` says. */
export function rowOf({ model }) {
  const several = model.design.observations[1] > 1;
  const order = model.dependent ? ", in their order" : "";
  return several
    ? {
        words: `a row is an observation, and several may belong to one unit${order}`,
        unit: "to which unit a row belongs",
      }
    : { words: `a row is a unit, such as a trial${order}`, unit: "the name of a unit" };
}

/** What a column means, in few words of the card: a response time in seconds. */
export function meaningOf(card, name) {
  const words = card.expected[name] ?? rowOf(card).unit;
  return words.replace(/ \([^)]*\?\)/, "").split(",")[0];
}

/** A parameter as an element. */
export function symbol(name) {
  const [stem, ...index] = name.split("_");
  const letter = GREEK[stem] ?? stem;
  return element("span", { title: name }, letter, index.length ? element("sub", {}, index.join("_")) : null);
}
