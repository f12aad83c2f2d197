// What the pages share. Everything that came from elsewhere is written as text, never as markup.
"use strict";

const STAGES = ["select", "load", "segment", "anatomy", "prognosis", "encode", "deliver"];
const TONES = {
  queued: "wait", running: "busy", awaiting_review: "wait", delivering: "busy", done: "good", parked: "bad",
  refused: "bad", failed: "bad", cancelled: "idle", superseded: "idle",
  waiting: "wait", selected: "good",
  pending: "wait", sent: "good", committed: "good", commit_unknown: "wait", retry: "wait", refused_permanent: "bad",
};
const MOVING = ["queued", "running", "delivering"];

function make(tag, properties, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(properties || {})) {
    if (name === "class") node.className = value;
    else if (name in node) node[name] = value;
    else node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

const words = (text) => String(text).replaceAll("_", " ");
const pill = (state) => make("span", { class: `pill ${TONES[state] || "idle"}` }, words(state));
const seconds = (value) => (value < 10 ? `${value.toFixed(1)}\u00a0s` : value < 120 ? `${Math.round(value)}\u00a0s` : `${Math.round(value / 60)}\u00a0min`);
const total = (job) => Object.values(job.stage_seconds).reduce((sum, value) => sum + value, 0);
const shown = (value, digits) => (value === null || value === undefined ? "–" : Number(value).toFixed(digits));
const uid = (value) => make("span", { class: "uid short", title: value || "" }, value || "–");

function when(text) {
  const instant = new Date(text);
  if (Number.isNaN(instant.getTime())) return make("span", { class: "quiet" }, "–");
  const two = (value) => String(value).padStart(2, "0");
  const today = instant.toDateString() === new Date().toDateString();
  const clock = [instant.getHours(), instant.getMinutes(), instant.getSeconds()].map(two).join(":");
  const day = `${instant.getFullYear()}-${two(instant.getMonth() + 1)}-${two(instant.getDate())}`;
  return make("time", { dateTime: text, title: text, class: "nowrap" }, today ? clock : `${day} ${clock}`);
}

function stageState(job, stage) {
  if (job.state === "done") return "done";
  if (stage === job.stage) {
    if (["failed", "refused", "parked", "cancelled"].includes(job.state)) return "stop";
    if (MOVING.includes(job.state)) return "now";
  }
  return stage in job.stage_seconds ? "done" : "";
}

const track = (job) =>
  make("span", { class: "track", title: job.stage ? `at ${job.stage}` : "" }, ...STAGES.map((stage) => make("i", { class: stageState(job, stage) })));

function fault(of) {
  return of.code ? make("div", { class: "fault", role: "alert" }, make("b", {}, of.code), of.message || "") : null;
}

function table(heads, rows) {
  const head = make("tr", {}, ...heads.map((name) => make("th", { class: name.startsWith(">") ? "number" : "" }, name.replace(/^>/, ""))));
  return make("table", {}, make("thead", {}, head), make("tbody", {}, ...rows));
}

const cell = (content, kind) => make("td", { class: kind || "" }, content);

function trail(events, withJob, jobAddress) {
  const rows = events.map((event) => {
    const details = Object.entries(event.details || {})
      .filter(([, value]) => value !== null && value !== "")
      .map(([name, value]) => (name === "sentence" ? value : `${words(name)} ${typeof value === "object" ? JSON.stringify(value) : value}`))
      .join(" · ");
    const tone = { ok: "", refused: "bad", failed: "bad" }[event.outcome];
    const job = event.job_id ? make("a", { href: jobAddress(event.job_id), class: "uid" }, event.job_id.slice(0, 8)) : "";
    return make("tr", {},
      cell(when(event.time), "quiet small"),
      cell(make("span", { class: "nowrap" }, words(event.action))),
      cell(tone ? make("span", { class: `pill ${tone}` }, event.code || event.outcome) : ""),
      ...(withJob ? [cell(job)] : []),
      cell(details, "small quiet"));
  });
  return table(["time", "what", "", ...(withJob ? ["job"] : []), "details"], rows);
}

async function ask(address, options) {
  const answer = await fetch(address, { headers: { Accept: "application/json" }, ...options });
  const body = answer.status === 204 ? null : await answer.json().catch(() => null);
  if (!answer.ok) throw new Error((body && body.message) || `The node answered with status ${answer.status}.`);
  return body;
}

function keepFresh(refresh, pause) {
  const lost = document.getElementById("lost");
  const round = async () => {
    if (!document.hidden) {
      try {
        await refresh();
        lost.hidden = true;
      } catch (error) {
        lost.textContent = `Not up to date: ${error.message}`;
        lost.hidden = false;
      }
    }
    setTimeout(round, pause);
  };
  round();
}
