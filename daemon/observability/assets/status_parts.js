// The parts of the page besides the charts, and the loop that asks and shows.

// A part is made again only when what it shows has changed, so that a selection survives.
const shown = new Map();
function part(id, data, make) {
  const text = JSON.stringify(data);
  if (shown.get(id) === text) return;
  shown.set(id, text);
  const made = make(data);
  $(id).replaceChildren(...(Array.isArray(made) ? made.filter(Boolean) : [made]));
}

const LATEST = 14;

const LIMITS = {
  max_position_shares: ["Position", 0, "shares"],
  max_position_usd: ["Position", 0, "USD"],
  max_order_usd: ["Order", 0, "USD"],
  max_gross_leverage: ["Leverage", 2, "x"],
  price_collar_pct: ["Distance from the last close", 2, "%"],
  min_cash_usd: ["Cash above its floor", 0, "USD"],
  max_orders_per_hour: ["Orders in an hour", 0, ""],
  max_orders_per_day: ["Orders today", 0, ""],
  max_daily_loss_usd: ["Loss today", 2, "USD"],
  max_drawdown_pct: ["Drawdown", 2, "%"],
};

function showHead(document_) {
  part("head", [document_.name, document_.state, document_.warming, document_.holds, document_.latched, document_.latch,
    document_.flatten, document_.flattening, document_.daemon.blocked, document_.positions, document_.feed], () => {
    const { state, warming, latch } = document_;
    const why = document_.holds.map((hold) =>
      h("li", { class: hold.level }, h("b", {}, `${hold.level} by ${hold.source}`), ` since ${when(hold.since)}: ${hold.reason || "no reason given"}`));
    if (document_.latched) {
      const by = latch && latch.source ? ` by ${latch.source}` : "";
      const because = latch && latch.reason ? `: ${latch.reason}` : "";
      why.push(h("li", { class: "HALTED" }, h("b", {}, `Kill latch set${by}`), because, document_.flatten ? " (and every position is to be closed)" : ""));
    }
    if (document_.daemon.blocked) {
      why.push(h("li", { class: "HALTED" }, h("b", {}, "The journal cannot be written"), `: ${document_.daemon.blocked}`));
    }
    if (state === "HALTED") {
      for (const each of document_.positions) {
        why.push(h("li", { class: "HALTED" }, `${signed(each.quantity, 0)} ${each.symbol} is left ${each.has_stop ? "with a stop" : "without a stop"}`));
      }
    }
    shown.delete("trouble"); // its place is made anew
    if (warming) why.push(h("li", {}, `Warming up: ${warming.seen} of ${warming.needed} bars seen; no orders until then`));
    return [
      h("div", { class: "masthead" },
        h("h1", {}, document_.name),
        h("span", { class: `state ${state}`, id: "state", role: "status" }, state),
        h("span", { class: "link", id: "link" })),
      why.length ? h("ul", { class: "why", id: "why" }, why) : null,
      h("div", { id: "trouble", role: "alert" }),
    ];
  });
}

function showMoney(document_) {
  const tile = (name, value, below, of = "") =>
    h("div", {}, h("dt", {}, name), h("dd", { class: of }, value), h("dd", { class: "below" }, below));
  const now = secondsOf(document_.event_time);
  const last = Object.entries(document_.last_bars).map(([symbol, end]) => [symbol, secondsOf(end)]);
  const newest = last.length ? Math.max(...last.map(([, end]) => end)) : null;
  const following = secondsOf(document_.feed.next_bar);
  const total = document_.total_pnl_usd;
  const wait = following !== null && now ? (following > now ? `in ${span(following - now)}` : `due ${span(now - following)} ago`) : "";
  const age = newest !== null && now ? `${span(Math.max(0, now - newest))} ago` : "";
  const data = [document_.equity_usd, document_.cash_usd, document_.day_pnl_usd, total, document_.drawdown_pct, document_.starting_cash_usd, newest, following, wait, age];
  part("money", data, () => h("dl", { class: "tiles" },
    tile("Equity", number(document_.equity_usd), "USD", ""),
    tile("Today", signed(document_.day_pnl_usd), "USD, this session", tone(document_.day_pnl_usd)),
    tile("Since the start", signed(total), `USD, ${signed((100 * total) / document_.starting_cash_usd)} %`, tone(total)),
    tile("Drawdown", `${number(Math.max(0, -document_.drawdown_pct))} %`, "below the peak"),
    tile("Cash", number(document_.cash_usd), "USD"),
    tile("Last bar", newest === null ? "none" : shortTime(newest), newest === null ? "" : `${dayOf(newest)}, ${age}`),
    tile("Next bar", following === null ? "none" : shortTime(following), following === null ? "" : `${dayOf(following)}, ${wait}`)));
}

