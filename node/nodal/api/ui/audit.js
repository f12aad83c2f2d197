"use strict";

const GROUPS = {
  all: () => true,
  "in work": (job) => MOVING.includes(job.state),
  "to review": (job) => job.state === "awaiting_review",
  "needs a look": (job) => ["refused", "failed", "parked"].includes(job.state),
  done: (job) => job.state === "done",
};
let group = "all";
let jobs = [];

const jobAddress = (id) => `job/${encodeURIComponent(id)}`;

function jobRow(job) {
  const found = job.summary || {};
  const row = make("tr", { class: "open", tabIndex: 0 },
    cell(when(job.updated), "quiet small"),
    cell(make("a", { href: jobAddress(job.job_id), class: "uid nowrap", title: job.job_id }, job.job_id.slice(0, 8) + job.job_id.slice(32))),
    cell(uid(job.study_instance_uid)),
    cell(pill(job.state)),
    cell(track(job)),
    cell(total(job) ? seconds(total(job)) : "", "number"),
    cell(shown(found.tmtv_ml, 1), "number"),
    cell(shown(found.lesion_count, 0), "number"),
    cell(shown(found.suv_max, 1), "number"),
    cell(job.code ? make("span", {}, make("b", { class: "small" }, job.code), ` ${job.message || ""}`)
      : found.field_of_view === "partial" ? "limited field of view" : "", "small quiet"));
  row.addEventListener("click", () => { location.href = jobAddress(job.job_id); });
  row.addEventListener("keydown", (event) => { if (event.key === "Enter") location.href = jobAddress(job.job_id); });
  return row;
}

function drawJobs() {
  const wanted = jobs.filter(GROUPS[group]);
  document.getElementById("job-count").textContent = String(wanted.length);
  const heads = ["changed", "job", "study", "state", "stages", ">time", ">TMTV mL", ">lesions", ">SUVmax", ""];
  document.getElementById("jobs").replaceChildren(
    wanted.length ? table(heads, wanted.map(jobRow)) : make("p", { class: "empty" }, jobs.length ? "None of this kind." : "No study has come yet."));
  document.getElementById("filters").replaceChildren(...Object.keys(GROUPS).map((name) =>
    make("button", { "aria-pressed": String(name === group), onclick: () => { group = name; drawJobs(); } },
      name === "all" ? "all" : `${name} ${jobs.filter(GROUPS[name]).length}`)));
}

function drawIntakes(intakes) {
  const open = intakes.filter((intake) => !intake.job_id);
  document.getElementById("intake-section").hidden = !open.length;
  document.getElementById("intake-count").textContent = String(open.length);
  document.getElementById("intakes").replaceChildren(table(["changed", "study", "from", "state", ""], open.slice(0, 100).map((intake) =>
    make("tr", {}, cell(when(intake.updated), "quiet small"), cell(uid(intake.study_instance_uid)), cell(intake.source.kind),
      cell(pill(intake.state)),
      cell(intake.code ? make("span", {}, make("b", { class: "small" }, intake.code), ` ${intake.message || ""}`) : "", "small quiet")))));
}

function drawHealth(health) {
  const broken = Object.entries(health.parts || {}).filter(([, works]) => works === false).map(([name]) => name);
  document.getElementById("health").replaceChildren(
    make("span", { class: `pill ${health.status === "ok" ? "good" : "bad"}` }, health.status),
    ` version ${health.version} · ${Math.round(health.disk_free_gb)} GB free`,
    broken.length ? make("b", {}, ` · not working: ${broken.join(", ")}`) : "");
}

async function refresh() {
  const [known, intakes, events, health] = await Promise.all(
    [ask("../api/jobs"), ask("../api/intakes"), ask("../api/audit?limit=200"), ask("../api/health")]);
  drawHealth(health);
  jobs = known;
  drawJobs();
  drawIntakes(intakes);
  document.getElementById("trail").replaceChildren(
    events.length ? trail(events, true, jobAddress) : make("p", { class: "empty" }, "Nothing has happened yet."));
}

document.getElementById("archive").hidden = !location.pathname.includes("/nodal/ui/");
keepFresh(refresh, 5000);
