// The page: it loads the networks, hands tables to the worker, and shows what the worker found.

import worker from "text:worker";

import "./page.css";
import { tidy } from "./views/charts.js";
import { byId, element } from "./views/dom.js";
import { peopleOf } from "./views/people.js";
import { resultOf, showPredictive } from "./views/result.js";
import { describeModels, listen, offerExamples } from "./views/source.js";
import { firstSettings, readingOf, settingsOf, sharedCodes } from "./views/settings.js";

const { networks, rules, made } = globalThis.amortmix;
const state = {
  cards: [],
  described: null,
  settings: null,
  people: [],
  current: null,
  ready: false,
  waiting: null,
  wanted: null,
  job: 0,
};
const work = new Worker(URL.createObjectURL(new Blob([worker], { type: "text/javascript" })));
const ask = (kind, content = {}, moved = []) => work.postMessage({ kind, ...content }, moved);
const status = (text) => (byId("status").textContent = text);

/** A script beside the page, which leaves what it holds in `amortmix`; a page from a folder can load nothing else. */
function script(address) {
  return new Promise((resolve, reject) => {
    const found = element("script", {
      src: address,
      onload: resolve,
      onerror: () => reject(new Error(`${address} is missing`)),
    });
    document.head.append(found);
  });
}

async function load() {
  status("Loading …");
  await script("runtime.js");
  ask("runtime", { packed: globalThis.amortmix.runtime, rules });
  delete globalThis.amortmix.runtime;
  for (const address of networks) {
    await script(address);
    const { card } = globalThis.amortmix;
    delete globalThis.amortmix.card;
    ask("network", { card });
    state.cards.push({ ...card, content: null, pieces: null, programs: null, reference: null });
  }
  describeModels(state.cards);
  ask("warm", { network: 0 });
}

/** Fit tables [{bytes, where}, ...], each a data set of its own; `wanted` is the model that is meant, if one is. */
function open(files, wanted = null) {
  clear();
  const where = files.length > 1 ? `${files.length} files` : files[0].where;
  state.wanted = wanted;
  if (!state.ready) {
    state.waiting = [files, wanted];
    status(`Loading; then ${where} will be fitted …`);
    return;
  }
  status(`Reading ${where} …`);
  const moved = files.map(({ bytes }) => bytes.buffer);
  ask("open", { files, job: state.job }, moved);
}

function clear() {
  state.job += 1;
  for (const id of ["settings", "people", "result"]) {
    byId(id).hidden = true;
    byId(id).replaceChildren();
  }
  byId("problem").replaceChildren();
  byId("models").hidden = !state.cards.length;
  Object.assign(state, { described: null, people: [], current: null });
  tidy();
}

function start(settings) {
  Object.assign(state, { settings, people: [], current: null, job: state.job + 1 });
  state.described.problem = null;
  byId("problem").replaceChildren();
  for (const id of ["people", "result"]) byId(id).hidden = true;
  const card = state.cards[settings.network];
  const { network, prior, by, draws, seed } = settings;
  ask("fit", {
    job: state.job,
    network,
    prior,
    by,
    seed,
    draws: draws ?? rules.fit.draws,
    reading: readingOf(card, settings),
  });
  if (!byId("settings").contains(document.activeElement)) showSettings();
}

function showSettings() {
  const box = byId("settings");
  const opened = box.querySelector("details")?.open;
  box.replaceChildren(
    settingsOf(state.cards, state.described, state.settings, rules, (settings) => {
      start(settings);
      showSettings();
    }),
  );
  if (opened) box.querySelector("details").open = true;
  box.hidden = false;
}

function problem(text) {
  byId("problem").replaceChildren(element("p", { class: "problem" }, text));
  status("");
  if (!state.described) return;
  byId("problem").append(
    element("p", { class: "soft" }, "How the table is read can be said below; each change fits anew."),
  );
  state.described.problem = text;
  showSettings();
}

function show(place) {
  const card = state.cards[state.settings.network];
  const { name, fit } = state.people[place];
  state.current = place;
  showPeople();
  byId("result").hidden = false;
  byId("models").hidden = true;
  byId("result").replaceChildren(
    ...resultOf(card, String(name), { ...fit, prior: state.settings.prior ?? Object.keys(card.priors)[0] }).filter(
      Boolean,
    ),
  );
  tidy();
  ask("predictive", { job: state.job, place: fit.index });
}

function showPeople() {
  if (state.people.length < 2) return;
  byId("people").hidden = false;
  const left = byId("people").querySelector(".table")?.scrollLeft ?? 0;
  byId("people").replaceChildren(
    ...peopleOf(state.cards[state.settings.network], state.people, state.current, (place) => {
      show(place);
      byId("result-title").focus();
    }),
  );
  byId("people").querySelector(".table").scrollLeft = left;
}

const ANSWERS = {
  runtime() {},
  network({ number }) {
    if (number < networks.length) status(`Loading ${number} of ${networks.length} networks …`);
  },
  warm() {
    state.ready = true;
    document.documentElement.dataset.ready = "true";
    status("Ready. From here on the page needs no connection.");
    if (state.waiting) open(...state.waiting);
    state.waiting = null;
  },
  opened(found) {
    state.described = found;
    const wanted = state.cards.findIndex((card) => card.model.name === state.wanted);
    start(firstSettings(found, wanted < 0 ? found.best : wanted));
  },
  fitting({ place, number, name }) {
    if (!state.people.length && number > 1) {
      state.people = Array.from({ length: number }, () => ({ name: "…" }));
    }
    status(number > 1 ? `Fitting ${place + 1} of ${number}: ${name} …` : `Fitting ${name} …`);
  },
  fitted({ place, number, name, fit, problem: text }) {
    if (number === 1 && text) return problem(text);
    const shared = sharedCodes(state.cards[state.settings.network], state.settings);
    state.people[place] = { name, fit: fit && { ...fit, shared }, problem: text };
    if (fit && state.current === null) return show(place);
    showPeople();
  },
  done({ number }) {
    const fits = state.people.filter((person) => person.fit);
    if (fits.length) {
      const refused = number > fits.length ? `; ${number - fits.length} refused, see the table` : "";
      status(`Fitted ${number > 1 ? `${fits.length} of ${number} data sets${refused}` : state.people[0].name}.`);
    } else if (number > 1) {
      problem(refusalOfAll(state.people));
    }
    answered();
  },
  predictive({ place, pictures }) {
    const shown = state.people[state.current];
    if (shown?.fit?.index === place) showPredictive(pictures, String(shown.name));
  },
  problem({ text }) {
    problem(text);
    answered();
  },
};

/** What is said once where no data set could be read: most often the same of all. */
function refusalOfAll(people) {
  byId("people").hidden = true;
  const said = [...new Set(people.map((person) => person.problem))];
  if (said.length === 1) return said[0];
  const name = String(people[0].name);
  const whose = said[0].startsWith(name) ? "" : `data set ${name}: `;
  return `${whose}${said[0]}; no other data set can be read either`;
}

/** How many files and settings were answered, for those who wait for it. */
function answered() {
  const { dataset } = document.documentElement;
  dataset.answers = String(Number(dataset.answers ?? 0) + 1);
}

work.onmessage = ({ data }) => {
  // what was asked about a table or a setting that is no more is of no use
  if (data.job === undefined || data.job === state.job) ANSWERS[data.kind](data);
};
work.onerror = (event) => problem(`The page failed: ${event.message}`);

listen(open, (text) => {
  clear();
  problem(text);
});
byId("made").textContent = made;
offerExamples(globalThis.amortmix.models, open);
load().catch((error) => problem(`The page failed: ${error.message}`));
