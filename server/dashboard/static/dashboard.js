// What every page does beyond its forms: copy, times that go on, and a menu that folds.

const minute = 60, hour = 3600, day = 86400;

export function ago(moment, now = Date.now()) {
  const seconds = (now - moment) / 1000;
  const size = Math.abs(seconds);
  if (size < 1) return "now";
  const [divisor, unit] =
    size < minute ? [1, "s"] : size < hour ? [minute, "min"] : size < day ? [hour, "h"] : [day, "d"];
  const told = `${Math.round(size / divisor)} ${unit}`;
  return seconds > 0 ? `${told} ago` : `in ${told}`;
}

function tick() {
  for (const time of document.querySelectorAll("time[data-ago]")) {
    const moment = Date.parse(time.dateTime);
    if (!Number.isNaN(moment)) time.textContent = ago(moment);
  }
}

function copies(button) {
  const code = button.parentElement.querySelector("code");
  const label = button.textContent;
  button.hidden = false;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = button.dataset.done || "✓";
    setTimeout(() => (button.textContent = label), 1500);
  });
}

// What a part of a page that came later needs as well.
export function wire(place) {
  if (navigator.clipboard) place.querySelectorAll("[data-copy]").forEach(copies);
}

wire(document);
setInterval(tick, 15000);

const menu = document.getElementById("menu");
const narrow = matchMedia("(max-width: 60rem)");
const fold = () => menu && (menu.open = !narrow.matches);
fold();
narrow.addEventListener("change", fold);
