// Several people: a table of verdicts, from which each fit opens.

import { element, short, table } from "./dom.js";
import { symbol } from "./names.js";
import { tag } from "./result.js";
import { save, summaryOf } from "./saving.js";

/** The table of all data sets; `open` is called with the place of one. */
export function peopleOf(card, people, current, open) {
  const { parameters } = card.model;
  const header = [
    "data set",
    "verdict",
    ...card.labels.map((l) => `${l}, %`),
    ...parameters.map(([name]) => symbol(name)),
    "reason",
  ];
  const rows = people.map((person, place) => {
    const { name, fit, problem } = person;
    if (!fit) {
      return element(
        "tr",
        {},
        element("th", { scope: "row" }, String(name)),
        element("td", {}, problem ? element("span", { class: "tag bad" }, "refused") : "…"),
        element("td", { class: "words", colspan: header.length - 2 }, problem ?? ""),
      );
    }
    const opener = element(
      "button",
      { type: "button", class: "small", onclick: () => open(place), "aria-pressed": String(place === current) },
      String(name),
    );
    return element(
      "tr",
      { class: place === current ? "open" : null },
      element("th", { scope: "row" }, opener),
      element("td", {}, tag(fit)),
      shares(card, fit).map((share) => element("td", {}, share)),
      fit.parameters.map((p) =>
        element("td", { title: `95 % interval ${short(p.low)} to ${short(p.high)}` }, short(p.mean)),
      ),
      element("td", { class: "words" }, [...fit.shared, fit.reason].join("; ")),
    );
  });
  const saving = element(
    "button",
    { type: "button", onclick: () => save("summary.csv", summaryOf(card.model, people)) },
    "Save this table, with intervals",
  );
  return [
    element("h2", { id: "people-title" }, `${people.length} data sets`),
    table("Verdict, mean share of each state and posterior means; open one by its name", header, rows),
    element("div", { class: "row" }, saving),
  ];
}

function shares(card, fit) {
  const k = card.labels.length;
  return card.labels.map((_, j) => {
    let total = 0;
    for (let i = j; i < fit.states.mean.length; i += k) total += fit.states.mean[i];
    return String(Math.round((100 * total * k) / fit.states.mean.length));
  });
}
