// The reading page's two conveniences. Without scripts it has no search, and each sample keeps a language of its own.
"use strict";

const languages = [...document.querySelectorAll(".tabs input")];

function choose(event) {
  // What was clicked stays where it is, however much taller or shorter the samples above it become.
  const before = event.target.getBoundingClientRect().top;
  for (const each of languages) {
    if (each.value === event.target.value) each.checked = true;
  }
  scrollBy({ top: event.target.getBoundingClientRect().top - before, behavior: "instant" });
}

for (const each of languages) each.addEventListener("change", choose);

const box = document.querySelector(".search");
const field = box.querySelector("input");
const count = box.querySelector("[role=status]");
const articles = [...document.querySelectorAll("article[aria-labelledby]")].map((article) => ({
  article,
  entry: document.querySelector(`[data-for="${article.id}"]`),
  text: textOf(article),
}));

function textOf(article) {
  // Samples and errors are alike everywhere: to find them would be to find every operation.
  const copy = article.cloneNode(true);
  for (const each of copy.querySelectorAll(".code, .errors")) each.remove();
  return copy.textContent.toLowerCase();
}

function search() {
  const words = field.value.toLowerCase().split(/\s+/).filter(Boolean);
  let found = 0;
  for (const { article, entry, text } of articles) {
    const matches = words.every((word) => text.includes(word));
    article.hidden = entry.hidden = !matches;
    found += matches ? 1 : 0;
  }
  document.body.classList.toggle("searching", words.length > 0);
  count.textContent = words.length ? `${found} of ${articles.length} operations` : "";
}

field.addEventListener("input", search);
document.addEventListener("keydown", (event) => {
  if (event.key === "/" && !event.ctrlKey && !event.metaKey && event.target.tagName !== "INPUT") {
    event.preventDefault();
    field.focus();
  }
});
addEventListener("hashchange", () => {
  // A link leads somewhere even while a search hides the place.
  const target = document.getElementById(location.hash.slice(1));
  if (target?.hidden) {
    field.value = "";
    search();
    target.scrollIntoView();
  }
});
box.hidden = false;
