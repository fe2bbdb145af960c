// How a table is read: model, columns, codes, people, sessions, limits; each change fits anew.

import { kindOf } from "../reading/kinds.js";
import { numberOf } from "../reading/column.js";
import { choice, element, field } from "./dom.js";
import { meaningOf } from "./names.js";

const NONE = "";
const MOST_DRAWS = 10000;
const ANY = [-Infinity, Infinity];

/** What is asked of a table at first: everything that is found in it, and nothing that would be a guess. */
export function firstSettings(described, network) {
  const found = described.networks[network];
  return {
    network,
    prior: null,
    columns: { ...found.columns },
    codes: {},
    scale: {},
    keep: {},
    by: found.people,
    sequence: null,
    draws: null,
    seed: 1,
  };
}

/** The fields; `change` is called with new settings. */
export function settingsOf(cards, described, settings, rules, change) {
  const card = cards[settings.network];
  const found = described.networks[settings.network];
  const names = found.names.map((name) => [name, name]);
  const set = (part) => change({ ...settings, ...part });
  const models = cards.map((c, i) => [i, c.title]);
  const column = (name) =>
    field(
      `column ${name}: ${meaningOf(card, name)}`,
      choice([[NONE, "choose"], ...names], settings.columns[name], (theirs) =>
        set({ columns: { ...settings.columns, [name]: theirs || null }, ...forgotten(settings, name) }),
      ),
    );
  const whose = (key, words) =>
    field(
      words,
      choice([[NONE, "none"], ...names], settings[key], (name) => set({ [key]: name || null })),
    );
  return element(
    "details",
    { open: Boolean(described.problem) },
    element("summary", { id: "settings-title" }, "How the table is read, and the model"),
    element(
      "div",
      { class: "fields" },
      cards.length > 1
        ? field(
            "model",
            choice(models, settings.network, (i) => change(firstSettings(described, Number(i)))),
          )
        : null,
      Object.keys(card.priors).length > 1
        ? field(
            "prior",
            choice(
              Object.keys(card.priors).map((p) => [p, p]),
              settings.prior,
              (prior) => set({ prior }),
            ),
          )
        : null,
      card.needed.map(column),
    ),
    element(
      "div",
      { class: "fields" },
      whose("by", "several people, one fit each, by"),
      card.model.dependent ? whose("sequence", "sessions of one person, by") : null,
    ),
    element(
      "div",
      { class: "fields" },
      Object.keys(card.model.columns).map((name) => valuesOf(card, found, name, settings, set)),
    ),
    element(
      "div",
      { class: "fields" },
      field(
        `posterior draws (${rules.fit.fewest} to ${MOST_DRAWS})`,
        number(settings.draws ?? rules.fit.draws, [rules.fit.fewest, MOST_DRAWS], Number.isInteger, (draws) =>
          set({ draws }),
        ),
      ),
      field(
        "seed (0, 1, 2, …)",
        number(settings.seed, [0, Number.MAX_SAFE_INTEGER], Number.isInteger, (seed) => set({ seed: seed ?? 1 })),
      ),
    ),
  );
}

/** Settings without what was said of the values of a column: another one has others. */
function forgotten(settings, name) {
  const rest = (known) => Object.fromEntries(Object.entries(known).filter(([key]) => key !== name));
  return { codes: rest(settings.codes), scale: rest(settings.scale), keep: rest(settings.keep) };
}

/** A number that is typed, with a point or a comma; one that cannot be is refused at its field, and changes nothing. */
function number(value, [low, high], accepts, change) {
  const limits = low > -Infinity ? ` from ${low} to ${high}` : "";
  const expected = `Expected a ${accepts === Number.isInteger ? "whole " : ""}number${limits}`;
  const onchange = ({ target }) => {
    const text = target.value.trim().replace(",", ".");
    const found = text === "" ? null : numberOf(text);
    const fine = found === null || (accepts(found) && found >= low && found <= high);
    target.setCustomValidity(fine ? "" : `${expected}; this is ${target.value}`);
    if (target.reportValidity()) change(found);
  };
  const oninput = ({ target }) => target.setCustomValidity("");
  return element("input", { type: "text", inputmode: "decimal", value: value ?? "", onchange, oninput });
}