function shortTime(seconds) {
  const at = parts(seconds);
  return `${at.hour}:${at.minute} ${at.timeZoneName}`;
}

// On a phone each row becomes a card, in which a cell is named by its column.
function table(headers, numeric, rows) {
  const cell = (tag, value, place, label) => h(tag, { class: numeric.includes(place) ? "num" : null, "data-label": label }, value);
  return h("div", { class: "scroll", tabindex: 0 }, h("table", {},
    h("thead", {}, h("tr", {}, headers.map((each, place) => cell("th", each, place)))),
    h("tbody", {}, rows.map((row) => h("tr", {}, row.map((each, place) => cell("td", each, place, headers[place])))))));
}

function showPositions(document_) {
  part("positions", document_.positions, (positions) => [
    h("h2", {}, "Positions"),
    positions.length === 0 ? h("p", { class: "note" }, "Flat.") : table(
      ["Symbol", "Shares", "Average", "Last", "Value", "Unrealised", "Stop"], [1, 2, 3, 4, 5],
      positions.map((each) => [each.symbol, signed(each.quantity, 0), number(each.average_usd, 4), number(each.close_usd),
        number(each.value_usd), h("span", { class: tone(each.unrealised_usd) }, signed(each.unrealised_usd)), each.has_stop ? "yes" : "none"]))]);
}

function showOrders(document_) {
  part("orders", document_.orders, (orders) => [
    h("h2", {}, "Working orders"),
    orders.length === 0 ? h("p", { class: "note" }, "None.") : table(
      ["No.", "Order", "Price", "Status", "Fills at", "Known at", "From"], [0],
      orders.map((each) => [`${each.order_id}`, `${each.side} ${number(each.remaining, 0)} ${each.symbol}`, priceOf(each), statusOf(each),
        each.fills_at ? `${stamp(secondsOf(each.fills_at), { zone: false })}${each.overnight ? ", held overnight" : ""}` : "",
        each.known_at ? stamp(secondsOf(each.known_at), { zone: false }) : "", `${each.origin}${each.reason ? `: ${each.reason}` : ""}`]))]);
}

function priceOf(order) {
  const found = [];
  if (order.limit_usd !== null) found.push(`limit ${number(order.limit_usd)}`);
  if (order.stop_usd !== null) found.push(`${order.type === "trailing_stop" ? "trailing stop" : "stop"} ${number(order.stop_usd)}`);
  return `${found.join(", ") || "market"} ${order.time_in_force}`;
}

function statusOf(order) {
  const pending = order.status === "FILL_PENDING";
  return h("span", { class: pending ? "tag pending" : "tag" }, pending ? "FILL PENDING" : order.status.replaceAll("_", " "));
}

function showLimits(document_) {
  part("limits", document_.limits, (limits) => [
    h("h2", {}, "Limits"),
    ...(limits.length === 0 ? [h("p", { class: "note" }, "None is set.")] : limits.map(limitOf))]);
}

function limitOf(limit) {
  const [words, decimals, unit] = LIMITS[limit.name] || [limit.name, 2, ""];
  const use = Math.max(0, Math.min(1, limit.use));
  const bar = h("div", { class: "fill" });
  bar.style.width = `${(100 * use).toFixed(1)}%`;
  const bound = limit.name === "min_cash_usd" ? ` (floor ${number(limit.limit, decimals)})` : ` / ${number(limit.limit, decimals)}`;
  return h("div", { class: `limit ${limit.use >= 1 ? "full" : limit.use >= 0.75 ? "near" : ""}` },
    h("p", {}, h("span", { title: limit.name }, words), h("span", {}, `${number(limit.current, decimals)}${bound} ${unit}`.trim())),
    h("div", { class: "track", role: "meter", "aria-label": words, "aria-valuemin": 0, "aria-valuemax": 100, "aria-valuenow": Math.round(100 * use) }, bar));
}

function pairs(rows) {
  return h("dl", { class: "pairs" }, rows.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value))));
}

function showFeed(document_) {
  const { feed } = document_;
  const rows = [[feed.kind, feed.state]];
  for (const [symbol, end] of Object.entries(document_.last_bars)) rows.push([`last bar of ${symbol}`, when(end)]);
  rows.push(["next bar", when(feed.next_bar)]);
  const gaps = Object.entries(feed.gaps || {});
  rows.push(["gaps", gaps.length ? gaps.map(([outcome, count]) => `${count} ${outcome}`).join(", ") : "none"]);
  part("feed", rows, () => [h("h2", {}, "Feed and gaps"), pairs(rows)]);
}

