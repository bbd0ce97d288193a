// Follows a task that works: what it writes is filled in as text, never as markup. When it has
// ended, the server's own page of it takes the place of this one's.

import { wire } from "./dashboard.js";

const task = document.getElementById("task");
const text = document.getElementById("text");
const connected = document.getElementById("connected");
let begun = false;
let events;

async function ended() {
  events.close();
  const answer = await fetch(location.pathname);
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const whole = page.getElementById("task");
  if (whole === null) return;
  task.replaceChildren(...whole.childNodes);
  wire(task);
}

function told(event) {
  const message = JSON.parse(event.data);
  const { chunk, metadata } = message.params ?? {};
  if (message.error || metadata) return ended();
  if (chunk?.type !== "text") return;
  // The stream tells all of it, from its first letter on.
  if (!begun) text.textContent = "";
  begun = true;
  text.append(chunk.content);
}

function listen() {
  begun = false;
  events = new EventSource(task.dataset.events);
  events.addEventListener("open", () => (connected.textContent = connected.dataset.open));
  events.addEventListener("message", told);
  events.addEventListener("error", () => {
    connected.textContent = connected.dataset.closed;
    // A browser does not come back by itself when it was refused.
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, 5000);
  });
}

addEventListener("pagehide", () => events.close());
listen();
