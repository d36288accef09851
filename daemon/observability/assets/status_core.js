"use strict";
// What all parts of the page use: elements, numbers, instants in exchange time, and asking.

const ZONE = "America/New_York";
const ASK_EVERY_MS = 1000;
const ANSWER_WITHIN_MS = 8000;
const LATE_S = 3; // the event loop comes by every second
const BLOCKED_S = 10; // what /healthz calls blocked

const $ = (id) => document.getElementById(id);

// An element; texts go in as text, never as markup. `nothing` children are left out.
function h(tag, attributes, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes || {})) {
    if (value !== undefined && value !== null && value !== false) element.setAttribute(name, value);
  }
  element.append(...children.flat().filter((child) => child !== undefined && child !== null && child !== ""));
  return element;
}

// --- numbers and instants -----------------------------------------------------------------------

const formats = new Map();

function number(value, decimals = 2) {
  if (value === null || value === undefined) return "n/a";
  if (!formats.has(decimals)) {
    formats.set(decimals, new Intl.NumberFormat("en-US", { minimumFractionDigits: decimals, maximumFractionDigits: decimals }));
  }
  const written = formats.get(decimals).format(value).replace("-", "−");
  return /^−[0.,]+$/.test(written) ? written.slice(1) : written;
}

function signed(value, decimals = 2) {
  const written = number(value, decimals);
  return value > 0 && /[1-9]/.test(written) ? "+" + written : written;
}

const tone = (value) => (value > 0.005 ? "gain" : value < -0.005 ? "loss" : "");

const clock = new Intl.DateTimeFormat("en-CA", {
  timeZone: ZONE, year: "numeric", month: "2-digit", day: "2-digit",
  hour: "2-digit", minute: "2-digit", second: "2-digit", hourCycle: "h23", timeZoneName: "short",
});

// Parts of an instant (seconds since 1970) in exchange time; remembered, for charts ask again.
const known = new Map();
function parts(seconds) {
  let found = known.get(seconds);
  if (!found) {
    found = Object.fromEntries(clock.formatToParts(seconds * 1000).map((part) => [part.type, part.value]));
    if (known.size > 5000) known.clear();
    known.set(seconds, found);
  }
  return found;
}

const dayOf = (seconds) => (({ year, month, day }) => `${year}-${month}-${day}`)(parts(seconds));

function stamp(seconds, { zone = true } = {}) {
  const at = parts(seconds);
  const second = at.second === "00" ? "" : ":" + at.second;
  return `${dayOf(seconds)} ${at.hour}:${at.minute}${second}${zone ? " " + at.timeZoneName : ""}`;
}

const secondsOf = (iso) => (iso ? Math.floor(Date.parse(iso) / 1000) : null);
const when = (iso) => (iso ? stamp(secondsOf(iso)) : "n/a");

function span(seconds) {
  const minutes = Math.round(seconds / 60);
  if (seconds < 90) return `${Math.max(0, Math.round(seconds))} s`;
  if (minutes < 90) return `${minutes} min`;
  return minutes < 48 * 60 ? `${Math.round(minutes / 60)} h` : `${Math.round(minutes / 1440)} days`;
}

// --- asking --------------------------------------------------------------------------------------

async function ask(path) {
  const answer = await fetch(path, { cache: "no-store", signal: AbortSignal.timeout(ANSWER_WITHIN_MS) });
  if (!answer.ok) throw new Error(`${path}: ${answer.status}`);
  return answer.json();
}

// The rows of the charts: whole at first, then what each answer brings, whole again after a gap.
const past = { rows: [], revision: -1, started: null };

async function follow(answer) {
  const started = answer.document.daemon.started;
  const last = past.rows.length ? past.rows[past.rows.length - 1].number : -1;
  const news = answer.rows;
  const fits = past.started === started && past.revision === answer.revision
    && (news.length === 0 || news[0].number <= last + 1);
  if (!fits) {
    const whole = await ask("history.json");
    Object.assign(past, { rows: whole.rows, revision: whole.revision, started });
    return true;
  }
  const fresh = news.filter((row) => row.number > last);
  past.rows.push(...fresh);
  past.rows.splice(0, Math.max(0, past.rows.length - 2000));
  return fresh.length > 0;
}
