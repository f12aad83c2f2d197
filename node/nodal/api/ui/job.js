"use strict";

const id = decodeURIComponent(location.pathname.split("/").pop());
const here = `../../api/jobs/${encodeURIComponent(id)}`;
const behindOrthanc = location.pathname.includes("/nodal/ui/");
const put = (place, ...nodes) => document.getElementById(place).replaceChildren(...nodes.filter(Boolean));
const KINDS = { seg: "SEG", sr: "SR", pdf: "PDF", summary: "summary image", pdf_capture: "PDF as images",
  rotating_mip: "rotating MIP", key_images: "key images", outlines: "outlines", rtstruct: "RT structures", fhir: "FHIR report" };
let drawn = "";
let findings = null;  // once they are there they stay as they are, unless the job is run anew
let difference = null;  // as the findings; null too where the job replaced none

const fact = (name, value) => (value ? [make("dt", {}, name), make("dd", {}, value)] : []);
const figure = (name, value, unit) => make("div", {}, make("dt", {}, name), make("dd", {}, value, unit ? make("small", {}, ` ${unit}`) : ""));

function drawStages(job) {
  put("stages", ...STAGES.map((stage) => {
    const state = stageState(job, stage);
    const took = job.stage_seconds[stage];
    const note = took !== undefined ? seconds(took) : { now: "in work", stop: "stopped here", done: "" }[state] || "";
    return make("li", { class: state }, stage, make("small", {}, note || "\u00a0"));
  }));
}

function drawFound(found) {
  document.getElementById("found").hidden = found.tmtv_ml === undefined;
  put("figures",
    figure("Total metabolic tumour volume", shown(found.tmtv_ml, 1), "mL"),
    "tlg_g" in found ? figure("Total lesion glycolysis", shown(found.tlg_g, 1), "g") : null,
    figure("Lesions", shown(found.lesion_count, 0)),
    figure("SUVmax", shown(found.suv_max, 1)),
    found.field_of_view ? figure("Field of view", { whole: "whole body", partial: "limited" }[found.field_of_view] || found.field_of_view) : null);
}

function drawDifference() {
  const place = document.getElementById("difference");
  place.hidden = !difference;
  if (difference) put("difference", `${words(difference.cause)}: ${difference.line.replaceAll("->", "\u2192")}`);
}

// A word on a candidate begins a new revision: none on a job that another has replaced, or whose findings are not there.
function drawLesions(job, found) {
  document.getElementById("lesions-section").hidden = !found;
  if (!found) return;
  const decide = job.state === "superseded" ? null : (word) => act("candidates", word, "word-refusal");
  document.getElementById("range").textContent = rangeNote(found);
  put("lesions", lesionTable(found, decide));
  document.getElementById("rejected-section").hidden = !(found.rejected_candidates || []).length;
  put("rejected", rejectedTable(found, decide));
}

async function act(path, body, place = "refusal") {
  const refusal = document.getElementById(place);
  refusal.hidden = true;
  try {
    const view = await ask(`${here}/${path}`, { method: "POST", headers: { "Content-Type": "application/json" }, body: body ? JSON.stringify(body) : null });
    if (view.job_id !== id) location.href = encodeURIComponent(view.job_id);
    else { drawn = ""; await refresh(); }
  } catch (error) {
    refusal.textContent = error.message;
    refusal.hidden = false;
    drawn = "";  // what was disabled comes back with the next round
  }
}

function drawActions(job) {
  const button = (name, path, first) => make("button", { class: first ? "first" : "", onclick: () => act(path) }, name);
  const stage = make("select", { "aria-label": "stage" }, ...STAGES.slice(0, -1).map((name) => make("option", { value: name }, name)));
  const rerun = make("button", { onclick: () => act("rerun", { from_stage: stage.value }) }, "Run again from");
  const buttons = [];
  if (["awaiting_review", "done"].includes(job.state) && job.cause !== "review") {
    const waits = job.state === "awaiting_review";
    const observer = make("input", { id: "observer", "aria-label": "your name, for the report", placeholder: behindOrthanc ? "your name, if not your login" : "your name, for the report", maxlength: "64" });
    const accept = make("button", { class: waits ? "first" : "", title: "Makes a verified report, in your name", onclick: () => act("accept", { observer: observer.value || null }) }, waits ? "Accept" : "Verify");
    buttons.push(observer, accept);
    if (waits) buttons.push(button("Reject", "reject"));
  }
  const undelivered = job.state === "done" && job.deliveries.some((one) => one.state === "refused_permanent");
  if (["failed", "refused", "parked", "cancelled"].includes(job.state)) buttons.push(button("Try again", "retry", true));
  if (undelivered) buttons.push(button("Send again what was refused", "retry"));
  if (MOVING.includes(job.state)) buttons.push(button("Cancel", "cancel"));
  if (job.state !== "superseded" && !MOVING.includes(job.state)) buttons.push(rerun, stage);
  put("actions", ...(buttons.length ? buttons : [make("p", { class: "empty" }, "Nothing to do here: another job took this one's place.")]));
}

