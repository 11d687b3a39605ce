// Turns <figure data-chart> into a uPlot chart. The numbers are read from the figure's own table, so nothing is sent twice.
"use strict";

(() => {
  const drawn = new Map();
  const language = document.documentElement.lang || "en";
  const number = new Intl.NumberFormat(language, { maximumFractionDigits: 2 });
  const BINARY = Array.from({ length: 48 }, (_, power) => 2 ** power); // ticks of sizes: 32 MiB, 64 MiB …
  const UNITS = ["B", "KiB", "MiB", "GiB", "TiB"];

  function size(value) {
    let index = 0;
    for (; Math.abs(value) >= 1024 && index < UNITS.length - 1; index++) value /= 1024;
    return `${number.format(value)} ${UNITS[index]}`;
  }

  function write(value, unit) {
    if (value === null || value === undefined) return "–";
    if (unit === "bytes") return size(value);
    const text = number.format(value);
    return { percent: `${text} %`, per_second: `${text}/s`, seconds: `${text} s` }[unit] ?? text;
  }

  function read(figure) {
    const columns = [[]];
    for (const row of figure.querySelectorAll("tbody tr")) {
      columns[0].push(Date.parse(row.querySelector("time").dateTime) / 1000);
      [...row.querySelectorAll("data")].forEach((cell, index) => (columns[index + 1] ??= []).push(cell.value === "" ? null : Number(cell.value)));
    }
    return columns;
  }

  function color(element, name) { // a token may be light-dark(), so the browser is asked what it comes to
    const probe = element.appendChild(document.createElement("i"));
    probe.style.color = `var(${name})`;
    const found = getComputedStyle(probe).color;
    probe.remove();
    return found;
  }

  function tooltip(plot, names, unit) {
    const tip = document.createElement("div");
    tip.className = "chart-tip";
    tip.hidden = true;
    const clock = new Intl.DateTimeFormat(language, { dateStyle: "medium", timeStyle: "medium" });
    return {
      hooks: {
        init: (u) => u.over.append(tip),
        setCursor: (u) => {
          const { idx, left } = u.cursor;
          tip.hidden = idx === null || idx === undefined || left < 0;
          if (tip.hidden) return;
          const lines = names.map((name, index) => `${name}: ${write(u.data[index + 1][idx], unit)}`);
          tip.textContent = [clock.format(u.data[0][idx] * 1000), ...lines].join("\n");
          const right = left > u.over.clientWidth / 2;
          tip.style.left = right ? "" : `${left + 12}px`;
          tip.style.right = right ? `${u.over.clientWidth - left + 12}px` : "";
        },
      },
    };
  }

  function draw(figure) {
    const plot = figure.querySelector(".chart-plot");
    if (!figure.querySelector("tbody tr") || !window.uPlot) return;
    const { unit } = figure.dataset;
    const data = read(figure);
    const names = [...figure.querySelectorAll("thead th.num")].map((cell) => cell.textContent);
    const [ink, line] = [color(plot, "--ink-faint"), color(plot, "--line")];
    const font = `11px ${getComputedStyle(plot).fontFamily}`;
    const axis = { stroke: ink, font, grid: { stroke: line, width: 1 }, ticks: { show: false } };
    const series = names.map((name, index) => {
      const stroke = color(plot, `--hue-${(index % 6) + 1}`);
      const fill = names.length === 1 ? stroke.replace(/^rgb\((.*)\)$/, "rgba($1, 0.1)") : undefined;
      return { label: name, stroke, fill, width: 1.5, points: { show: data[0].length === 1 } };
    });
    const old = drawn.get(figure.id);
    if (old) { old.destroy(); drawn.delete(figure.id); }
    plot.replaceChildren();
    const chart = new window.uPlot({
      width: plot.clientWidth, height: plot.clientHeight, legend: { show: false }, padding: [8, 8, 0, 0],
      cursor: { y: false, drag: { x: false, y: false }, points: { size: 6 }, sync: { key: "charts" } },
      scales: { x: { range: span }, y: { range: (u, low, high) => [Math.min(0, low ?? 0), unit === "percent" ? 100 : Math.max((high ?? 1) * 1.1, 1)] } },
      axes: [{ ...axis, grid: { show: false }, size: 28, space: 80, values: clock }, { ...axis, size: 64, space: 36, ...(unit === "bytes" ? { incrs: BINARY } : {}), values: (u, ticks) => ticks.map((tick) => write(tick, unit)) }],
      series: [{}, ...series],
      plugins: [tooltip(plot, names, unit)],
    }, data, plot);
    drawn.set(figure.id, chart);
    watch.observe(plot);
  }

  const watch = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const chart = drawn.get(target.parentElement?.id);
      if (chart && target.clientWidth && target.clientWidth !== chart.width) chart.setSize({ width: target.clientWidth, height: target.clientHeight });
    }
  });
  // A minute at least: of a single number the library would make an axis that begins in 1970.
  const span = (u, low, high) => (high - low < 60 ? [high - 60, high] : [low, high]);
  // Hours within a day and a half, days beyond it.
  function clock(u, ticks) {
    const long = u.scales.x.max - u.scales.x.min > 129600;
    const seconds = u.scales.x.max - u.scales.x.min < 600 ? { second: "2-digit" } : {};
    const form = new Intl.DateTimeFormat(language, long ? { day: "numeric", month: "short" } : { hour: "2-digit", minute: "2-digit", ...seconds, hourCycle: "h23" });
    return ticks.map((tick) => form.format(tick * 1000));
  }
  const drawAll = (root) => root.querySelectorAll("[data-chart]").forEach(draw);

  document.addEventListener("htmx:load", (event) => (event.detail.elt.matches("[data-chart]") ? draw(event.detail.elt) : drawAll(event.detail.elt)));
  document.addEventListener("themechange", () => drawAll(document));
  if (!window.htmx) drawAll(document);
})();
