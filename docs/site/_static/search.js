/* Finds sections of the site, and shows where the words stand. Nothing is fetched: it works from a
   folder, too. SECTIONS is of search-index.js, which publish/search.py writes; `stopwords`, common
   words, and Stemmer, which knows plurals and endings, are Sphinx's own. */

"use strict";

// How much a word counts, by where it stands. Symptoms are what the lesson says that a section is
// for; and a section begins with what it is about.
const PLACES = { title: 4, symptoms: 8, beginning: 1.5, text: 1 };
const BEGINNING = 200; // characters
// In a long text a word is there by chance: at 0 that makes no difference, at 1 all.
const LENGTH = { title: 0.6, symptoms: 0, beginning: 0, text: 0.5 };
const ENOUGH = 1.2; // more often is better, and less so each time
const COMMON = 0.15; // what a common word counts, of another's 1
const RESULTS = 20;
const EXCERPT = 220; // characters

const WORD = /[\p{L}\p{N}]+(?:[-._'’][\p{L}\p{N}]+)*/gu;
const stemmer = new Stemmer();
const vocabulary = new Map(); // each word of the site: its stem, and how many sections have it

/** Take a word apart: policy.put_in_force, and DeleteConflictException. */
function parts(word) {
  const plain = word.replace(/’/g, "'");
  if (stopwords.has(plain.toLowerCase())) return [plain.toLowerCase()]; // "I'd" is no "id"
  const apart = plain.replace(/'/g, "").split(/[-._]|(?<=[a-z])(?=[A-Z])/u);
  return apart.map((part) => part.toLowerCase()).filter(Boolean);
}

/** Give the words that a text is found by: of policy.lint, "policylint", "policy" and "lint". */
function words(text) {
  return (text.match(WORD) ?? []).flatMap((word) => {
    const apart = parts(word);
    return [...apart.map((_, from) => apart.slice(from).join("")), ...apart.slice(0, -1)];
  });
}

/** Count the words of each section, once, before the first question. */
function prepare() {
  const places = Object.keys(PLACES);
  const average = Object.fromEntries(places.map((place) => [place, 0]));
  for (const section of SECTIONS) {
    const texts = { ...section, beginning: section.text.slice(0, BEGINNING) };
    section.words = Object.fromEntries(places.map((place) => [place, words(texts[place])]));
    for (const place of places) average[place] += section.words[place].length / SECTIONS.length;
  }
  for (const section of SECTIONS) {
    section.counts = new Map();
    for (const place of places) {
      const here = section.words[place];
      const length = 1 - LENGTH[place] + (LENGTH[place] * here.length) / average[place];
      for (const word of here) {
        section.counts.set(word, (section.counts.get(word) ?? 0) + PLACES[place] / length);
      }
    }
    for (const word of section.counts.keys()) {
      const known = vocabulary.get(word) ?? { stem: stemmer.stemWord(word), sections: 0 };
      known.sections += 1;
      vocabulary.set(word, known);
    }
  }
}

/** Say which words of the site each word of a question means, and how well they fit. */
function terms(question) {
  const asked = (question.match(WORD) ?? []).flatMap((word) => {
    const apart = parts(word);
    const each = apart.map((part) => ({ word: part, whole: false }));
    return apart.length > 1 ? [{ word: apart.join(""), whole: true }, ...each] : each;
  });
  for (const term of asked) {
    const { word } = term;
    const stem = stemmer.stemWord(word);
    let sections = 0;
    term.means = new Map();
    term.common = stopwords.has(word);
    for (const [known, about] of vocabulary) {
      const half = word.length > 2 && !term.common && known.startsWith(word);
      const fits = known === word ? 1 : about.stem === stem ? 0.9 : half ? 0.6 : 0;
      if (fits) term.means.set(known, fits);
      if (fits) sections = Math.max(sections, about.sections);
    }
    const rare = Math.log(1 + (SECTIONS.length - sections + 0.5) / (sections + 0.5));
    term.weight = rare * (term.common ? COMMON : 1);
  }
  return asked.filter(({ means }) => means.size);
}

/** Find the sections that have words of a question, the best first: BM25, over the places. */
function find(asked) {
  const all = sum(asked);
  const found = [];
  for (const section of SECTIONS) {
    const here = asked.filter(({ means }) => has(means, section.counts));
    if (!here.length) continue;
    let score = 0;
    for (const { means, weight } of here) {
      const fitting = Array.from(means, ([word, fits]) => {
        const count = section.counts.get(word) ?? 0;
        return (fits * count) / (ENOUGH + count);
      });
      score += weight * Math.max(...fitting);
    }
    const title = section.words.title.filter((word) => !stopwords.has(word));
    const named = title.filter((word) => asked.some(({ means }) => means.has(word)));
    score *= (sum(here) / all) * (1 + named.length / (title.length || 1) / 2);
    // Who types policy.lint wants the function.
    const called = asked.some(({ word, whole }) => whole && section.words.title.includes(word));
    score *= called ? Math.max(1, section.weight) : section.weight;
    found.push({ section, score });
  }
  return found.sort((one, other) => other.score - one.score).map(({ section }) => section);
}

function sum(asked) {
  return [...asked].reduce((total, { weight }) => total + weight, 0);
}

function has(means, known) {
  return Array.from(means.keys()).some((word) => known.has(word));
}

/** Cut out of a text where most of a question stands together, and mark its words. */
function excerpt(text, asked) {
  const rare = asked.filter((term) => !term.common);
  const marks = Array.from(text.matchAll(WORD), (found) => {
    const here = new Set(words(found[0]));
    const meant = (rare.length ? rare : asked).filter(({ means }) => has(means, here));
    return { from: found.index, to: found.index + found[0].length, meant };
  }).filter(({ meant }) => meant.length);
  let [best, at] = [0, 0];
  for (const { from } of marks) {
    const near = marks.filter((mark) => mark.from >= from && mark.to <= from + EXCERPT);
    const weight = sum(new Set(near.flatMap(({ meant }) => meant)));
    if (weight > best) [best, at] = [weight, from];
  }
  at = at > EXCERPT / 4 ? text.indexOf(" ", at - EXCERPT / 4) + 1 : 0;
  const end = text.length > at + EXCERPT ? text.lastIndexOf(" ", at + EXCERPT) : text.length;
  const shown = element("p", at ? "… " : "");
  for (const { from, to } of marks.filter((mark) => mark.from >= at && mark.to <= end)) {
    shown.append(text.slice(at, from), element("mark", text.slice(from, to)));
    at = to;
  }
  shown.append(text.slice(at, end), end < text.length ? " …" : "");
  return shown;
}

function element(name, ...content) {
  const made = document.createElement(name);
  made.append(...content);
  return made;
}

/** Show what is found: a list of links. */
function show(question) {
  const asked = terms(question);
  const found = find(asked);
  const shown = found.slice(0, RESULTS).map((section) => {
    const link = element("a", section.title, " ", element("span", section.page));
    link.href = section.address;
    return element("li", link, excerpt(section.text, asked));
  });
  document.getElementById("found").replaceChildren(...shown);
  const many = found.length + (found.length > RESULTS ? `, the best ${RESULTS} of them here` : "");
  document.getElementById("how-many").textContent = question.trim() && `Sections found: ${many}`;
}

document.addEventListener("DOMContentLoaded", () => {
  const box = document.getElementById("question");
  prepare();
  box.value = new URLSearchParams(location.search).get("q") ?? "";
  box.addEventListener("input", () => show(box.value));
  box.focus();
  show(box.value);
});
