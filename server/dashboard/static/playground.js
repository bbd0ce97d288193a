// Shows answers as they come: the form's own POST does the same without script, whole.

import { wire } from "./dashboard.js";

const form = document.getElementById("playground");
const stop = document.getElementById("stop");
const path = form.getAttribute("action");
let running = [];

// The text that one event of a dialect brings, "" for what brings none.
function textOf(event) {
  if (event.error) return event.error.message ?? "";
  if (event.choices) return event.choices.map((one) => one.delta?.content ?? "").join("");
  if (event.type === "content_block_delta") return event.delta?.text ?? "";
  if (event.type === "response.output_text.delta") return event.delta ?? "";
  if (event.candidates) {
    const parts = event.candidates.flatMap((one) => one.content?.parts ?? []);
    return parts.map((one) => one.text ?? "").join("");
  }
  return "";
}

function events(text, rest) {
  const lines = (rest + text).split("\n");
  const left = lines.pop();
  const found = [];
  for (const line of lines) {
    if (!line.startsWith("data:")) continue;
    try {
      found.push(JSON.parse(line.slice(5)));
    } catch {
      // What ends a stream is no JSON.
    }
  }
  return [found, left];
}

function facts(place, answer, firstMs, totalMs) {
  const header = (name) => answer.headers.get(`x-omniroute-${name}`);
  const told = [`${header("provider") ?? "–"}/${header("model") ?? "–"}`];
  if (answer.status >= 400) told.unshift(String(answer.status));
  if (firstMs !== null) told.push(`⇥ ${Math.round(firstMs)} ms`);
  told.push(`${Math.round(totalMs)} ms`);
  place.textContent = told.join(" · ");
  const id = answer.headers.get("x-request-id");
  if (id) {
    const link = document.createElement("a");
    link.href = `/dashboard/requests/${encodeURIComponent(id)}`;
    link.textContent = form.dataset.decision;
    place.append(" · ", link);
  }
}

async function ask(side, body, control) {
  const place = form.querySelector(`[data-side="${side}"]`);
  const said = place.querySelector("[data-said]");
  const told = place.querySelector("[data-facts]");
  said.textContent = "";
  told.textContent = form.dataset.waiting;
  const began = performance.now();
  let firstMs = null;
  try {
    const sent = new URLSearchParams(body);
    sent.set("side", side);
    const answer = await fetch(`${path}/stream`, { method: "POST", body: sent, signal: control.signal });
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    const streamed = (answer.headers.get("content-type") ?? "").startsWith("text/event-stream");
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      if (!streamed) {
        rest += value;
        continue;
      }
      let found;
      [found, rest] = events(value, rest);
      for (const event of found) {
        const text = textOf(event);
        if (text && firstMs === null) firstMs = performance.now() - began;
        said.append(text);
      }
    }
    if (!streamed) {
      try {
        said.textContent = textOf(JSON.parse(rest)) || rest;
      } catch {
        said.textContent = `${form.dataset.failed} ${answer.status}`;
      }
    }
    facts(told, answer, firstMs, performance.now() - began);
  } catch (error) {
    told.textContent = error.name === "AbortError" ? "" : form.dataset.failed;
  }
}

async function code(body) {
  const answer = await fetch(`${path}/code`, { method: "POST", body });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const place = document.getElementById("codes");
  place.replaceChildren(...page.body.childNodes);
  wire(place);
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  for (const one of running) one.abort();
  const body = new URLSearchParams(new FormData(form));
  const sides = ["1", "2"].filter((side) => body.get(`model${side}`));
  running = sides.map(() => new AbortController());
  stop.hidden = false;
  code(body);
  await Promise.all(sides.map((side, place) => ask(side, body, running[place])));
  stop.hidden = true;
});

stop.addEventListener("click", () => {
  for (const one of running) one.abort();
});
