// The three linked charts and their tools: ranges, zoom, log scale, symbol, keyboard.
(function (report) {
  "use strict";

  const coarsest = Math.max(1, ...report.symbols.map((symbol) => symbol.bucket));
  const FEWEST_BARS = 8 * coarsest;
  const panels = ["equity", "drawdown", "price"].map((name) => {
    const figure = document.getElementById(`${name}-panel`);
    return {
      name,
      plotBox: figure.querySelector(".plot"),
      readout: figure.querySelector(".readout"),
      chart: null,
    };
  });
  const tools = document.getElementById("chart-tools");
  const everything = { min: -0.5, max: Math.max(report.count, FEWEST_BARS) - 0.5 };
  const view = { ...everything, logarithmic: false, trades: true, chosen: -1, symbol: report.symbols[0] };

  if (report.count === 0) {
    document.getElementById("charts").hidden = true;
    return;
  }

  /** Heights in CSS pixels; a phone gets lower ones. */
  function height(name) {
    const narrow = innerWidth < 600;
    return { equity: narrow ? 190 : 250, drawdown: narrow ? 84 : 100, price: narrow ? 260 : 380 }[name];
  }

  const axisSize = () => (innerWidth < 600 ? 46 : 62);

  function axes(name, logarithmic, unit) {
    const common = {
      stroke: () => report.colours.muted,
      font: report.font,
      filter: (plot, splits) => splits,
      grid: { stroke: () => report.colours.rule, width: 1 },
      ticks: { show: false },
    };
    // The drawdown stands under the equity: it shares the dates written there.
    const bare = name === "drawdown" ? { size: 4, values: () => [] } : {};
    return [
      { ...common, size: 26, gap: 6, splits: report.xSplits, values: report.xLabels, ...bare },
      {
        ...common,
        size: axisSize(),
        gap: 6,
        splits: report.ySplits(logarithmic),
        values: report.yLabels(unit),
      },
    ];
  }

  function options(panel, series, { logarithmic = false, unit = "", ceiling, hooks = {} }) {
    const positive = logarithmic ? { distr: 3 } : {};
    return {
      width: panel.plotBox.clientWidth,
      height: height(panel.name),
      padding: [8, 8, 0, 0],
      legend: { show: false },
      scales: {
        x: { time: false, range: () => [view.min, view.max] },
        y: { ...positive, range: report.yRange(logarithmic, ceiling) },
      },
      axes: axes(panel.name, logarithmic, unit),
      series: [{}, ...series],
      cursor: {
        y: false,
        points: { size: 5, width: 1 },
        drag: { x: true, y: false, setScale: false },
        sync: {
          key: "papertape",
          scales: ["x", null],
          filters: { pub: (type) => type === "mousemove" || type === "mouseleave" },
        },
        bind: { dblclick: () => () => show(everything.min, everything.max) },
      },
      hooks: {
        drawClear: [(plot) => report.shadeSpans(plot, view.symbol)],
        setSelect: [selected],
        setCursor: [(plot) => read(panel, plot)],
        ...hooks,
      },
    };
  }

  function selected(plot) {
    if (plot.select.width > 3) {
      const { left, width } = plot.select;
      show(plot.posToVal(left, "x"), plot.posToVal(left + width, "x"));
    }
    if (plot.select.width > 0) plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
  }

  const line = (colour, width, more) => ({
    stroke: () => report.colours[colour],
    width,
    points: { show: false },
    ...more,
  });

  const { rows } = report;
  const BUILDERS = {
    equity: (panel) => [
      options(panel, [line("hold", 1), line("accent", 1.5)], {
        // An account that has fallen to nothing has no place on a log scale.
        logarithmic: view.logarithmic && Math.min(...rows.equity) > 0,
      }),
      [rows.x, rows.hold, rows.equity],
    ],
    drawdown: (panel) => [
      options(
        panel,
        [line("fall", 1, { fill: () => report.colours.fall + "33", fillTo: 0 })],
        { unit: "%", ceiling: 0 },
      ),
      [rows.x, rows.drawdown],
    ],
    price: (panel) => {
      const { symbol } = view;
      const unseen = { points: { show: false }, paths: () => null };
      const linear = uPlot.paths.linear();
      const close = line("bar", 1, {
        paths: (plot, ...rest) => (report.candlesFit(plot, symbol) ? null : linear(plot, ...rest)),
      });
      const hooks = {
        drawAxes: [(plot) => report.drawBars(plot, symbol)],
        draw: [(plot) => view.trades && report.drawTrades(plot, symbol, view.chosen)],
      };
      return [
        options(panel, [unseen, unseen, close], { logarithmic: view.logarithmic, hooks }),
        [symbol.x, symbol.high, symbol.low, symbol.close],
      ];
    },
  };

  function build(panel) {
    if (panel.chart) panel.chart.destroy();
    const [chosen, columns] = BUILDERS[panel.name](panel);
    panel.chart = new uPlot(chosen, columns, panel.plotBox);
    read(panel, panel.chart);
  }

  /** Zoom all charts to slices min to max, kept within the run and not too narrow. */
  function show(min, max) {
    const width = Math.min(Math.max(max - min, FEWEST_BARS), everything.max - everything.min);
    const middle = (min + max) / 2;
    view.min = Math.min(Math.max(middle - width / 2, everything.min), everything.max - width);
    view.max = view.min + width;
    for (const { chart } of panels) chart.setScale("x", { min: view.min, max: view.max });
    for (const panel of panels) read(panel, panel.chart);
    for (const button of tools.querySelectorAll("[data-months]")) {
      const range = rangeOf(button.dataset.months);
      const same = Math.abs(range.min - view.min) < 1 && Math.abs(range.max - view.max) < 1;
      button.setAttribute("aria-pressed", same);
    }
  }

  function rangeOf(months) {
    if (months === "all") return everything;
    const { year, month, day } = report.lastSession();
    const from =
      months === "ytd" ? report.sliceFrom(year, 1, 1) : report.sliceFrom(year, month - Number(months), day);
    return { min: Math.min(from - 0.5, everything.max - FEWEST_BARS), max: everything.max };
  }

  function move(how) {
    const width = view.max - view.min;
    const by = { left: [-0.25, -0.25], right: [0.25, 0.25], in: [0.25, -0.25], out: [-0.5, 0.5] }[how];
    show(view.min + width * by[0], view.max + width * by[1]);
  }

  const KEYS = { ArrowLeft: "left", ArrowRight: "right", "+": "in", "=": "in", "-": "out" };

  /** The values under the cursor, or those of the visible range. */
  function read(panel, chart) {
    if (!chart) return;
    const row = chart.cursor.idx;
    const hovering = chart.cursor.left >= 0 && row !== null && row !== undefined;
    panel.readout.replaceChildren(...(hovering ? underCursor : overRange)[panel.name](row));
  }

  const value = (name, written, css) =>
    report.element("span", { class: css }, `${name}\u00a0`, report.element("b", {}, written));
  const instant = (x) => report.element("span", { class: "when" }, `bar to ${report.stamp(report.timeAt(x), true)}`);

  const underCursor = {
    equity: (row) => [
      value("equity", report.number(rows.equity[row], 2), "accent"),
      value("buy & hold", report.number(rows.hold[row], 2), "hold"),
      instant(rows.x[row]),
    ],
    drawdown: (row) => [value("", report.percent(rows.drawdown[row], 2))],
    price: (row) => {
      const { symbol } = view;
      const figures = ["open", "high", "low", "close"].map((name) =>
        value(name, report.price(symbol[name][row])),
      );
      return [...figures, ...tradeUnder(symbol.x[row]), instant(symbol.x[row])];
    },
  };

  const tradeUnder = (x) => report.tradesWithin(view.symbol.name, x, x).slice(-1).flatMap(tradeFigures);

  function tradeFigures(at) {
    const { id, direction, words, pnl } = report.trades;
    const name = `trade ${id[at]} ${words[direction[at]]}`;
    return [value(name, report.number(pnl[at], 2, true), pnl[at] > 0 ? "gain" : "loss")];
  }

  /** First and last rows in view of ascending places `x`. */
  function edges(x) {
    const last = Math.max(0, report.lastAtMost(x, view.max));
    return [Math.min(last, report.lastAtMost(x, view.min) + 1), last];
  }

  const overRange = {
    equity: () => {
      const [first, last] = edges(rows.x);
      const change = (column) =>
        column[last] / (first > 0 ? column[first - 1] : report.startingCash) - 1;
      return [
        value("equity", report.percent(change(rows.equity) * 100, 1, true), "accent"),
        value("buy & hold", report.percent(change(rows.hold) * 100, 1, true), "hold"),
        report.element("span", { class: "when" }, period(first, last)),
      ];
    },
    drawdown: () => {
      const [first, last] = edges(rows.x);
      let deepest = 0;
      for (let row = first; row <= last; row++) deepest = Math.min(deepest, rows.drawdown[row]);
      return [value("deepest", report.percent(deepest, 2))];
    },
    price: () => {
      const { symbol } = view;
      const inView = report.tradesWithin(symbol.name, view.min, view.max).length;
      const bars = symbol.bucket > 1 ? [value("a candle is", `${symbol.bucket} bars`)] : [];
      const chosen = view.chosen < 0 ? [] : tradeFigures(view.chosen);
      return [value(symbol.name, `${report.number(inView, 0)} trades in view`), ...bars, ...chosen];
    },
  };

  function period(first, last) {
    const date = (row) => report.stamp(report.timeAt(rows.x[row])).slice(0, 10);
    return `${date(first)} to ${date(last)}`;
  }

  function legend() {
    const held = [...new Set(report.states.map(([, , state]) => state))];
    const outcomes = report.symbols.some((symbol) => symbol.gaps.length > 0) ? ["missing"] : [];
    const swatches = [
      ["key-line accent", "equity"],
      ["key-line hold", "buy and hold, no costs"],
      ["key-line gain", "trade with a profit"],
      ["key-line loss", "trade with a loss"],
      ["key-mark entry", "entry"],
      ["key-mark exit", "exit"],
      ...outcomes.map(() => ["key-area missing", "bar missing or quarantined"]),
      ...held.map((state) => [`key-area ${state.toLowerCase()}`, `trading ${state}`]),
    ].map(([css, name]) =>
      report.element("span", {}, report.element("i", { class: css, "aria-hidden": "true" }), name),
    );
    document.getElementById("chart-legend").replaceChildren(...swatches);
  }

  /** Show one trade: its symbol, some bars around it, drawn stronger. */
  report.showTrade = function (at) {
    const { entryX, exitX, symbol, words } = report.trades;
    const margin = Math.max(20 * coarsest, (exitX[at] - entryX[at]) * 0.75);
    view.chosen = at;
    view.trades = true;
    document.getElementById("show-trades").setAttribute("aria-pressed", "true");
    choose(words[symbol[at]]);
    show(entryX[at] - margin, exitX[at] + margin);
    panels[2].plotBox.scrollIntoView({ block: "center" });
    panels[2].plotBox.focus({ preventScroll: true });
  };

  function choose(name) {
    view.symbol = report.symbols.find((symbol) => symbol.name === name) || view.symbol;
    document.getElementById("chart-symbol").value = view.symbol.name;
    panels.forEach(build);
  }

  function listen() {
    tools.addEventListener("click", ({ target }) => {
      if (target.dataset.months) {
        const { min, max } = rangeOf(target.dataset.months);
        show(min, max);
      }
      if (target.dataset.move) move(target.dataset.move);
    });
    toggle("log-scale", "logarithmic");
    toggle("show-trades", "trades");
    document.getElementById("chart-symbol").addEventListener("change", (event) => choose(event.target.value));
    for (const { plotBox } of panels) {
      plotBox.addEventListener("keydown", (event) => {
        if (event.ctrlKey || event.metaKey || event.altKey) return;
        if (event.key === "Home") show(everything.min, everything.max);
        else if (KEYS[event.key]) move(KEYS[event.key]);
        else return;
        event.preventDefault();
      });
    }
    new ResizeObserver(() => {
      for (const { chart, plotBox, name } of panels) {
        if (chart && plotBox.clientWidth !== chart.width) {
          chart.setSize({ width: plotBox.clientWidth, height: height(name) });
        }
      }
    }).observe(panels[0].plotBox);
    const recolour = () => {
      report.readColours();
      for (const { chart } of panels) chart.redraw();
    };
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", recolour);
    matchMedia("print").addEventListener("change", recolour);
  }

  function toggle(id, name) {
    const button = document.getElementById(id);
    button.addEventListener("click", () => {
      view[name] = !view[name];
      button.setAttribute("aria-pressed", view[name]);
      panels.forEach(build);
    });
  }

  report.readColours();
  document.body.classList.toggle("one-symbol", report.symbols.length === 1);
  panels.forEach(build);
  legend();
  listen();
})(window.papertapeReport);
