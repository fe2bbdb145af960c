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

/** A parameter as an element. */
export function symbol(name) {
  const [stem, ...index] = name.split("_");
  const letter = GREEK[stem] ?? stem;
  return element("span", { title: name }, letter, index.length ? element("sub", {}, index.join("_")) : null);
}
