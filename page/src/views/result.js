// One fit: the verdict first, in words; then states, parameters, the predictive check, and how it was made.

import { ADVICE, CAUTION, USABLE, inWords, restOf } from "../fit/verdict.js";
import { element, short, table } from "./dom.js";
import { predictiveFigures, statesFigure } from "./figures.js";
import { parameterTable } from "./parameters.js";
import { drawsOf, fileName, parametersOf, save, statesOf } from "./saving.js";

/** How far a fit can be trusted, as a colour: where something was found that a reader has to judge, it is not green. */
const colourOf = ({ verdict, concerns, shared }) =>
  !USABLE.includes(verdict) ? "bad" : concerns.length + shared.length ? "care" : "good";

const SAID = {
  good: "this fit can be used",
  care: "read this before you use the fit",
  bad: "do not use this fit",
  half: "use the parameters of this fit, not its states",
};

/** A word of a verdict as it stands in tables. */
export const tag = (fit) => element("span", { class: `tag ${colourOf(fit)}` }, fit.verdict);

/** Everything about one fit, as elements. */
export function resultOf(card, name, fit) {
  const stem = fileName(name) || "data";
  return [
    element("h2", { id: "result-title", tabindex: "-1" }, `${name}: ${card.title}`),
    verdictOf(fit),
    sentences(fit),
    savingOf(card, fit, stem),
    element("h3", {}, "States"),
    element("p", {}, shares(card, fit)),
    statesFigure(card, fit, stem, name),
    statesTable(card, fit),
    element("h3", {}, "Parameters"),
    parameterTable(card, fit),
    element("h3", {}, "Does the model describe the data?"),
    element("div", { id: "predictive" }, element("p", { class: "soft" }, "…")),
    element("h3", {}, "How it was made"),
    element(
      "ul",
      {},
      madeOf(card, fit).map((sentence) => element("li", {}, sentence)),
    ),
  ];
}

function verdictOf(fit) {
  const { verdict, reason, concerns, shared } = fit;
  const colour = colourOf(fit);
  const half = verdict === "MCMC" && fit.states.wrong;
  return element(
    "div",
    { class: `verdict ${colour}` },
    element("p", {}, element("b", {}, `${verdict}: ${SAID[half ? "half" : colour]}`)),
    [...shared, ...concerns].map((concern) => element("p", { class: "concern" }, `${concern}.`)),
    element("p", {}, restOf(reason, concerns)),
    element("p", {}, colour === "care" && concerns.length ? CAUTION : ADVICE[half ? "STATES" : verdict]),
  );
}

/** Warnings that the reason does not say already, and notes. */
function sentences({ warnings, notes, concerns, verdict, reason }) {
  const all = [
    ...warnings.filter((w) => !`${verdict}: ${reason}`.includes(w) && !concerns.includes(w)),
    ...notes.map((n) => `Not taken as an observation: ${n}`),
  ];
  return all.length
    ? element(
        "ul",
        {},
        [...new Set(all)].map((sentence) => element("li", {}, sentence)),
      )
    : null;
}

function savingOf(card, fit, stem) {
  const button = (words, ending, text) =>
    element("button", { type: "button", onclick: () => save(`${stem}_${ending}.csv`, text()) }, words);
  return element(
    "div",
    { class: "row" },
    button("Save parameters", "parameters", () => parametersOf(fit)),
    button("Save states", "states", () => statesOf(card, fit)),
    button("Save draws", "draws", () => drawsOf(card.model, fit)),
  );
}

/** How many units there are, and how they are spread over the states. */
function shares(card, fit) {
  const [k, n] = [card.labels.length, fit.labels.length];
  const { mean } = fit.states;
  const each = card.labels.map((label, j) => {
    let total = 0;
    for (let i = 0; i < n; i += 1) total += mean[i * k + j];
    return `${Math.round((100 * total) / n)} % ${label}`;
  });
  const sure = fit.labels.filter((_, i) => Math.max(...mean.subarray(i * k, (i + 1) * k)) > 0.95).length;
  const missing = fit.said.not_observed ? `, ${fit.said.not_observed} of them not observed` : "";
  return `${n} units${missing}: on average ${each.join(", ")}. The state of ${Math.round((100 * sure) / n)} % of them has a probability above 95 %.`;
}

/** The numbers of the figure, for those who read them in a table. */
function statesTable(card, fit) {
  const details = element("details", {}, element("summary", {}, "Table of states"));
  details.addEventListener("toggle", () => {
    if (!details.open || details.children.length > 1) return;
    const [k, { mean, low, high }] = [card.labels.length, fit.states];
    const rows = fit.labels.map((label, i) =>
      element(
        "tr",
        {},
        element("th", { scope: "row" }, label),
        card.labels.map((_, j) =>
          element(
            "td",
            {},
            `${mean[i * k + j].toFixed(3)} (${low[i * k + j].toFixed(3)} to ${high[i * k + j].toFixed(3)})`,
          ),
        ),
      ),
    );
    details.append(table("Probability of each state, with 95 % bands", ["unit", ...card.labels], rows));
  });
  return details;
}

/** Show the predictive check, once it is made. */
export function showPredictive(pictures, name) {
  const box = document.getElementById("predictive");
  if (!pictures.length) {
    box.replaceChildren(
      element("p", {}, "Of such columns this page makes no picture; in Python, fit.plot_predictive()."),
    );
    return;
  }
  const words = "Observed values, and the density of one more value under the fitted model with its 95 % band.";
  box.replaceChildren(
    element("p", {}, words),
    element("div", { class: "pictures" }, predictiveFigures(pictures, fileName(name) || "data", name)),
  );
}

/** Sentences about networks and draws. */
function madeOf(card, fit) {
  const { said } = fit;
  const found = [`model ${card.model.name}, prior ${fit.prior}; ${fit.draws} draws, seed ${fit.seed}`];
  const other = said.adapted ? ` of the networks, ${inWords(said.proposals_k)} of proposals adapted to the data` : "";
  found.push(
    `Pareto k-hat ${inWords(said.pareto_k)}${other}, ${said.proposals} proposals worth ${Math.round(said.proposals_ess)} draws`,
  );
  found.push(`log evidence ${said.log_evidence.toFixed(2)} ± ${said.log_evidence_se.toFixed(2)} nats`);
  if (said.mmd_p !== null) {
    found.push(`MMD p = ${said.mmd_p.toFixed(3)}: how many simulated data sets are as far from the others`);
  }
  found.push(`state probabilities over ${fit.states.draws} draws, error of a mean at most ${short(fit.states.error)}`);
  return found;
}