/** Codes of a column of a few values; unit and limits of one of numbers. */
function valuesOf(card, found, name, settings, set) {
  const theirs = settings.columns[name];
  const kind = kindOf(card.model.columns[name]);
  if (kind.name === "Choice") return theirs ? codesOf(card, found, name, theirs, kind, settings, set) : null;
  const [low, high] = settings.keep[name] ?? [null, null];
  const keep = (ends) => set({ keep: { ...settings.keep, [name]: ends } });
  const units = [
    ["1", "as they are"],
    ["0.001", "thousandths, as milliseconds: × 0.001"],
    ["1000", "× 1000"],
  ];
  return element(
    "fieldset",
    {},
    element("legend", {}, `values of ${name}`),
    element(
      "label",
      {},
      "smallest that counts ",
      number(low, ANY, Number.isFinite, (value) => keep([value, high])),
    ),
    element(
      "label",
      {},
      "largest ",
      number(high, ANY, Number.isFinite, (value) => keep([low, value])),
    ),
    element(
      "label",
      {},
      "unit ",
      choice(units, settings.scale[name] ?? 1, (factor) =>
        set({ scale: { ...settings.scale, [name]: Number(factor) } }),
      ),
    ),
  );
}

function codesOf(card, found, name, theirs, kind, settings, set) {
  const values = valuesFound(found, theirs);
  const known = kind.codes.map(([code]) => [code, codeInWords(card, name, code)]);
  const codes = settings.codes[name] ?? {};
  const plain = plainCodes(kind, values);
  const chosen = (value) => (value in codes ? (codes[value] ?? "none") : plain(value));
  const change = (value) => (code) => {
    const all = Object.fromEntries(values.map((v) => [v, v in codes ? codes[v] : plain(v)]));
    const next = { ...all, [value]: code === "none" ? null : code === NONE ? NONE : Number(code) };
    set({ codes: { ...settings.codes, [name]: next } });
  };
  return element(
    "fieldset",
    {},
    element("legend", {}, `codes of ${name}: ${card.expected[name]}`),
    values.map((value) =>
      element(
        "label",
        {},
        `${value} is `,
        choice([[NONE, "choose"], ...known, ["none", "no response"]], chosen(value), change(value)),
      ),
    ),
  );
}

/** Different values of a column of a few, in their order. */
function valuesFound(found, theirs) {
  const values = (found.values[theirs] ?? []).filter((value) => value !== "");
  return values.sort((a, b) => Number(a) - Number(b) || a.localeCompare(b));
}

/** Codes that values have by themselves: only where all are codes of the model, for 0 and 1 of one that has 1 and 2 mean something else. */
function plainCodes(kind, values) {
  const own = values.every((value) => kind.accepts(Number(value)));
  return (value) => (own ? Number(value) : NONE);
}

/** A code with its meaning, as the card says it: 1 (correct). */
function codeInWords(card, name, code) {
  const [, meaning] = new RegExp(`(?:^|\\s)${code} \\(([^)]*)\\)`).exec(card.expected[name]) ?? [];
  return meaning ? `${code} (${meaning})` : String(code);
}

/** Sentences about values of a table that were given the same code. */
export function sharedCodes(card, settings) {
  return Object.entries(settings.codes).flatMap(([name, words]) => {
    const codes = [...new Set(Object.values(words))].filter((code) => code !== null && code !== NONE);
    const alike = codes.map((code) => [code, Object.keys(words).filter((word) => words[word] === code)]);
    return alike
      .filter(([, values]) => values.length > 1)
      .map(
        ([code, values]) =>
          `${values.join(" and ")} of ${settings.columns[name]} are both ${codeInWords(card, name, code)}`,
      );
  });
}

/** What the worker is asked: only what is declared. */
export function readingOf(card, settings) {
  const declared = (known, keep) => Object.fromEntries(Object.entries(known).filter(keep));
  const codes = Object.entries(settings.codes)
    .map(([name, words]) => [name, declared(words, ([, code]) => code !== NONE)])
    .filter(([, words]) => Object.keys(words).length);
  return {
    columns: declared(settings.columns, ([name, theirs]) => theirs && theirs !== name && card.needed.includes(name)),
    codes: Object.fromEntries(codes),
    scale: declared(settings.scale, ([, factor]) => factor !== 1),
    keep: declared(settings.keep, ([, ends]) => ends.some((end) => end !== null)),
    sequence: settings.sequence,
  };
}
