// Elements in a line each; text is never read as HTML.

/** An element with attributes, listeners (onclick: function) and children. */
export function element(tag, attributes = {}, ...children) {
  const found = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) found.addEventListener(name.slice(2), value);
    else if (value === true) found.setAttribute(name, "");
    else if (value !== false && value !== null && value !== undefined) found.setAttribute(name, value);
  }
  found.append(...children.flat().filter((child) => child !== null));
  return found;
}

/** The same for drawings. */
export function drawing(tag, attributes = {}, ...children) {
  const found = document.createElementNS("http://www.w3.org/2000/svg", tag);
  for (const [name, value] of Object.entries(attributes)) found.setAttribute(name, value);
  found.append(...children);
  return found;
}

export const byId = (id) => document.getElementById(id);

/** A choice among [[value, words], ...]. */
export function choice(options, chosen, onchange, attributes = {}) {
  const found = element("select", { ...attributes, onchange: (event) => onchange(event.target.value) });
  for (const [value, words] of options) {
    found.append(element("option", { value, selected: String(value) === String(chosen ?? "") }, words));
  }
  return found;
}

/** A field with its words. */
export const field = (words, input) => element("label", {}, words, input);

/** A table of rows of cells, each text or an element. */
export function table(caption, header, rows) {
  const head = element(
    "tr",
    {},
    header.map((name) => element("th", { scope: "col" }, name)),
  );
  return element(
    "div",
    { class: "table", tabindex: "0", role: "region", "aria-label": caption },
    element("table", {}, element("caption", {}, caption), element("thead", {}, head), element("tbody", {}, rows)),
  );
}

/** A number in words: four digits that count. */
export function short(value) {
  if (!Number.isFinite(value)) return String(value);
  const text = Number(value.toPrecision(4));
  return Math.abs(text) >= 1e5 || (text !== 0 && Math.abs(text) < 1e-3) ? text.toExponential(2) : String(text);
}