function drawFiles(job, objects) {
  const made = objects.length > 0;
  const seen = new Map(objects.map((entry) => [entry.sop_instance_uid, entry]));
  const links = [...seen.values()].map((entry) =>
    make("li", {}, make("a", { href: `${here}/objects/${entry.sop_instance_uid}`, download: "" }, `${KINDS[entry.kind] || entry.kind} (${entry.kind === "fhir" ? "JSON" : "DICOM"})`),
      make("span", { class: "quiet small" }, ` for ${objects.filter((one) => one.sop_instance_uid === entry.sop_instance_uid).map((one) => one.target).join(", ")}`)));
  document.getElementById("files-title").hidden = !made;
  put("files",
    made ? make("li", {}, make("a", { href: `${here}/report.pdf` }, "Report (PDF)")) : null,
    made ? make("li", {}, make("a", { href: `${here}/findings.json` }, "findings.json")) : null, ...links);
}

function drawDeliveries(job) {
  document.getElementById("deliveries-section").hidden = !job.deliveries.length;
  put("deliveries", table(["destination", "object", "state", ">attempts", "changed", ""], job.deliveries.map((one) => make("tr", {},
    cell(one.destination), cell(make("span", { title: one.sop_instance_uid }, KINDS[one.kind] || one.kind)), cell(pill(one.state)), cell(String(one.attempts), "number"),
    cell(one.updated ? when(one.updated) : "", "quiet small"),
    cell(one.code ? make("span", {}, make("b", { class: "small" }, one.code), ` ${one.message || ""}`) : "", "small quiet")))));
}

async function refresh() {
  const [job, objects] = await Promise.all([ask(here), ask(`${here}/objects`)]);
  const [events, revisions] = await Promise.all([
    ask(`../../api/audit?limit=500&job=${encodeURIComponent(id)}`), ask(`../../api/jobs?study=${encodeURIComponent(job.study_instance_uid)}`)]);
  if (!("prognosis" in job.stage_seconds)) findings = difference = null;
  else if (!findings) {
    findings = await ask(`${here}/findings.json`).catch(() => null);
    difference = job.predecessor ? await ask(`${here}/difference`).catch(() => null) : null;
  }
  const news = JSON.stringify([job, objects, events.length, revisions.length, Boolean(findings)]);
  if (news === drawn) return;
  drawn = news;
  const others = revisions.filter((one) => one.job_id !== id);
  put("name", job.job_id);
  put("state", pill(job.state));
  put("fault", fault(job));
  drawStages(job);
  drawFound(job.summary || {});
  drawDifference();
  drawLesions(job, findings);
  const link = (one) => make("a", { href: encodeURIComponent(one), class: "uid" }, one);
  put("facts", ...fact("Study Instance UID", make("span", { class: "uid" }, job.study_instance_uid)),
    ...fact("Revision", `${job.revision}, by ${words(job.cause)}`),
    ...fact("Entered", when(job.created)), ...fact("Changed", when(job.updated)),
    ...fact("Time in stages", total(job) ? seconds(total(job)) : ""),
    ...fact("Takes the place of", job.predecessor ? link(job.predecessor) : null),
    ...others.filter((one) => one.job_id !== job.predecessor).flatMap((one) => fact("Same study", make("span", {}, link(one.job_id), " ", pill(one.state)))));
  drawActions(job);
  drawFiles(job, objects);
  drawDeliveries(job);
  put("trail", events.length ? trail(events, false, encodeURIComponent) : make("p", { class: "empty" }, "Nothing recorded."));
  const archive = document.getElementById("archive");
  archive.hidden = !(behindOrthanc && job.orthanc_id);
  archive.href = `../../../app/explorer.html#study?uuid=${encodeURIComponent(job.orthanc_id || "")}`;
}

document.title = `Nodal job ${id.slice(0, 8)}`;
keepFresh(refresh, 3000);
