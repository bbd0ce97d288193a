// Requests as they happen: rows are filled in as text, never as markup. How long ago they were is
// kept up by dashboard.js, which runs in every page.

const live = document.getElementById("live");
const body = live.querySelector("tbody");
const state = document.getElementById("state");
const pause = document.getElementById("pause");
const row = document.getElementById("row").content.firstElementChild;
const kinds = new Map(
  [...document.getElementById("outcomes").content.children].map((one) => [one.dataset.name, one]),
);
const most = Number(live.dataset.rows);
const unknown = "–";
const held = [];
let now = {};

const money = (usd) => {
  if (usd === null) return unknown;
  if (usd === 0) return "$0";
  if (usd < 0.000001) return "<$0.000001";
  return `$${usd.toFixed(usd >= 0.1 ? 2 : usd >= 0.001 ? 4 : 6)}`;
};
const duration = (ms) => {
  if (ms === null) return unknown;
  if (ms < 1000) return `${ms} ms`;
  return ms < 60000 ? `${(ms / 1000).toFixed(1)} s` : `${Math.round(ms / 60000)} min`;
};
const short = (number) =>
  number >= 1e6 ? `${(number / 1e6).toFixed(1)}M` : number >= 1e3 ? `${(number / 1e3).toFixed(1)}k` : `${number}`;

function shown(one) {
  const made = row.cloneNode(true);
  const put = (name, text) => (made.querySelector(`[data-${name}]`).textContent = text ?? "");
  const path = `/dashboard/requests/${encodeURIComponent(one.id)}`;
  made.querySelector("a").setAttribute("href", path);
  const time = made.querySelector("time");
  time.dateTime = time.title = one.timestamp;
  time.textContent = `${Math.max(Math.round((Date.now() - Date.parse(one.timestamp)) / 1000), 0)} s ago`;
  put("asked", one.requestedModel);
  put("by", one.provider === null ? "" : `${one.provider}/${one.model}`);
  put("key", one.apiKeyName ?? one.apiKeyId);
  const outcome = kinds.get(one.outcome);
  put("outcome", outcome?.textContent ?? one.outcome);
  made.querySelector("[data-outcome]").classList.add(`badge-${outcome?.dataset.kind ?? "quiet"}`);
  put("error", one.error);
  const tries = made.querySelector("[data-tries]");
  tries.textContent = one.attempts > 1 ? tries.dataset.words.replace("{number}", one.attempts) : "";
  put("tokens", `${short(one.tokens.in)} / ${short(one.tokens.out)}`);
  put("cost", money(one.cost));
  put("first", duration(one.firstToken));
  put("total", duration(one.duration));
  return made;
}

function add(one) {
  document.getElementById("empty").hidden = true;
  const path = `/dashboard/requests/${encodeURIComponent(one.id)}`;
  if ([...body.querySelectorAll("a")].some((link) => link.getAttribute("href") === path)) return;
  body.prepend(shown(one));
  while (body.children.length > most) body.lastElementChild.remove();
}

function tell(word) {
  const { calls, lost, some } = state.dataset;
  const parts = [word];
  if (typeof now.calls === "number") parts.push(calls.replace("{number}", now.calls));
  if (now.lost === null) parts.push(some);
  else if (now.lost) parts.push(lost.replace("{number}", now.lost));
  state.textContent = parts.join(" ");
}

let events;
function listen() {
  events = new EventSource(live.dataset.events);
  events.addEventListener("open", () => tell(state.dataset.open));
  events.addEventListener("state", (event) => {
    now = JSON.parse(event.data);
    tell(state.dataset.open);
  });
  events.addEventListener("request", (event) => {
    const one = JSON.parse(event.data);
    if (pause.getAttribute("aria-pressed") !== "true") return add(one);
    held.push(one);
    held.splice(0, held.length - most);
    live.dataset.held = held.length;
  });
  events.addEventListener("error", () => {
    tell(state.dataset.closed);
    // A browser does not come back by itself when it was refused.
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, 5000);
  });
}

pause.hidden = false;
pause.addEventListener("click", () => {
  const paused = pause.getAttribute("aria-pressed") !== "true";
  pause.setAttribute("aria-pressed", String(paused));
  if (!paused) held.splice(0).forEach(add);
  live.dataset.held = held.length;
});
addEventListener("pagehide", () => events.close());
listen();
