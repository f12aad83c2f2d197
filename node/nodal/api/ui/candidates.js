// Lesions and rejected candidates of a job, and a person's word on each.
"use strict";

const share = (value) => (value === null || value === undefined ? "–" : value > 0 && value < 0.005 ? "< 1 %" : value < 1 && value >= 0.995 ? "> 99 %" : `${(100 * value).toFixed(0)} %`);
const place = (one) => words(one.station || one.organ || "–");

function standing(one, status) {
  const tone = { accepted: "good", to_confirm: "wait", rejected: "idle" }[status];
  const said = { accepted: "accepted", to_confirm: "to be confirmed", rejected: "not taken" }[status];
  return make("span", {}, make("span", { class: `pill ${tone}` }, said), one.decided_by === "person" ? make("span", { class: "quiet small" }, " by a person") : null);
}

function wordButton(name, title, first, decide) {
  return make("button", { class: first ? "first small" : "small", title, onclick: (event) => { event.target.disabled = true; decide(); } }, name);
}

function lesionButtons(lesion, decide) {
  if (lesion.p_lesion === null) return "";
  const say = (isLesion) => () => decide({ lesion: lesion.number, is_lesion: isLesion });
  const reject = wordButton(lesion.status === "to_confirm" ? "Reject" : "Not a lesion", "Leave it out, and draw the lesions anew", false, say(false));
  if (lesion.status !== "to_confirm") return reject;
  return make("span", { class: "actions" }, wordButton("Confirm", "Take it for a lesion, and draw the lesions anew", true, say(true)), reject);
}

// decide: called with what the node is to be told; null where nothing can be decided in the job's state
function lesionTable(findings, decide) {
  const lesions = findings.lesions || [];
  if (!lesions.length) return make("p", { class: "empty" }, "No lesion.");
  return table(["", "site", ">volume, mL", ">SUVmax", "status", ">probability", ""], lesions.map((lesion) => make("tr", {},
    cell(String(lesion.number), "number"), cell(place(lesion)), cell(shown(lesion.volume_ml, 1), "number"), cell(shown(lesion.suv_max, 1), "number"),
    cell(standing(lesion, lesion.status)), cell(share(lesion.p_lesion), "number"), cell(decide ? lesionButtons(lesion, decide) : ""))));
}

function rejectedTable(findings, decide) {
  return table(["", "organ", ">volume, mL", ">SUVmax", "status", ">probability", ""], (findings.rejected_candidates || []).map((one) => make("tr", {},
    cell(one.number ? String(one.number) : "–", "number"), cell(place(one)), cell(shown(one.volume_ml, 1), "number"), cell(shown(one.suv_max, 1), "number"),
    cell(standing(one, "rejected")), cell(share(one.p_lesion), "number"),
    cell(decide && one.hottest_mm ? wordButton("Take back", "Take it for a lesion, and draw the lesions anew", false, () => decide({ number: one.number, is_lesion: true })) : ""))));
}

function rangeNote(findings) {
  const made = findings.segmentation || {};
  const failed = (made.in_range_features || []).map(words).join(", ");
  if (made.in_range === "outside") return `Scan out of range${failed ? ` (${failed})` : ""}: threshold only; physiological uptake not removed; no prognosis.`;
  const [low, high] = findings.totals.tmtv_range_ml;
  const judge = made.evidence === "E0" ? " Judged by a simulation-trained network, not for clinical use." : "";
  return `${high - low > 0.05 ? `Volume ${shown(low, 1)} mL accepted, ${shown(high, 1)} mL with lesions to be confirmed.` : ""}${judge}`.trim();
}
