// Axes of the charts: slices along x with calendar labels, round values along y.
(function (report) {
  "use strict";

  const MONTHS = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
  const LABEL_WIDTH = 62;
  const STEPS = [1, 2, 3, 5, 10, 15, 30, 60, 120]; // bars between labelled times of day

  const { x: firsts, date: dates } = report.sessions;
  const sessions = Array.from(dates, (date, index) => {
    const year = Math.floor(date / 10000);
    const month = Math.floor(date / 100) % 100;
    const day = date % 100;
    const weekday = new Date(Date.UTC(year, month - 1, day)).getUTCDay();
    return { x: firsts[index], year, month, day, weekday };
  });
  sessions.forEach((session, index) => {
    const before = sessions[index - 1];
    session.newWeek = !before || session.weekday <= before.weekday;
    session.newMonth = !before || session.month !== before.month || session.year !== before.year;
    session.newQuarter = session.newMonth && session.month % 3 === 1;
    session.newYear = !before ? session.month === 1 : session.year !== before.year;
  });

  const everyYears = (step) => (session) => session.newYear && session.year % step === 0;
  const LEVELS = [
    { at: () => true, label: dayLabel },
    { at: (session) => session.newWeek, label: dayLabel },
    { at: (session) => session.newMonth, label: monthLabel },
    { at: (session) => session.newQuarter, label: monthLabel },
    { at: everyYears(1), label: (session) => String(session.year) },
    { at: everyYears(2), label: (session) => String(session.year) },
    { at: everyYears(5), label: (session) => String(session.year) },
    { at: everyYears(10), label: (session) => String(session.year) },
  ];

  function dayLabel(session, first) {
    if (session.newYear) return `${session.year}`;
    return session.newMonth || first ? `${session.day} ${MONTHS[session.month - 1]}` : String(session.day);
  }

  function monthLabel(session, first) {
    if (session.month === 1) return String(session.year);
    return first ? `${MONTHS[session.month - 1]} ${session.year}` : MONTHS[session.month - 1];
  }

  /** The session that slice `x` belongs to, as an index. */
  report.sessionAt = (x) => Math.max(0, report.lastAtMost(firsts, Math.round(x)));

  /** The first slice on or after the date (year, month 1-12, day). */
  report.sliceFrom = function (year, month, day) {
    const wanted = new Date(Date.UTC(year, month - 1, day));
    const date = wanted.getUTCFullYear() * 10000 + (wanted.getUTCMonth() + 1) * 100 + wanted.getUTCDate();
    const index = dates.findIndex((each) => each >= date);
    return index < 0 ? 0 : firsts[index];
  };

  report.lastSession = () => sessions[sessions.length - 1];

  /** Places and labels along x between `min` and `max` for a plot of `width` pixels. */
  function ticks(min, max, width) {
    const room = Math.max(2, Math.floor(width / LABEL_WIDTH));
    const first = report.lastAtMost(firsts, min);
    const last = report.lastAtMost(firsts, max);
    const visible = sessions.slice(Math.max(0, first), last + 1).filter((session) => session.x >= min);
    if (visible.length * 2 <= room) return hours(min, max, room, visible);
    for (const level of LEVELS) {
      const chosen = visible.filter(level.at);
      if (chosen.length <= room) {
        return chosen.map((session, index) => ({ x: session.x, label: level.label(session, index === 0) }));
      }
    }
    return [];
  }

  /** Sessions' first slices with their dates, and times of day evenly between them. */
  function hours(min, max, room, starts) {
    const wanted = (max - min) / Math.max(1, room - starts.length);
    const step = STEPS.find((each) => each >= wanted) || Math.ceil(wanted);
    const found = [];
    for (let at = report.sessionAt(min); at < sessions.length && sessions[at].x <= max; at++) {
      const { x: first, day, month } = sessions[at];
      const after = at + 1 < sessions.length ? sessions[at + 1].x : report.count;
      if (first >= min) found.push({ x: first, label: `${day} ${MONTHS[month - 1]}` });
      for (let x = first + step - 1; x <= max && x < after; x += step) {
        const isApart = x - first >= step * 0.6 && after - x >= step * 0.6;
        if (isApart && x >= min) found.push({ x, label: report.timeOfDay(report.timeAt(x)) });
      }
    }
    return found;
  }

  let latest = [];
  report.xSplits = (plot, axis, min, max) => {
    latest = ticks(min, max, plot.bbox.width / devicePixelRatio);
    return latest.map((tick) => tick.x);
  };
  report.xLabels = () => latest.map((tick) => tick.label);

  /** Round values between min and max, about `count` of them, as far as they are in the range. */
  function roundValues(min, max, count) {
    const raw = (max - min) / Math.max(1, count);
    if (!(raw > 0)) return [min];
    const power = 10 ** Math.floor(Math.log10(raw));
    const step = [1, 2, 2.5, 5, 10].map((part) => part * power).find((each) => each >= raw);
    const found = [];
    for (let at = Math.ceil(min / step); at * step <= max; at++) found.push(at * step);
    return found;
  }

  /** Values for a log axis: round ones where the range is narrow, 1-2-5 where it is wide. */
  function logValues(min, max, count) {
    if (max / min < 5) return roundValues(min, max, count);
    const found = [];
    for (let power = Math.floor(Math.log10(min)); 10 ** power <= max; power++) {
      for (const part of [1, 2, 5]) found.push(part * 10 ** power);
    }
    return found.filter((value) => value >= min && value <= max);
  }

  report.ySplits = (logarithmic) => (plot, axis, min, max) => {
    const count = Math.max(2, Math.round(plot.bbox.height / devicePixelRatio / 46));
    return logarithmic ? logValues(min, max, count) : roundValues(min, max, count);
  };

  /** Millions as 1.2M; on a narrow screen thousands as 600k. */
  function shortened(step, largest) {
    if (largest >= 1e6 && step >= 1e3) return { divisor: 1e6, letter: "M" };
    if (innerWidth < 600 && largest >= 1e4 && step >= 100) return { divisor: 1e3, letter: "k" };
    return { divisor: 1, letter: "" };
  }

  /** Short labels with just the decimals that tell neighbours apart. */
  report.yLabels = (unit) => (plot, splits) => {
    const gaps = splits.slice(1).map((value, at) => value - splits[at]);
    const { divisor, letter } = shortened(Math.min(...gaps, 1e9), Math.max(...splits.map(Math.abs)));
    const step = (gaps.length ? Math.min(...gaps) : 1) / divisor;
    const decimals = Math.min(4, Math.max(0, Math.ceil(-Math.log10(step) - 1e-9)));
    const extra = Number.isInteger(Math.round(step * 10 ** decimals * 1e6) / 1e6) ? 0 : 1;
    return splits.map((value) => report.number(value / divisor, decimals + extra) + letter + unit);
  };

  /** A y range with a margin; in a log scale the margin is a ratio. */
  report.yRange = (logarithmic, ceiling) => (plot, min, max) => {
    if (min === null || max === null || min === undefined) return logarithmic ? [1, 10] : [0, 1];
    if (logarithmic && min > 0) {
      const margin = Math.max(1.005, (max / min) ** 0.05);
      return [min / margin, max * margin];
    }
    const margin = Math.max((max - min) * 0.06, Math.abs(max) * 1e-4, 1e-6);
    return [min - margin, ceiling === undefined ? max + margin : ceiling];
  };
})(window.papertapeReport);
