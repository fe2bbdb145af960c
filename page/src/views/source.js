// Where tables come from: files that are chosen or dropped, pasted rows, examples; and what each model wants of them.

import examples from "text:examples";

import { byId, element } from "./dom.js";
import { rowOf, symbol } from "./names.js";

/** Title of each example, and the model whose networks it needs. */
const EXAMPLES = {
  "one_person.csv": ["one person", "evidence_accumulation"],
  "three_people.csv": ["three people", "evidence_accumulation"],
  "chain.csv": ["a chain of two states", "gaussian_hmm"],
  "classes.csv": ["three classes", "gaussian_mixture"],
};

const encoded = (text, where) => [{ bytes: new TextEncoder().encode(text), where }];

/** Take what a visitor brings: `open` is called with [{bytes, where}, ...], `refuse` with what cannot be read at all. */
export function listen(open, refuse) {
  const drop = byId("drop");
  const take = async (files) => {
    const read = async (file) => ({ bytes: new Uint8Array(await file.arrayBuffer()), where: file.name });
    if (!files.length) return;
    await Promise.all([...files].map(read)).then(open, () =>
      refuse("This cannot be read: expected files, no folders."),
    );
  };
  byId("file").addEventListener("change", async ({ target }) => {
    await take(target.files);
    target.value = ""; // the same file may be chosen again
  });
  addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  addEventListener("dragleave", (event) => event.relatedTarget === null && drop.classList.remove("over"));
  addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    take(event.dataTransfer.files);
  });
  const pasted = (text) => text.trim() && open(encoded(text, "pasted rows"));
  byId("take").addEventListener("click", () => pasted(byId("pasted").value));
  addEventListener("paste", (event) => {
    if (event.target.matches?.("textarea, input")) return;
    if (event.clipboardData.files.length) take(event.clipboardData.files);
    else pasted(event.clipboardData.getData("text"));
  });
}

/** Buttons of the examples whose models are there; `open` is called as by `listen`, and with the model. */
export function offerExamples(models, open) {
  const known = Object.keys(EXAMPLES).map((name) => examples.find((example) => example.name === name));
  const offered = known.filter(({ name }) => models.includes(EXAMPLES[name][1]));
  byId("examples").hidden = !offered.length;
  for (const { name, text } of offered) {
    const [words, model] = EXAMPLES[name];
    const onclick = () => open(encoded(text, name), model);
    byId("examples").append(" ", element("button", { type: "button", class: "small", onclick }, words));
  }
}

/** What a table for each model has in its rows and columns. */
export function describeModels(cards) {
  const each = cards.map((card) => {
    const columns = card.needed.flatMap((name, j) => [
      j ? "; " : "",
      element("code", {}, name),
      `: ${card.expected[name] ?? rowOf(card).unit}`,
    ]);
    const words = ` (${card.labels.join(", ")}). In the table ${rowOf(card).words}, with `;
    return element("li", {}, element("b", {}, card.title), words, columns, ".");
  });
  byId("models").replaceChildren(
    element(
      "p",
      {},
      "What can be fitted; in each table a column such as ",
      element("code", {}, "subject"),
      " may tell people apart:",
    ),
    element("ul", {}, each),
  );
  byId("models").hidden = false;
  byId("symbols").replaceChildren(
    element("p", {}, "Parameters, with their names in saved files:"),
    element("ul", {}, cards.map(symbolsOf)),
  );
}

/** Symbol, name and unit of each parameter of a model. */
function symbolsOf({ title, model }) {
  const each = model.parameters.flatMap(([name, , unit], j) => [
    j ? ", " : "",
    symbol(name),
    ` (${name}${unit ? `, in ${unit}` : ""})`,
  ]);
  return element("li", {}, element("b", {}, title), ": ", each);
}
