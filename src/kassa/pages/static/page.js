// Makes the pages kinder: spaces in the number, the brand, checks while typing, the countdown, and pages that update
// themselves. Nothing depends on it: the server repeats every check, and each page works without it.

const find = (selector) => document.querySelector(selector);
const digits = (text) => text.normalize("NFKC").replace(/[^0-9]/g, "");

// Card form -----------------------------------------------------------------------------------------------------------

const form = find("#card");
const brands = form ? JSON.parse(form.dataset.brands) : [];
const taken = form ? JSON.parse(form.dataset.lengths) : [];
const brandOf = (number) =>
  brands.find((brand) =>
    brand.ranges.some(([low, high]) => {
      const first = number.slice(0, low.length);
      return first.length === low.length && low <= first && first <= high;
    }),
  );

const luhn = (number) =>
  [...number].reverse().reduce((sum, digit, place) => {
    const value = Number(digit) * (1 + (place % 2));
    return sum + (value > 9 ? value - 9 : value);
  }, 0) % 10 === 0;

const group = (number) => {
  const gaps = brandOf(number)?.gaps ?? [4, 8, 12, 16];
  return [...number].map((digit, place) => (gaps.includes(place) ? ` ${digit}` : digit)).join("");
};

const faultOf = {
  card_number(value) {
    const number = digits(value);
    const brand = brandOf(number);
    if (!value.trim()) return "missing";
    if (brand && !brand.accepted) return "unaccepted";
    const lengths = brand?.lengths ?? [12, 13, 14, 15, 16, 17, 18, 19];
    if (!/^[\d\s.\u2010-\u2015-]+$/.test(value) || !lengths.includes(number.length) || !luhn(number)) return "wrong";
    return taken.length && !taken.includes(number.length) ? "length" : null;
  },
  expiry(value) {
    if (!value.trim()) return "missing";
    // Dates past or far are the server's to judge: its clock is right, and test mode takes any.
    return /^\s*(0?[1-9]|1[0-2])\s*[/\-. ]?\s*(\d{2}|\d{4})\s*$/.test(value) ? null : "wrong";
  },
  cvc(value) {
    const brand = brandOf(digits(field("card_number").value));
    if (!value.trim()) return "missing";
    return /^\s*\d+\s*$/.test(value) && (brand ? [brand.code_length] : [3, 4]).includes(value.trim().length) ? null : "wrong";
  },
};

const field = (name) => form.elements[name];
const texts = (input) => JSON.parse(input.dataset.texts);

function textOf(input, fault) {
  const brand = brandOf(digits(field("card_number").value));
  const all = texts(input);
  const length = brand ? brand.code_length : 3;
  return (all[`${fault}_${length}`] ?? all[fault]).replace("{brand}", brand?.name ?? "");
}

function show(input) {
  const fault = faultOf[input.name](input.value);
  const place = find(`#${input.name}-fault`);
  place.hidden = !fault;
  place.textContent = fault ? textOf(input, fault) : "";
  if (fault) input.setAttribute("aria-invalid", "true");
  else input.removeAttribute("aria-invalid");
  return fault ? { input, text: place.textContent } : null;
}

function clear(input) {
  input.removeAttribute("aria-invalid");
  find(`#${input.name}-fault`).hidden = true;
}

// What is wrong makes the page longer: not while a pointer is down, or its click would meet something else.
let pressed = false;
addEventListener("pointerdown", () => (pressed = true), true);
for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => (pressed = false), true);

function afterPress(action) {
  const later = () => setTimeout(action);
  if (!pressed) return later();
  const ended = new AbortController();
  for (const end of ["pointerup", "pointercancel"]) {
    addEventListener(end, () => (ended.abort(), later()), { capture: true, signal: ended.signal });
  }
}

function summarise(faults) {
  const summary = find("#faults");
  summary.querySelector("ul").replaceChildren(
    ...faults.map(({ input, text }) => {
      const link = Object.assign(document.createElement("a"), { href: `#${input.id}`, textContent: text });
      link.addEventListener("click", (event) => {
        event.preventDefault();
        input.focus();
      });
      const item = document.createElement("li");
      item.append(link);
      return item;
    }),
  );
  summary.hidden = false;
  summary.focus();
}

function formatNumber(input) {
  if (/[^\d\s.\u2010-\u2015-]/.test(input.value)) return;
  const before = digits(input.value.slice(0, input.selectionStart)).length;
  const number = digits(input.value).slice(0, 19);
  const text = group(number);
  if (text === input.value) return;
  input.value = text;
  // The caret goes back behind as many digits as it was behind before.
  let caret = 0;
  for (let seen = 0; seen < before && caret < text.length; caret += 1) if (text[caret] !== " ") seen += 1;
  input.setSelectionRange(caret, caret);
}

function formatExpiry(input, deleting) {
  if (input.selectionStart !== input.value.length || /[^\d\s/.-]/.test(input.value)) return;
  let number = digits(input.value).slice(0, 6);
  if (/^[2-9]$/.test(number) || /^\d\s*[/.-]\s*$/.test(input.value)) number = number.padStart(2, "0");
  if (/^0?\d\s*[/.-]\s*\d+$/.test(input.value)) return;
  if (number.length > 2 || (number.length === 2 && !deleting)) input.value = `${number.slice(0, 2)} / ${number.slice(2)}`;
}