function showTasks(document_) {
  const rows = [
    ["kill latch", document_.latched ? "SET" : "not set"],
    ["journal", document_.daemon.blocked ? "BLOCKED" : "written"],
    ["notifications", notifyOf(document_.notify)],
    ...document_.tasks.map((task) => [`task ${task.name}`, task.health + (task.failures ? `, ${task.failures} failures` : "")]),
  ];
  part("tasks", rows, () => [h("h2", {}, "Health"), pairs(rows)]);
}

function notifyOf(notify) {
  if (!notify) return "off";
  return notify.problem || notify.services.join(", ") || "off";
}

function showVersions(document_) {
  const { versions, daemon } = document_;
  const { model } = versions;
  const rows = [
    ["papertape", `${versions.papertape}, engine ${versions.engine}`],
    ["strategy", versions.strategy],
    ["model", model.kind ? `${model.kind}${model.sha256 ? ` ${model.sha256.slice(0, 8)}` : ""}` : "none"],
    ["config", document_.config_path],
    ["segment", `${document_.segment}`],
    ["turn", number(document_.last_turn, 0)],
    ["process", `${daemon.process}, since ${when(daemon.started)}`],
  ];
  part("versions", rows, () => [h("h2", {}, "What runs"), pairs(rows)]);
}

function showLatest(happened) {
  part("latest", happened, () => [
    h("h2", {}, "Latest"),
    happened.length === 0 ? h("p", { class: "note" }, "Nothing has happened yet.") : h("ul", { class: "log" },
      happened.slice(-LATEST).reverse().map((each) => h("li", { class: `kind-${each.kind}` },
        h("time", {}, stamp(each.at, { zone: false })),
        h("span", {}, each.text, each.times > 1 ? h("span", { class: "times" }, ` (${each.times} times)`) : null))))]);
}

// --- the loop ------------------------------------------------------------------------------------

let answered = null; // when the last answer came, and what it was

function showLink(lost) {
  const link = $("link");
  if (!link) {
    if (lost) $("head").replaceChildren(h("h1", {}, "papertape"), h("p", { class: "banner" }, "No answer yet; asking again."));
    return;
  }
  const silence = answered.silence_s;
  const trouble = [];
  if (lost) {
    trouble.push(`No answer since ${new Date(answered.at).toLocaleTimeString()} (your time). What stands here is what the daemon said last.`);
  } else if (silence > BLOCKED_S) {
    trouble.push(`The event loop is blocked: last seen ${span(silence)} ago. What stands here is from before.`);
  }
  link.className = `link ${lost || silence > BLOCKED_S ? "lost" : silence > LATE_S ? "late" : ""}`;
  link.textContent = lost ? "no answer" : silence > LATE_S ? `last seen ${span(silence)} ago` : "live";
  document.body.classList.toggle("stale", trouble.length > 0);
  if (lost) document.title = document.title.replace(/^(\? )?/, "? ");
  part("trouble", trouble, () => trouble.map((text) => h("p", { class: "banner" }, text)));
}

async function turn() {
  let lost = false;
  try {
    const answer = await ask("status.json");
    answered = { at: Date.now(), silence_s: answer.silence_s };
    if (answer.document) {
      const grown = await follow(answer);
      show(answer, grown);
    }
  } catch (error) {
    if (error instanceof TypeError || error.name === "TimeoutError" || error.name === "AbortError") lost = true;
    else if (/: \d+$/.test(error.message)) lost = true;
    else console.error(error);
  }
  showLink(lost);
  setTimeout(turn, ASK_EVERY_MS);
}

let charted = "";

function show(answer, grown) {
  const document_ = { ...answer.document, latched: answer.latched };
  document.title = `${document_.state} ${document_.name}: papertape`;
  showHead(document_);
  showMoney(document_);
  showPositions(document_);
  showOrders(document_);
  showLimits(document_);
  showFeed(document_);
  showTasks(document_);
  showVersions(document_);
  showLatest(answer.happened);
  const symbols = document_.symbols.join(" ");
  if (grown || symbols !== charted) drawCharts(document_.symbols);
  charted = symbols;
  $("foot").textContent = `Exchange time (${ZONE}). This page only tells; papertape's verbs control the daemon. Event time ${when(document_.event_time)}.`;
}

turn();
