// Equity and price over the bars, as SVG: one column a bar, so nights and weekends take no room.

const SVG = "http://www.w3.org/2000/svg";
const HEIGHTS = { equity: 190, price: 230 };
const MARGIN = { left: 4, right: 62, top: 8, bottom: 20 };
const RANGES = [["1", "1 day"], ["5", "5 days"], ["20", "20 days"], ["all", "all"]];

const view = { range: "all", symbol: null, cursor: null };

function s(tag, attributes, ...children) {
  const element = document.createElementNS(SVG, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

function drawCharts(symbols) {
  const home = $("charts");
  if (past.rows.length === 0) {
    home.replaceChildren(h("h2", {}, "Equity and price"), h("p", { class: "note" }, "No bar has come yet."));
    return;
  }
  if (!symbols.includes(view.symbol)) view.symbol = symbols[0];
  if (!home.querySelector("figure")) frame(home, symbols);
  redraw();
}

function frame(home, symbols) {
  const buttons = RANGES.map(([days, words]) => {
    const button = h("button", { type: "button", "data-days": days, "aria-pressed": days === view.range }, words);
    button.addEventListener("click", () => { view.range = days; view.cursor = null; redraw(); });
    return button;
  });
  const choice = h("select", { "aria-label": "Symbol of the price chart", id: "symbol" }, symbols.map((each) => h("option", {}, each)));
  choice.value = view.symbol;
  choice.addEventListener("change", () => { view.symbol = choice.value; redraw(); });
  home.replaceChildren(
    h("div", { class: "toolbar" }, h("h2", {}, "Equity and price"), symbols.length > 1 ? choice : null,
      h("div", { class: "group", role: "group", "aria-label": "How much is shown" }, buttons)),
    ...["equity", "price"].map((name) => {
      const picture = s("svg", { id: `${name}-chart`, height: HEIGHTS[name], role: "img" });
      picture.addEventListener("pointermove", (event) => point(picture, event));
      picture.addEventListener("pointerdown", (event) => point(picture, event));
      picture.addEventListener("pointerleave", () => { view.cursor = null; moveCursor(); });
      return h("figure", {}, h("figcaption", { id: `${name}-readout` }), picture);
    }),
    h("p", { class: "legend", id: "legend" }),
  );
  new ResizeObserver(redraw).observe(home);
}

// The rows that are shown, by the number of exchange days asked for.
function shownRows() {
  if (view.range === "all") return past.rows;
  let day = null;
  let days = 0;
  for (let at = past.rows.length - 1; at >= 0; at--) {
    const found = dayOf(past.rows[at].end);
    if (found !== day) {
      day = found;
      days += 1;
      if (days > Number(view.range)) return past.rows.slice(at + 1);
    }
  }
  return past.rows;
}

let drawn = null; // what the cursor reads: rows, and per chart its scale

function redraw() {
  const rows = shownRows();
  const width = Math.max(200, $("charts").clientWidth);
  const step = (width - MARGIN.left - MARGIN.right) / Math.max(1, rows.length);
  const x = (at) => MARGIN.left + (at + 0.5) * step;
  drawn = { rows, width, step, x, charts: {} };
  for (const button of $("charts").querySelectorAll("[data-days]")) {
    button.setAttribute("aria-pressed", button.dataset.days === view.range);
  }
  const money = rows.map((row) => row.equity);
  draw("equity", money, money, money, []);
  const bars = rows.map((row) => row.bars[view.symbol] || null);
  draw("price", bars.map((bar) => bar && bar[3]), bars.map((bar) => bar && bar[2]), bars.map((bar) => bar && bar[1]), bars);
  drawLegend(rows);
  moveCursor();
}

function draw(name, values, lows, highs, bars) {
  const { rows, width, x, step } = drawn;
  const picture = $(`${name}-chart`);
  const height = HEIGHTS[name];
  const fills = name === "price" ? marksOf(rows) : [];
  const all = [...lows, ...highs, ...fills.map((fill) => fill.price)].filter((value) => value !== null && value !== undefined);
  picture.setAttribute("viewBox", `0 0 ${width} ${height}`);
  const scale = scaleOf(all, MARGIN.top, height - MARGIN.bottom);
  drawn.charts[name] = { values, y: scale.y };
  picture.replaceChildren(
    ...shades(rows, height),
    ...gridOf(scale, width),
    ...daysOf(rows, height, width),
    ...rangesOf(bars, scale.y),
    s("path", { class: `${name} line`, d: lineOf(values, x, scale.y) }),
    ...(name === "price" ? missingOf(rows, height) : []),
    ...fills.map((fill) => markOf(fill, scale.y)),
    s("line", { class: "cursor", y1: MARGIN.top, y2: height - MARGIN.bottom, x1: 0, x2: 0 }),
    s("circle", { class: "dot", r: 3 }),
  );
  const last = values.findLast((value) => value !== null && value !== undefined);
  const words = name === "equity" ? "Equity in dollars" : `Price of ${view.symbol} in dollars, with fills`;
  picture.setAttribute("aria-label", `${words}; last ${number(last)}`);
}

// --- scales --------------------------------------------------------------------------------------

function scaleOf(values, top, bottom) {
  let low = Infinity;
  let high = -Infinity;
  for (const value of values) {
    if (value < low) low = value;
    if (value > high) high = value;
  }
  if (low > high) [low, high] = [0, 1];
  if (low === high) [low, high] = [low - Math.max(0.01, low * 0.001), high + Math.max(0.01, high * 0.001)];
  const room = (high - low) * 0.06;
  [low, high] = [low - room, high + room];
  return { y: (value) => bottom - ((value - low) / (high - low)) * (bottom - top), low, high };
}

function gridOf({ y, low, high }, width) {
  const rough = (high - low) / 5;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = power * [1, 2, 2.5, 5, 10].find((each) => each * power >= rough);
  const decimals = Math.max(0, Math.min(4, step % 1 ? Math.ceil(-Math.log10(step)) + (String(step / power) === "2.5" ? 1 : 0) : 0));
  const found = [];
  for (let at = Math.ceil(low / step) * step; at <= high; at += step) {
    const place = Math.round(y(at)) + 0.5;
    found.push(s("line", { class: "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: place, y2: place }));
    found.push(s("text", { x: width - MARGIN.right + 6, y: place + 4 }, number(at, decimals)));
  }
  return found;
}

// A tick and a date where an exchange day begins, as many as have room.
function daysOf(rows, height, width) {
  const { x, step } = drawn;
  const bottom = height - MARGIN.bottom;
  const found = [s("line", { class: "axis", x1: MARGIN.left, x2: width - MARGIN.right, y1: bottom + 0.5, y2: bottom + 0.5 })];
  let day = null;
  let free = -Infinity;
  for (let at = 0; at < rows.length; at++) {
    const next = dayOf(rows[at].end);
    if (next === day) continue;
    day = next;
    const place = x(at) - step / 2;
    if (place < free || place > width - MARGIN.right - 60) continue;
    free = place + 76;
    found.push(s("line", { class: "axis", x1: place, x2: place, y1: bottom, y2: bottom + 4 }));
    found.push(s("text", { x: place + 3, y: height - 5 }, day));
  }
  return found;
}

// --- what is drawn -------------------------------------------------------------------------------

function lineOf(values, x, y) {
  let path = "";
  let pen = "M";
  values.forEach((value, at) => {
    if (value === null || value === undefined) {
      pen = "M";
      return;
    }
    path += `${pen}${x(at).toFixed(1)} ${y(value).toFixed(1)}`;
    pen = "L";
  });
  return path;
}

function rangesOf(bars, y) {
  const { x, step } = drawn;
  if (bars.length === 0) return [];
  let path = "";
  bars.forEach((bar, at) => {
    if (bar) path += `M${x(at).toFixed(1)} ${y(bar[1]).toFixed(1)}V${(y(bar[2]) + 0.5).toFixed(1)}`;
  });
  return [s("path", { class: "ranges", d: path, "stroke-width": Math.max(0.6, Math.min(6, step * 0.6)).toFixed(1) })];
}

function missingOf(rows, height) {
  const { x, step } = drawn;
  const found = [];
  rows.forEach((row, at) => {
    if (!row.missing.includes(view.symbol)) return;
    found.push(s("rect", { class: "missing", x: (x(at) - step / 2).toFixed(1), y: height - MARGIN.bottom - 5, width: Math.max(1.5, step).toFixed(1), height: 5 }));
  });
  return found;
}

function shades(rows, height) {
  const { x, step } = drawn;
  const found = [];
  let from = 0;
  rows.forEach((row, at) => {
    if (at + 1 < rows.length && rows[at + 1].state === row.state) return;
    if (row.state !== "ACTIVE") {
      found.push(s("rect", { class: `shade ${row.state}`, x: (x(from) - step / 2).toFixed(1), y: MARGIN.top,
        width: (x(at) - x(from) + step).toFixed(1), height: height - MARGIN.top - MARGIN.bottom }));
    }
    from = at + 1;
  });
  return found;
}

function marksOf(rows) {
  return rows.flatMap((row, at) => row.fills.filter((fill) => fill.symbol === view.symbol).map((fill) => ({ ...fill, column: at })));
}

function markOf(fill, y) {
  const at = drawn.x(fill.column);
  const level = y(fill.price);
  const way = fill.side === "buy" ? 1 : -1; // a buy points up from below its price
  const points = `${at},${level} ${at - 5},${level + way * 9} ${at + 5},${level + way * 9}`;
  const words = `${fill.side} ${fill.quantity} ${fill.symbol} at ${number(fill.price)}, ${stamp(fill.at)}${fill.reason ? `: ${fill.reason}` : ""}`;
  return s("polygon", { class: `mark ${fill.side}`, points }, s("title", {}, words));
}

function drawLegend(rows) {
  const states = ["REDUCING", "PAUSED", "HALTED"].filter((state) => rows.some((row) => row.state === state));
  const key = (name, words) => h("span", {}, h("i", { class: name }), words);
  const fills = marksOf(rows);
  $("legend").replaceChildren(
    ...[
      fills.some((fill) => fill.side === "buy") && key("buy", "bought"),
      fills.some((fill) => fill.side === "sell") && key("sell", "sold"),
      rows.some((row) => row.missing.includes(view.symbol)) && key("gap", "bar missing"),
      ...states.map((state) => key(state, state)),
    ].filter(Boolean),
  );
}

// --- the cursor ----------------------------------------------------------------------------------

function point(picture, event) {
  const box = picture.getBoundingClientRect();
  const at = Math.floor(((event.clientX - box.left) * (drawn.width / box.width) - MARGIN.left) / drawn.step);
  view.cursor = Math.max(0, Math.min(drawn.rows.length - 1, at));
  moveCursor();
}

function moveCursor() {
  const { rows, x, charts } = drawn;
  const chosen = view.cursor !== null && view.cursor < rows.length;
  const at = chosen ? view.cursor : rows.length - 1;
  const row = rows[at];
  for (const [name, { values, y }] of Object.entries(charts)) {
    const picture = $(`${name}-chart`);
    const [line, dot] = [picture.querySelector(".cursor"), picture.querySelector(".dot")];
    line.setAttribute("x1", Math.round(x(at)) + 0.5);
    line.setAttribute("x2", Math.round(x(at)) + 0.5);
    line.style.visibility = chosen ? "visible" : "hidden";
    const value = values[at];
    const has = value !== null && value !== undefined;
    dot.style.visibility = chosen && has ? "visible" : "hidden";
    if (has) {
      dot.setAttribute("cx", x(at));
      dot.setAttribute("cy", y(value));
    }
  }
  const state = row.state === "ACTIVE" ? null : h("span", {}, row.state);
  $("equity-readout").replaceChildren(h("span", {}, "Equity ", h("b", {}, number(row.equity)), " USD"), ...(state ? [state] : []), h("span", { class: "when" }, `bar to ${stamp(row.end)}`));
  const bar = row.bars[view.symbol];
  const price = bar
    ? ["open", "high", "low", "close"].map((word, place) => h("span", {}, `${word} `, h("b", {}, number(bar[place]))))
    : [h("span", {}, row.missing.includes(view.symbol) ? "bar missing" : "no bar")];
  $("price-readout").replaceChildren(h("span", {}, h("b", {}, view.symbol)), ...price);
}
