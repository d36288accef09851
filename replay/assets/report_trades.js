// The trades table: sorted by any column, filtered, a page at a time.
(function (report) {
  "use strict";

  const table = document.getElementById("trade-table");
  if (!table) return;

  const PAGE = 50;
  const { trades } = report;
  const { words } = trades;
  const isOpen = (at) => at >= trades.count - trades.open;
  const word = (name) => (at) => words[trades[name][at]];
  const figure = (name) => (at) => trades[name][at];
  const instant = (name) => (at) => report.stamp(trades[name][at] * report.clockMs);

  /** Heading, the value to sort by, how it is written, class. */
  const COLUMNS = [
    { head: "#", by: figure("id"), number: true },
    ...(report.symbols.length > 1 ? [{ head: "Symbol", by: word("symbol") }] : []),
    { head: "Side", by: word("direction") },
    { head: "Shares", by: figure("quantity"), write: (v) => report.number(v, 0), number: true },
    { head: "Entry", by: figure("entry"), at: instant("entry"), css: "when" },
    { head: "Price", by: figure("entryPrice"), write: report.price, number: true },
    { head: "Exit", by: figure("exit"), at: instant("exit"), css: "when" },
    { head: "Price", by: figure("exitPrice"), write: report.price, number: true },
    { head: "Profit, USD", by: figure("pnl"), write: (v) => report.number(v, 2, true), number: true, tone: true },
    { head: "Return, %", by: figure("return"), write: (v) => report.number(v, 2, true), number: true, tone: true },
    { head: "Bars", by: figure("bars"), write: (v) => report.number(v, 0), number: true },
    { head: "MAE, %", by: figure("adverse"), write: (v) => report.number(v, 2), number: true },
    { head: "MFE, %", by: figure("favourable"), write: (v) => report.number(v, 2), number: true },
    { head: "Fees", by: figure("fees"), write: (v) => report.number(v, 2), number: true },
    ...(trades.prediction
      ? [
          {
            head: "Pred., bp",
            by: figure("prediction"),
            write: (v) => (v === null ? "" : report.number(v * 10000, 1, true)),
            number: true,
          },
        ]
      : []),
    { head: "Entry reason", by: word("entryReason"), css: "reason" },
    { head: "Exit reason", by: (at) => (isOpen(at) ? "open" : word("exitReason")(at)), css: "reason" },
  ];

  const order = { column: 0, descending: false };
  let shown = [];
  let page = 0;

  const FILTERS = {
    result: (at, wanted) =>
      wanted === "open" ? isOpen(at) : !isOpen(at) && trades.pnl[at] > 0 === (wanted === "win"),
    direction: (at, wanted) => word("direction")(at) === wanted,
    symbol: (at, wanted) => word("symbol")(at) === wanted,
    exit: (at, wanted) => !isOpen(at) && word("exitReason")(at) === wanted,
  };

  const select = (name) => document.getElementById(`filter-${name}`);

  function compare(one, other) {
    if (one === null || other === null) return (one === null) - (other === null);
    return one < other ? -1 : one > other ? 1 : 0;
  }

  /** Filter and sort anew, from the first page. */
  function refresh() {
    const tests = Object.entries(FILTERS).filter(([name]) => select(name).selectedIndex > 0);
    shown = [];
    for (let at = 0; at < trades.count; at++) {
      if (tests.every(([name, test]) => test(at, select(name).value))) shown.push(at);
    }
    const { by } = COLUMNS[order.column];
    const sign = order.descending ? -1 : 1;
    shown.sort((one, other) => sign * compare(by(one), by(other)) || one - other);
    page = 0;
    sums();
    draw();
  }

  function sums() {
    let profit = 0;
    let returned = 0;
    let won = 0;
    for (const at of shown) {
      profit += trades.pnl[at];
      returned += trades.return[at];
      won += trades.pnl[at] > 0;
    }
    const share = shown.length ? (won / shown.length) * 100 : null;
    const mean = shown.length ? returned / shown.length : null;
    const left = trades.leftOut ? ` (the first ${report.number(trades.leftOut, 0)} are in trades.csv alone)` : "";
    document.getElementById("trade-sums").textContent =
      `${report.number(shown.length, 0)} of ${report.number(trades.count, 0)} trades${left} · ` +
      `${report.number(profit, 2, true)} USD · ${report.percent(share, 1)} won · ` +
      `mean ${report.percent(mean, 2, true)}`;
  }

  function draw() {
    const pages = Math.max(1, Math.ceil(shown.length / PAGE));
    page = Math.min(Math.max(page, 0), pages - 1);
    table.tBodies[0].replaceChildren(...shown.slice(page * PAGE, (page + 1) * PAGE).map(tableRow));
    document.getElementById("trade-page").textContent = `page ${page + 1} of ${pages}`;
    document.getElementById("trade-pages").classList.toggle("one-page", pages === 1);
    for (const button of document.querySelectorAll("[data-page]")) {
      const back = button.dataset.page === "first" || button.dataset.page === "back";
      button.disabled = back ? page === 0 : page === pages - 1;
    }
    COLUMNS.forEach((_, index) => {
      const sorted = index === order.column ? (order.descending ? "descending" : "ascending") : "none";
      table.tHead.rows[0].cells[index].setAttribute("aria-sort", sorted);
    });
  }

  function tableRow(at) {
    const cells = COLUMNS.map(({ by, write, at: written, number, tone, css }, index) => {
      const value = by(at);
      const content = written ? written(at) : write ? write(value) : String(value);
      const colour = tone && value !== 0 ? (value > 0 ? "gain" : "loss") : "";
      const cell = report.element("td", { class: [number ? "num" : "", colour, css || ""].join(" ").trim() });
      if (index > 0) cell.textContent = content;
      else cell.append(report.element("button", { type: "button", title: "Show in the chart", "data-trade": at }, content));
      if (css === "reason") cell.title = content;
      return cell;
    });
    return report.element("tr", {}, ...cells);
  }

  COLUMNS.forEach(({ head, number }, index) => {
    const button = report.element("button", { type: "button" }, head);
    button.addEventListener("click", () => {
      order.descending = order.column === index ? !order.descending : Boolean(number) && index > 0;
      order.column = index;
      refresh();
    });
    const heading = report.element("th", { scope: "col", class: number ? "num" : "" }, button);
    table.tHead.rows[0].append(heading);
  });

  for (const name of Object.keys(FILTERS)) select(name).addEventListener("change", refresh);

  document.getElementById("trade-pages").addEventListener("click", ({ target }) => {
    const to = { first: 0, back: page - 1, on: page + 1, last: Infinity }[target.dataset.page];
    if (to === undefined) return;
    page = to;
    draw();
  });

  table.addEventListener("click", ({ target }) => {
    if (target.dataset.trade) report.showTrade(Number(target.dataset.trade));
  });

  refresh();
})(window.papertapeReport);