let announced;
function showBrand() {
  const input = field("card_number");
  const brand = brandOf(digits(input.value));
  if (brand?.code === announced) return;
  announced = brand?.code;
  const shown = brand?.accepted ? brand.code : null;
  document.querySelectorAll("[data-brand]").forEach((icon, place) => {
    icon.toggleAttribute("hidden", shown ? icon.dataset.brand !== shown : place > 3);
  });
  find("#brand-status").textContent = brand?.accepted ? brand.name : "";
  if (brand && !brand.accepted) show(input);
  if (field("cvc").hasAttribute("aria-invalid")) show(field("cvc"));
  const hint = texts(field("cvc"))[`hint_${brand?.code_length ?? 3}`];
  find("#cvc-hint").textContent = hint.replace("{code}", brand?.code_name ?? "CVC");
}

function busy(on) {
  const button = form.querySelector("[type=submit]");
  button.dataset.label ??= button.textContent;
  button.disabled = on;
  button.toggleAttribute("aria-busy", on);
  button.textContent = on ? button.dataset.busy : button.dataset.label;
}

if (form) {
  const inputs = ["card_number", "expiry", "cvc"].map(field);
  for (const input of inputs) {
    input.addEventListener("input", (event) => {
      clear(input);
      if (input.name === "card_number") formatNumber(input);
      if (input.name === "expiry") formatExpiry(input, event.inputType?.startsWith("delete"));
      showBrand();
    });
    // An empty field that was only passed through is not a fault yet.
    input.addEventListener("blur", () => afterPress(() => input.value && show(input)));
  }
  form.addEventListener("submit", (event) => {
    const faults = inputs.map(show).filter(Boolean);
    if (!faults.length) return busy(true);
    event.preventDefault();
    summarise(faults);
  });
  document.querySelectorAll("[data-fill]").forEach((button) => {
    button.disabled = false;
    button.addEventListener("click", () => {
      [button.dataset.fill, "12 / 34", "123"].forEach((value, place) => {
        inputs[place].value = value;
        clear(inputs[place]);
      });
      formatNumber(inputs[0]);
      showBrand();
      form.querySelector("[type=submit]").focus();
    });
  });
  showBrand();
}

// A page that the browser brings back from memory may be about an attempt that has been made.
addEventListener("pageshow", (event) => event.persisted && location.reload());

// Countdown -----------------------------------------------------------------------------------------------------------

const left = find("[data-seconds]");
if (left) {
  const end = Date.now() + left.dataset.seconds * 1000;
  const place = left.querySelector("time");
  const status = Object.assign(document.createElement("p"), { className: "unseen" });
  status.setAttribute("role", "status");
  left.after(status);
  const pad = (number) => String(number).padStart(2, "0");
  const tick = () => {
    const seconds = Math.max(0, Math.ceil((end - Date.now()) / 1000));
    const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
    place.textContent = `${hours ? `${hours}:${pad(minutes)}` : minutes}:${pad(seconds % 60)}`;
    left.classList.toggle("short", seconds <= 60);
    const text = JSON.parse(left.dataset.texts)[seconds];
    if (text) status.textContent = text;
    if (seconds === 0) {
      clearInterval(timer);
      location.reload();
    }
  };
  const timer = setInterval(tick, 1000);
}

// Pages that lead on or wait ------------------------------------------------------------------------------------------

find("form[data-forward]")?.submit();

// Shows the present state once it is another than the page's own. Not while the form is sent: its answer shows that.
let sent = false;
async function refresh(shown) {
  try {
    const answer = await fetch(location.href, { method: "HEAD", cache: "no-store" });
    const changed = answer.ok && answer.headers.get("kassa-state") !== shown.dataset.state;
    // Not a reload: the page may be the answer to a form, which that would send again.
    if (changed && !sent) location.replace(location.pathname + location.search);
  } catch {
    // The network is away for a moment; the next request will show.
  }
}

const waiting = find("[data-poll]");
if (waiting) {
  let delay = 1000;
  const look = async () => {
    await refresh(waiting);
    delay = Math.min(delay * 1.25, 10000);
    setTimeout(look, delay);
  };
  setTimeout(look, delay);
}

// The form is out of date once another tab has paid or tried.
const watched = find("[data-watch]");
if (watched) {
  let delay = 3000;
  // Of the listeners of a submission this is the last, so it hears whether another has stopped it.
  addEventListener("submit", (event) => (sent = !event.defaultPrevented));
  const look = () => (document.hidden ? null : refresh(watched));
  const again = async () => {
    await look();
    delay = Math.min(delay * 1.25, 15000);
    setTimeout(again, delay);
  };
  setTimeout(again, delay);
  addEventListener("visibilitychange", look);
}

const back = find("[data-return]");
if (back) {
  let seconds = Number(back.dataset.return);
  const line = find(".returning");
  const timer = setInterval(() => {
    seconds -= 1;
    find("[data-returning]").textContent = back.dataset.text.replace("{seconds}", seconds);
    if (seconds > 0) return;
    clearInterval(timer);
    location.assign(back.href);
  }, 1000);
  const stay = (event) => {
    event.preventDefault();
    clearInterval(timer);
    line.hidden = true;
    back.focus();
  };
  find("[data-stay]").addEventListener("click", stay);
}

for (const time of document.querySelectorAll("time[data-local]")) {
  time.textContent = new Date(time.dateTime).toLocaleString(document.documentElement.lang, {
    dateStyle: "long",
    timeStyle: "short",
  });
}

const print = find("[data-print]");
if (print) {
  print.hidden = false;
  print.addEventListener("click", () => window.print());
}
