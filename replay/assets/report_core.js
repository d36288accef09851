// The run's data, unpacked, and how instants and numbers are written. Loaded first.
(function (report) {
  "use strict";

  const data = JSON.parse(document.getElementById("run-data").textContent);
  const ZONE = "America/New_York";
  const NO_BREAK = "\u00a0";

  /** A packed column (see replay/report/data.py) as numbers in its unit. */
  function unpack(column) {
    if (column.first === null) return new Float64Array(0);
    let differences = column.data;
    if (column.kind !== "list") {
      const bytes = Uint8Array.from(atob(column.data), (letter) => letter.charCodeAt(0));
      differences =
        column.kind === "h" ? new Int16Array(bytes.buffer) : new Int32Array(bytes.buffer);
    }
    const values = new Float64Array(differences.length + 1);
    let total = column.first;
    values[0] = total / column.per;
    for (let at = 0; at < differences.length; at++) {
      total += differences[at];
      values[at + 1] = total / column.per;
    }
    return values;
  }

  function unpackAll(columns) {
    const unpacked = {};
    for (const [name, value] of Object.entries(columns)) {
      unpacked[name] = value !== null && typeof value === "object" && "kind" in value ? unpack(value) : value;
    }
    return unpacked;
  }

  report.count = data.count;
  report.startingCash = data.startingCash;
  report.rows = unpackAll(data.rows);
  report.sessions = unpackAll(data.sessions);
  report.symbols = data.symbols.map(unpackAll);
  report.states = data.states;
  report.trades = unpackAll(data.trades);
  report.clockMs = data.clock * 1000;

  /** The last place in ascending `values` that is not above `wanted`; -1 if all are. */
  report.lastAtMost = function (values, wanted) {
    let low = 0;
    let high = values.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (values[middle] <= wanted) low = middle + 1;
      else high = middle;
    }
    return low - 1;
  };

  /** The instant (ms) at which slice `x` ends; between drawn rows an estimate. */
  report.timeAt = function (x) {
    const { x: places, end } = report.rows;
    const row = Math.max(0, report.lastAtMost(places, x));
    const next = Math.min(row + 1, places.length - 1);
    const span = places[next] - places[row];
    const part = span > 0 ? (x - places[row]) / span : 0;
    return (end[row] + part * (end[next] - end[row])) * report.clockMs;
  };

  const clock = new Intl.DateTimeFormat("en-US", {
    timeZone: ZONE,
    year: "numeric",
    month: "2-digit",
    day: "2-digit",
    hour: "2-digit",
    minute: "2-digit",
    hourCycle: "h23",
    timeZoneName: "short",
  });

  function parts(ms) {
    const found = {};
    for (const part of clock.formatToParts(new Date(ms))) found[part.type] = part.value;
    return found;
  }

  /** 2024-01-02 10:30, in exchange time; with its zone where `zone` is set. */
  report.stamp = function (ms, zone) {
    const is = parts(ms);
    const written = `${is.year}-${is.month}-${is.day} ${is.hour}:${is.minute}`;
    return zone ? `${written} ${is.timeZoneName}` : written;
  };

  report.timeOfDay = function (ms) {
    const is = parts(ms);
    return `${is.hour}:${is.minute}`;
  };

  const formats = new Map();

  /** A number with thousands separators and a true minus sign. */
  report.number = function (value, decimals, signed) {
    if (value === null || value === undefined || Number.isNaN(value)) return "n/a";
    const key = `${decimals}${signed ? "s" : ""}`;
    if (!formats.has(key)) {
      formats.set(
        key,
        new Intl.NumberFormat("en-US", {
          minimumFractionDigits: decimals,
          maximumFractionDigits: decimals,
          signDisplay: signed ? "exceptZero" : "negative",
        }),
      );
    }
    return formats.get(key).format(value).replace("-", "\u2212");
  };

  report.percent = function (value, decimals, signed) {
    return report.number(value, decimals, signed) + NO_BREAK + "%";
  };

  /** A price with as many decimals as its size needs. */
  report.price = function (value) {
    return report.number(value, Math.abs(value) < 10 ? 4 : 2);
  };

  /** An element with text and attributes; text is never read as markup. */
  report.element = function (tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value !== null && value !== undefined) element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  };

  const NAMES = ["ink", "muted", "rule", "paper", "accent", "gain", "loss", "hold", "fall", "bar", "range", "gap"];
  const SHADES = ["missing", "reducing", "paused", "halted"];

  /** The page's colours as the style sheet has them now (they follow light, dark and print). */
  report.colours = {};
  report.readColours = function () {
    const style = getComputedStyle(document.documentElement);
    for (const name of NAMES) report.colours[name] = style.getPropertyValue(`--${name}`).trim();
    for (const name of SHADES) report.colours[name] = style.getPropertyValue(`--shade-${name}`).trim();
    report.font = `11px ${getComputedStyle(document.body).fontFamily}`;
  };

  const copy = document.getElementById("copy-config");
  copy.addEventListener("click", async () => {
    const said = document.getElementById("copy-said");
    const config = document.getElementById("config");
    try {
      await navigator.clipboard.writeText(config.textContent);
      said.textContent = "copied";
    } catch {
      config.hidden = false;
      getSelection().selectAllChildren(config);
      said.textContent = "selected below: copy it with the keyboard";
    }
  });
})((window.papertapeReport = {}));
