// What is drawn on the charts besides lines: gaps and trading states, candles, trades.
(function (report) {
  "use strict";

  const CANDLE_PIXELS = 4;
  const MANY_TRADES = 160;

  /** Run `draw` with the canvas clipped to the plot's area. */
  function clipped(plot, draw) {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    draw(ctx, bbox);
    ctx.restore();
  }

  const toX = (plot, x) => plot.valToPos(x, "x", true);
  const toY = (plot, y) => plot.valToPos(y, "y", true);

  const NARROW_PIXELS = 3;
  const NOTCH_PIXELS = 5;

  function span(plot, ctx, bbox, first, last, colour) {
    const left = toX(plot, first - 0.5);
    const width = toX(plot, last + 0.5) - left;
    ctx.fillStyle = colour;
    ctx.fillRect(left, bbox.top, Math.max(devicePixelRatio, width), bbox.height);
  }

  /** A notch at the foot, and shading where that is wide enough not to pass for a grid line. */
  function gap(plot, ctx, bbox, first, last) {
    const left = toX(plot, first - 0.5);
    const width = toX(plot, last + 0.5) - left;
    const narrow = width < NARROW_PIXELS * devicePixelRatio;
    if (!narrow) span(plot, ctx, bbox, first, last, report.colours.missing);
    const notch = NOTCH_PIXELS * devicePixelRatio;
    ctx.fillStyle = report.colours.gap;
    ctx.fillRect(left, bbox.top + bbox.height - notch, Math.max(width, 1.5 * devicePixelRatio), notch);
  }

  /** Shades bars that did not come, and stretches in which trading was held. */
  report.shadeSpans = function (plot, symbol) {
    const { min, max } = plot.scales.x;
    clipped(plot, (ctx, bbox) => {
      for (const [first, last, state] of report.states) {
        if (last < min || first > max) continue;
        const colour = report.colours[state.toLowerCase()] || report.colours.paused;
        span(plot, ctx, bbox, first, last, colour);
      }
      for (const [first, last] of symbol.gaps) {
        if (last < min || first > max) continue;
        gap(plot, ctx, bbox, first, last);
      }
    });
  };

  /** Whether bars are wide enough to be drawn one by one. */
  report.candlesFit = function (plot, symbol) {
    const { min, max } = plot.scales.x;
    const bars = (max - min) / symbol.bucket;
    return plot.bbox.width / bars >= CANDLE_PIXELS * devicePixelRatio;
  };

  /** Candles where there is room (hollow: it rose), else one line from low to high a bar. */
  report.drawBars = function (plot, symbol) {
    const { min, max } = plot.scales.x;
    const first = Math.max(0, report.lastAtMost(symbol.x, min) - 1);
    const after = Math.min(symbol.x.length, report.lastAtMost(symbol.x, max) + 2);
    clipped(plot, (ctx, bbox) => {
      if (report.candlesFit(plot, symbol)) {
        const each = (bbox.width / (max - min)) * symbol.bucket;
        candles(plot, ctx, symbol, first, after, each);
        return;
      }
      ctx.strokeStyle = report.colours.range;
      ctx.lineWidth = devicePixelRatio;
      ctx.beginPath();
      for (let at = first; at < after; at++) {
        const x = toX(plot, symbol.x[at]);
        ctx.moveTo(x, toY(plot, symbol.high[at]));
        ctx.lineTo(x, toY(plot, symbol.low[at]));
      }
      ctx.stroke();
    });
  };

  function candles(plot, ctx, symbol, first, after, each) {
    const thin = Math.max(1, Math.round(devicePixelRatio));
    const body = Math.max(thin * 2, Math.floor(Math.min(each * 0.62, 14 * devicePixelRatio)));
    ctx.strokeStyle = ctx.fillStyle = report.colours.bar;
    ctx.lineWidth = thin;
    const crisp = (value) => Math.round(value) + (thin % 2 ? 0.5 : 0);
    for (let at = first; at < after; at++) {
      const x = crisp(toX(plot, symbol.x[at]));
      const open = toY(plot, symbol.open[at]);
      const close = toY(plot, symbol.close[at]);
      const top = crisp(Math.min(open, close));
      const bottom = crisp(Math.max(open, close));
      ctx.beginPath();
      ctx.moveTo(x, toY(plot, symbol.high[at]));
      ctx.lineTo(x, top);
      ctx.moveTo(x, bottom);
      ctx.lineTo(x, toY(plot, symbol.low[at]));
      ctx.stroke();
      const left = crisp(x - body / 2);
      if (symbol.close[at] >= symbol.open[at]) ctx.strokeRect(left, top, body, bottom - top);
      else ctx.fillRect(left, top, body, Math.max(thin, bottom - top));
    }
  }

  /** The trades of `symbol` that reach into the visible range, as indices of report.trades. */
  report.tradesWithin = function (symbol, min, max) {
    const { count, entryX, exitX, symbol: names, words } = report.trades;
    const found = [];
    for (let at = 0; at < count; at++) {
      if (exitX[at] >= min && entryX[at] <= max && words[names[at]] === symbol) found.push(at);
    }
    return found;
  };

  /** Entry, exit and a line between, blue for a profit and orange for a loss. */
  report.drawTrades = function (plot, symbol, chosen) {
    const { min, max } = plot.scales.x;
    const { entryX, exitX, entryPrice, exitPrice, pnl, direction, words } = report.trades;
    const visible = report.tradesWithin(symbol.name, min, max);
    const dense = visible.length > MANY_TRADES;
    clipped(plot, (ctx) => {
      for (const at of visible) {
        const strong = at === chosen;
        const from = [toX(plot, entryX[at]), toY(plot, entryPrice[at])];
        const to = [toX(plot, exitX[at]), toY(plot, exitPrice[at])];
        const colour = pnl[at] > 0 ? report.colours.gain : report.colours.loss;
        ctx.strokeStyle = ctx.fillStyle = colour;
        ctx.globalAlpha = strong || !dense ? 1 : 0.75;
        ctx.lineWidth = (strong ? 2.5 : dense ? 1 : 1.5) * devicePixelRatio;
        ctx.beginPath();
        ctx.moveTo(...from);
        ctx.lineTo(...to);
        ctx.stroke();
        const size = (strong ? 6 : dense ? 1.6 : 4.5) * devicePixelRatio;
        const up = words[direction[at]] !== "short";
        if (dense && !strong) ctx.fillRect(from[0] - size / 2, from[1] - size / 2, size, size);
        else marks(ctx, from, to, size, up);
      }
    });
  };

  /** A triangle in the trade's direction at its entry, a ring at its exit. */
  function marks(ctx, from, to, size, up) {
    const tip = up ? -size : size;
    ctx.beginPath();
    ctx.moveTo(from[0], from[1] + tip);
    ctx.lineTo(from[0] - size, from[1] - tip * 0.7);
    ctx.lineTo(from[0] + size, from[1] - tip * 0.7);
    ctx.closePath();
    ctx.fill();
    ctx.strokeStyle = report.colours.paper;
    ctx.lineWidth = devicePixelRatio;
    ctx.stroke();
    ctx.strokeStyle = ctx.fillStyle;
    ctx.fillStyle = report.colours.paper;
    ctx.lineWidth = 1.75 * devicePixelRatio;
    ctx.beginPath();
    ctx.arc(to[0], to[1], size * 0.72, 0, 2 * Math.PI);
    ctx.fill();
    ctx.stroke();
  }
})(window.papertapeReport);
