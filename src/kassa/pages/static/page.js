// Makes the pages kinder: they update themselves, lead on, and show times as they are where the payer is. Nothing depends
// on it: each page works without it.

const find = (selector) => document.querySelector(selector);

// A page that the browser brings back from memory may be about an attempt that has been made.
addEventListener("pageshow", (event) => event.persisted && location.reload());

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
  const texts = JSON.parse(back.dataset.return);
  let seconds = texts.length - 1;
  const line = find(".returning");
  const timer = setInterval(() => {
    seconds -= 1;
    find("[data-returning]").textContent = texts[seconds];
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
  const parts = { year: "numeric", month: "long", day: "numeric", hour: "numeric", minute: "2-digit", timeZoneName: "short" };
  time.textContent = new Date(time.dateTime).toLocaleString(document.documentElement.lang, parts);
}

const print = find("[data-print]");
if (print) {
  print.hidden = false;
  print.addEventListener("click", () => window.print());
}
