/* SPDX-License-Identifier: AGPL-3.0-or-later
 *
 * Nodal in Orthanc Explorer: a panel on the study page, and the way to the audit page.
 * Copyright (C) 2026 The Nodal authors
 *
 * This program is free software: you can redistribute it and/or modify it under the terms of the GNU Affero General
 * Public License as published by the Free Software Foundation, either version 3 of the License, or (at your option)
 * any later version. See https://www.gnu.org/licenses/
 */
(function () {
  'use strict';

  var API = '../nodal/api/';
  var UI = '../nodal/ui/';
  var PAUSE = 3000;
  var STAGES = ['select', 'load', 'segment', 'anatomy', 'prognosis', 'encode', 'deliver'];
  var MOVING = ['queued', 'running', 'delivering'];
  var STOPPED = ['failed', 'refused', 'parked', 'cancelled'];
  var KINDS = { seg: 'SEG: lesions', sr: 'SR: measurements', pdf: 'Report (PDF)', summary: 'Summary image', pdf_capture: 'Report as images',
    rotating_mip: 'Rotating MIP', key_images: 'Key images', outlines: 'Outlines', rtstruct: 'RT structures' };
  var TONES = {
    queued: 'wait', running: 'busy', awaiting_review: 'wait', delivering: 'busy', done: 'good', parked: 'bad',
    refused: 'bad', failed: 'bad', waiting: 'wait', selected: 'busy'
  };
  var STYLE =
    '#nodal-panel{background:#fff;border:1px solid #c9d2db;border-radius:9px;padding:14px 18px 16px;margin:0 0 18px;' +
    'color:#1c2530;font:14px/1.5 system-ui,"Noto Sans",sans-serif;text-shadow:none;font-weight:normal}' +
    '#nodal-panel *{text-shadow:none}' +
    '#nodal-panel a{color:#22577a;text-decoration:none;font-weight:500}#nodal-panel a:hover{text-decoration:underline}' +
    '#nodal-panel .n-head{display:flex;flex-wrap:wrap;gap:10px;align-items:baseline}' +
    '#nodal-panel .n-head b{font-size:16px}#nodal-panel .n-head .n-links{margin-left:auto;display:flex;gap:16px}' +
    '#nodal-panel .n-pill{padding:1px 10px;border-radius:12px;font-size:12.5px;font-weight:600;color:#5d6b7a;background:#eceff3}' +
    '#nodal-panel .n-good{color:#1f7a4d;background:#e2f3ea}#nodal-panel .n-busy{color:#22577a;background:#e3eef6}' +
    '#nodal-panel .n-wait{color:#8a6100;background:#fbf1d9}#nodal-panel .n-bad{color:#a3282f;background:#fae6e7}' +
    '#nodal-panel .n-fault{border-left:4px solid #a3282f;background:#fae6e7;padding:8px 14px;border-radius:0 7px 7px 0;margin-top:12px}' +
    '#nodal-panel .n-fault b{display:block;color:#a3282f;font-size:12.5px}' +
    '#nodal-panel .n-stages{display:grid;grid-template-columns:repeat(7,1fr);gap:6px;margin-top:14px}' +
    '#nodal-panel .n-stages span{border-top:4px solid #dde3ea;padding-top:3px;font-size:12.5px;color:#5d6b7a}' +
    '#nodal-panel .n-stages small{display:block;font-size:11.5px;color:#5d6b7a;font-variant-numeric:tabular-nums}' +
    '#nodal-panel .n-stages .done{border-color:#1f7a4d;color:#1c2530}#nodal-panel .n-stages .now{border-color:#22577a;color:#22577a;font-weight:600}' +
    '#nodal-panel .n-stages .stop{border-color:#a3282f;color:#a3282f;font-weight:600}' +
    '#nodal-panel .n-figures{display:flex;flex-wrap:wrap;gap:6px 36px;margin-top:14px}' +
    '#nodal-panel .n-figures span{display:block;font-size:12.5px;color:#5d6b7a}' +
    '#nodal-panel .n-figures b{font-size:20px;font-weight:600;font-variant-numeric:tabular-nums}#nodal-panel .n-figures small{font-size:12.5px;color:#5d6b7a;font-weight:normal}' +
    '#nodal-panel .n-row{display:flex;flex-wrap:wrap;gap:6px 20px;align-items:baseline;margin-top:12px}' +
    '#nodal-panel .n-row>em{font-style:normal;color:#5d6b7a;font-size:12.5px;min-width:74px}' +
    '#nodal-panel .n-quiet{color:#5d6b7a}' +
    '#nodal-panel button{font:inherit;font-weight:500;padding:5px 15px;border:1px solid #c9d2db;border-radius:7px;background:#fff;color:#1c2530;cursor:pointer;box-shadow:none}' +
    '#nodal-panel button:hover{border-color:#22577a}#nodal-panel button.first{background:#22577a;border-color:#22577a;color:#fff}' +
    '#nodal-panel button:disabled{opacity:.5;cursor:default}' +
    '#nodal-panel details{margin-top:12px}#nodal-panel summary{cursor:pointer;font-weight:600}' +
    '#nodal-panel .n-list{max-height:340px;overflow:auto;margin-top:6px}' +
    '#nodal-panel table{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}' +
    '#nodal-panel th{text-align:left;font-weight:500;color:#5d6b7a;font-size:12.5px}' +
    '#nodal-panel th,#nodal-panel td{padding:4px 12px 4px 0;border-bottom:1px solid #eceff3}' +
    '#nodal-panel td.n-number,#nodal-panel th.n-number{text-align:right}#nodal-panel td button{padding:1px 10px;margin-right:6px;font-size:12.5px}' +
    '#nodal-audit-link{text-align:center;margin:0 0 18px}' +
    '#nodal-audit-link a{display:inline-block;padding:5px 18px;border:1px solid #22577a;border-radius:16px;color:#22577a;text-decoration:none;font-weight:600;background:#fff}';

  var found = {};
  var findings = {}; // of each job, once they are there
  var differences = {}; // what each job changed of the one before, once it is known
  var shown = { study: null, timer: null, text: '' };

  function make(tag, kind) {
    var node = document.createElement(tag);
    if (kind) node.className = kind;
    for (var i = 2; i < arguments.length; i++) {
      var child = arguments[i];
      if (child === null || child === undefined || child === '') continue;
      node.appendChild(typeof child === 'string' ? document.createTextNode(child) : child);
    }
    return node;
  }

  function link(text, address, outside) {
    var node = make('a', '', text);
    node.href = address;
    if (outside) { node.target = '_blank'; node.rel = 'noopener'; }
    return node;
  }

  function words(text) { return String(text).replace(/_/g, ' '); }
  function number(value, digits) { return value === null || value === undefined ? '–' : Number(value).toFixed(digits); }
  function seconds(value) { return value < 10 ? value.toFixed(1) + ' s' : value < 120 ? Math.round(value) + ' s' : Math.round(value / 60) + ' min'; }
  function pill(state) { return make('span', 'n-pill n-' + (TONES[state] || 'idle'), words(state)); }
  function jobPage(job) { return UI + 'job/' + encodeURIComponent(job.job_id); }

  function ask(method, address, body) {
    return fetch(address, {
      method: method, credentials: 'same-origin', headers: { 'Accept': 'application/json', 'Content-Type': 'application/json' },
      body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body)
    }).then(function (answer) {
      return answer.text().then(function (text) {
        var value = null;
        try { value = text ? JSON.parse(text) : null; } catch (error) { value = null; }
        if (!answer.ok) throw new Error(value && value.message ? value.message : 'The node answered with status ' + answer.status + '.');
        return value;
      });
    });
  }

  // Orthanc's own id of an instance, by its SOP Instance UID; remembered once it is there
  function lookup(uid) {
    if (found[uid]) return Promise.resolve(found[uid]);
    return ask('POST', '../tools/lookup', uid).then(function (hits) {
      var hit = (hits || []).filter(function (one) { return one.Type === 'Instance'; })[0];
      if (hit) found[uid] = hit.ID;
      return hit ? hit.ID : null;
    }, function () { return null; });
  }

  function results(job) {
    var own = job.deliveries.filter(function (one) { return one.destination === 'orthanc'; });
    return Promise.all(own.map(function (one) {
      return lookup(one.sop_instance_uid).then(function (id) { return id ? { kind: one.kind, id: id } : null; });
    })).then(function (list) { return list.filter(Boolean); });
  }

  function stageState(job, stage) {
    if (job.state === 'done') return 'done';
    if (stage === job.stage && STOPPED.indexOf(job.state) >= 0) return 'stop';
    if (stage === job.stage && MOVING.indexOf(job.state) >= 0) return 'now';
    return stage in job.stage_seconds ? 'done' : '';
  }

  function stages(job) {
    var row = make('div', 'n-stages');
    STAGES.forEach(function (stage) {
      var took = job.stage_seconds[stage];
      row.appendChild(make('span', stageState(job, stage), stage, make('small', '', took === undefined ? '\u00a0' : seconds(took))));
    });
    return row;
  }

  function figure(name, value, unit) {
    return make('div', '', make('span', '', name), make('b', '', value, unit ? make('small', '', ' ' + unit) : null));
  }

  function figures(totals) {
    if (totals.tmtv_ml === undefined) return null;
    return make('div', 'n-figures',
      figure('Total metabolic tumour volume', number(totals.tmtv_ml, 1), 'mL'),
      totals.tlg_g === undefined ? null : figure('Total lesion glycolysis', number(totals.tlg_g, 1), 'g'),
      figure('Lesions', number(totals.lesion_count, 0)),
      figure('SUVmax', number(totals.suv_max, 1)),
      totals.field_of_view === 'partial' ? figure('Field of view', 'limited') : null);
  }

  // the findings of a job; null before there are any
  function findingsOf(job) {
    if (job.stage_seconds.prognosis === undefined) { delete findings[job.job_id]; return Promise.resolve(null); }
    if (findings[job.job_id]) return Promise.resolve(findings[job.job_id]);
    return ask('GET', API + 'jobs/' + job.job_id + '/findings.json').then(function (read) {
      findings[job.job_id] = read;
      return read;
    }, function () { return null; });
  }

  // what the job changed of the one that it replaced; null where it replaced none, or before its findings are there
  function differenceOf(job) {
    if (!job.predecessor || job.stage_seconds.prognosis === undefined) { delete differences[job.job_id]; return Promise.resolve(null); }
    if (differences[job.job_id]) return Promise.resolve(differences[job.job_id]);
    return ask('GET', API + 'jobs/' + job.job_id + '/difference').then(function (read) {
      differences[job.job_id] = read;
      return read;
    }, function () { return null; });
  }

  function changed(read) {
    return read ? make('div', 'n-row', make('em', '', 'Changed'), make('span', '', words(read.cause) + ': ' + read.line.replace(/->/g, '\u2192'))) : null;
  }

  function share(value) {
    if (value === null || value === undefined) return '–';
    if (value > 0 && value < 0.005) return '< 1 %';
    return value < 1 && value >= 0.995 ? '> 99 %' : (100 * value).toFixed(0) + ' %';
  }

  // each row: number, place, volume, SUVmax, status, probability, buttons
  function rowsTable(heads, rows) {
    var numeric = { 0: true, 2: true, 3: true, 5: true };
    var body = make('tbody');
    var line = function (tag, cells) {
      var row = make('tr');
      cells.forEach(function (cell, place) { row.appendChild(make(tag, numeric[place] ? 'n-number' : '', cell)); });
      return row;
    };
    rows.forEach(function (cells) { body.appendChild(line('td', cells)); });
    return make('div', 'n-list', make('table', '', make('thead', '', line('th', heads)), body));
  }

  function status(one, kind) {
    var said = { accepted: 'accepted', to_confirm: 'to be confirmed', rejected: 'not taken' }[kind];
    var tone = { accepted: 'good', to_confirm: 'wait', rejected: 'idle' }[kind];
    return make('span', '', make('span', 'n-pill n-' + tone, said), one.decided_by ? make('span', 'n-quiet', ' by a person') : null);
  }

  // a person's word on a candidate begins a new revision, which takes this job's place here
  function wordButton(text, first, job, body) {
    return button(text, first, function () { return ask('POST', API + 'jobs/' + job.job_id + '/candidates', body); });
  }

  function lesionButtons(job, lesion) {
    if (lesion.p_lesion === null) return '';
    var reject = wordButton(lesion.status === 'to_confirm' ? 'Reject' : 'Not a lesion', false, job, { lesion: lesion.number, is_lesion: false });
    if (lesion.status !== 'to_confirm') return reject;
    return make('span', '', wordButton('Confirm', true, job, { lesion: lesion.number, is_lesion: true }), reject);
  }

  function lesionList(job, read) {
    var lesions = read && read.lesions || [];
    var waiting = lesions.filter(function (one) { return one.status === 'to_confirm'; }).length;
    if (!lesions.length) return null;
    var rows = lesions.map(function (one) {
      return [String(one.number), words(one.station || one.organ || '–'), number(one.volume_ml, 1), number(one.suv_max, 1),
        status(one, one.status), share(one.p_lesion), lesionButtons(job, one)];
    });
    var list = make('details', '', make('summary', '', 'Lesions' + (waiting ? ': ' + waiting + ' to be confirmed' : '')),
      rowsTable(['', 'Site', 'mL', 'SUVmax', 'Status', 'Probability', ''], rows));
    list.open = waiting > 0;
    return list;
  }

  function rejectedList(job, read) {
    var rejected = read && read.rejected_candidates || [];
    if (!rejected.length) return null;
    var rows = rejected.map(function (one) {
      var back = one.hottest_mm ? wordButton('Take back', false, job, { number: one.number, is_lesion: true }) : '';
      return [one.number ? String(one.number) : '–', words(one.organ || '–'), number(one.volume_ml, 1), number(one.suv_max, 1),
        status(one, 'rejected'), share(one.p_lesion), back];
    });
    return make('details', '', make('summary', '', 'Not taken for lesions: ' + rejected.length),
      rowsTable(['', 'Organ', 'mL', 'SUVmax', 'Status', 'Probability', ''], rows));
  }

  // what limits the lesions: a scan that the networks may not judge, or a judge that learned from virtual patients
  function limits(read) {
    var made = read && read.segmentation || {};
    var failed = (made.in_range_features || []).map(words).join(', ');
    if (made.in_range === 'outside') {
      return make('div', 'n-row', 'Scan out of range' + (failed ? ' (' + failed + ')' : '') + ': threshold only; physiological uptake not removed; no prognosis.');
    }
    return made.evidence === 'E0' ? make('div', 'n-row n-quiet', 'Lesions judged by a simulation-trained network, not for clinical use.') : null;
  }

  function deliveries(job) {
    var byPlace = {};
    job.deliveries.forEach(function (one) {
      var place = byPlace[one.destination] = byPlace[one.destination] || {};
      place[one.state] = (place[one.state] || 0) + 1;
    });
    var places = Object.keys(byPlace);
    if (!places.length) return null;
    var row = make('div', 'n-row', make('em', '', 'Delivered'));
    places.forEach(function (name) {
      var states = Object.keys(byPlace[name]).map(function (state) { return byPlace[name][state] + ' ' + words(state); });
      row.appendChild(make('span', '', name + ': ', make('span', 'n-quiet', states.join(', '))));
    });
    return row;
  }

  function button(text, first, act) {
    var node = make('button', first ? 'first' : '', text);
    node.type = 'button';
    node.setAttribute('data-role', 'none');
    node.onclick = function () {
      node.disabled = true;
      act().then(refresh, function (error) { node.disabled = false; complain(error); });
    };
    return node;
  }

  function actions(study, job) {
    var verb = function (name) { return function () { return ask('POST', API + 'jobs/' + job.job_id + '/' + name); }; };
    var row = make('div', 'n-row');
    if (!job) {
      row.appendChild(button('Process with Nodal', true, function () {
        return ask('POST', API + 'studies', { source: 'orthanc', orthanc_id: study.ID, study_instance_uid: study.MainDicomTags.StudyInstanceUID, reason: 'asked in Orthanc' });
      }));
    } else {
      if (job.state === 'awaiting_review') {
        var observer = make('input', '');
        observer.setAttribute('data-role', 'none');
        observer.setAttribute('aria-label', 'your name, for the report');
        observer.placeholder = 'your name, if not your login';
        observer.maxLength = 64;
        row.appendChild(observer);
        row.appendChild(button('Accept', true, function () { return ask('POST', API + 'jobs/' + job.job_id + '/accept', { observer: observer.value || null }); }));
        row.appendChild(button('Reject', false, verb('reject')));
      }
      if (STOPPED.indexOf(job.state) >= 0) row.appendChild(button('Try again', true, verb('retry')));
      if (MOVING.indexOf(job.state) >= 0) row.appendChild(button('Cancel', false, verb('cancel')));
      else row.appendChild(button('Run again', false, function () { return ask('POST', API + 'jobs/' + job.job_id + '/rerun', { from_stage: 'select' }); }));
    }
    return row;
  }

  function fault(of) {
    return of && of.code ? make('div', 'n-fault', make('b', '', of.code), of.message || '') : null;
  }

  function head(state, job) {
    return make('div', 'n-head', make('b', '', 'Nodal'), state ? pill(state) : null,
      job && job.revision ? make('span', 'n-quiet', 'revision ' + job.revision) : null,
      make('span', 'n-links', job ? link('Details', jobPage(job), true) : null, link('Nodal audit', UI + 'audit', true)));
  }

  function drawJob(study, job, objects, read, difference) {
    var files = null;
    if (objects.length) {
      files = make('div', 'n-row', make('em', '', 'Results'));
      objects.forEach(function (one) {
        var pdf = one.kind === 'pdf';
        files.appendChild(link(KINDS[one.kind] || one.kind, pdf ? '../instances/' + one.id + '/pdf' : '#instance?uuid=' + one.id, pdf));
      });
    }
    return [head(job.state, job), fault(job), stages(job), figures(job.summary || {}), changed(difference), limits(read), files, deliveries(job),
      lesionList(job, read), rejectedList(job, read), actions(study, job)];
  }

  function drawIntake(study, intake) {
    if (!intake) return [head(), make('div', 'n-row n-quiet', 'Nodal has not looked at this study.'), actions(study, null)];
    var note = intake.state === 'refused' ? null : make('div', 'n-row n-quiet', 'Nodal is reading this study.');
    return [head(intake.state), fault(intake), note, intake.state === 'refused' ? actions(study, null) : null];
  }

  function put(nodes) {
    var panel = document.getElementById('nodal-panel');
    if (!panel) return;
    var fresh = make('div');
    nodes.filter(Boolean).forEach(function (node) { fresh.appendChild(node); });
    if (fresh.innerHTML === shown.text) return; // nothing new: a click in progress is not disturbed
    shown.text = fresh.innerHTML;
    while (panel.firstChild) panel.removeChild(panel.firstChild);
    panel.appendChild(fresh);
  }

  function complain(error) {
    shown.text = '';
    put([head(), make('div', 'n-row n-quiet', error.message)]);
  }

  function refresh() {
    var study = shown.study;
    if (!study) return Promise.resolve();
    var uid = encodeURIComponent(study.MainDicomTags.StudyInstanceUID || '');
    return ask('GET', API + 'jobs?study=' + uid).then(function (jobs) {
      if (jobs.length) return Promise.all([results(jobs[0]), findingsOf(jobs[0]), differenceOf(jobs[0])]).then(function (all) { return drawJob(study, jobs[0], all[0], all[1], all[2]); });
      return ask('GET', API + 'intakes?study=' + uid).then(function (intakes) { return drawIntake(study, intakes[0]); });
    }).then(function (nodes) { if (shown.study === study) put(nodes); }, function (error) { if (shown.study === study) complain(error); });
  }

  function again() {
    clearTimeout(shown.timer);
    shown.timer = setTimeout(function () {
      var page = $.mobile.activePage;
      if (!shown.study || !page || page.attr('id') !== 'study') return;
      (document.hidden ? Promise.resolve() : refresh()).then(again);
    }, PAUSE);
  }

  function style() {
    if (!document.getElementById('nodal-style')) {
      var node = make('style', '', STYLE);
      node.id = 'nodal-style';
      document.head.appendChild(node);
    }
  }

  $(document).delegate('#study', 'pagebeforeshow', function () {
    style();
    var data = $.mobile.pageData;
    var list = document.getElementById('list-series');
    if (!data || !data.uuid || !list) return;
    if (!document.getElementById('nodal-panel')) {
      var panel = make('div');
      panel.id = 'nodal-panel';
      list.parentNode.insertBefore(panel, list.parentNode.firstChild);
    }
    shown.study = null;
    shown.text = '';
    put([head()]);
    ask('GET', '../studies/' + data.uuid).then(function (study) {
      shown.study = study;
      refresh().then(again);
    }, function () { put([]); });
  });

  $(document).delegate('#study', 'pagehide', function () {
    shown.study = null;
    clearTimeout(shown.timer);
  });

  $(document).delegate('#lookup', 'pagebeforeshow', function () {
    style();
    if (document.getElementById('nodal-audit-link')) return;
    var form = document.getElementById('lookup-form');
    var place = make('p', '', link('Nodal audit', UI + 'audit', true));
    place.id = 'nodal-audit-link';
    form.parentNode.insertBefore(place, form);
  });
})();
