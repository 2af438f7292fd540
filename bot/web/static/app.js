"use strict";

const DASH = "–", MINUS = "−";
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const known = (x) => typeof x === "number" && Number.isFinite(x);
const signed = (x, text) => (x < 0 && /[1-9]/.test(text) ? MINUS : x > 0 && /[1-9]/.test(text) ? "+" : "") + text;

const show = {
  share: (x, digits = 2) => (known(x) ? signed(x, Math.abs(x * 100).toFixed(digits) + "%") : DASH),
  funding: (x) => show.share(x, 4),
  usd(x) {
    if (!known(x)) return DASH;
    for (const [size, unit] of [[1e12, "T"], [1e9, "B"], [1e6, "M"], [1e3, "k"]]) {
      if (Math.abs(x) >= size) return "$" + (x / size).toPrecision(3) + unit;
    }
    return "$" + x.toPrecision(3);
  },
  price(x) {
    if (!known(x)) return DASH;
    if (x >= 10000) return Math.round(x).toLocaleString("en-US");
    if (x >= 100 || x === 0) return x.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
    if (x >= 1) return x.toLocaleString("en-US", { minimumFractionDigits: 2, maximumFractionDigits: 4 });
    return x.toFixed(Math.min(20, -Math.floor(Math.log10(x)) + 3)).replace(/(\.\d{2}\d*?)0+$/, "$1");
  },
};
const format = { price: show.price, oi_usd: show.usd, volume: show.usd, funding: show.funding, move: show.share };

/* As the row of now.html has them, behind the name. */
const CELLS = ["price", "move", "oi_usd", "oi0", "oi1", "oi2", "oi3", "oi4", "funding", "volume", "reading"];

function market() {
  const live = document.getElementById("live");
  const table = document.getElementById("market");
  if (!live || !table) return;
  const body = table.tBodies[0];
  body.append(document.getElementById("rest").content);
  const readings = live.dataset.readings.split("|");
  const rows = [...body.rows].map((row) => ({
    row, n: Number(row.dataset.n), symbol: row.dataset.symbol, last: {},
    cells: Object.fromEntries(CELLS.map((name, at) => [name, row.cells[at + 1]])),
  }));
  let columns = null;
  let firing = new Set();
  let sorted = { by: "oi_usd", up: false };
  let pins = new Set(JSON.parse(localStorage.getItem("pins") || "[]"));

  function value(one, by) {
    if (by === "symbol") return one.symbol;
    return columns ? columns[by][one.n] : null;
  }

  function sort() {
    const way = sorted.up ? 1 : -1;
    rows.sort((a, b) => {
      const pinned = pins.has(b.symbol) - pins.has(a.symbol);
      if (pinned) return pinned;
      const x = value(a, sorted.by), y = value(b, sorted.by);
      if (x === null || y === null) return (x === null) - (y === null);
      return way * (x < y ? -1 : x > y ? 1 : 0);
    });
    body.append(...rows.map((one) => one.row));
  }

  function pin(one, on) {
    one.row.classList.toggle("pinned", on);
    const button = one.row.querySelector(".pin");
    button.setAttribute("aria-pressed", String(on));
    button.textContent = on ? "★" : "☆";
  }

  for (const one of rows) {
    pin(one, pins.has(one.symbol));
    one.row.querySelector(".pin").addEventListener("click", () => {
      if (!pins.delete(one.symbol)) pins.add(one.symbol);
      localStorage.setItem("pins", JSON.stringify([...pins]));
      pin(one, pins.has(one.symbol));
      sort();
    });
  }
  for (const button of table.tHead.querySelectorAll("button")) {
    button.addEventListener("click", () => {
      const by = button.dataset.sort;
      sorted = { by, up: by === sorted.by ? !sorted.up : by === "symbol" };
      for (const other of table.tHead.querySelectorAll("button")) {
        other.setAttribute("aria-pressed", String(other === button));
        other.closest("th").removeAttribute("aria-sort");
      }
      button.closest("th").setAttribute("aria-sort", sorted.up ? "ascending" : "descending");
      sort();
    });
  }
  if (pins.size) sort();
  const filter = document.getElementById("filter");
  filter.addEventListener("input", () => {
    const wanted = filter.value.trim().toUpperCase();
    for (const one of rows) one.row.hidden = wanted !== "" && !one.symbol.toUpperCase().includes(wanted);
  });

  function take(update) {
    if (update.generation !== Number(live.dataset.generation)) {
      location.reload();
      return;
    }
    columns = update.columns;
    firing = new Set(update.firing);
    document.getElementById("strip").innerHTML = update.strip;
    for (const one of rows) {
      for (const [name, cell] of Object.entries(one.cells)) {
        const x = columns[name][one.n];
        if (one.last[name] === x) continue;
        one.last[name] = x;
        if (name === "reading") {
          cell.textContent = readings[x];
          cell.className = "reading r" + x;
          continue;
        }
        cell.textContent = (format[name] || show.share)(x);
        if (name !== "price" && name !== "oi_usd" && name !== "volume") {
          cell.className = !known(x) || x === 0 ? "" : x > 0 ? "up" : "down";
        }
      }
      one.row.classList.toggle("firing", firing.has(one.n));
    }
    draw();
    live.dataset.drawn = "1";
  }

  const canvas = document.getElementById("quadrant");
  const hover = document.getElementById("hover");
  const oiColumn = () => "oi" + [300000, 900000, 3600000, 14400000, 86400000].indexOf(Number(live.dataset.window));
  let dots = [];

  function limit(values, least) {
    const sizes = values.filter(known).map(Math.abs).sort((a, b) => a - b);
    return Math.max(least, (sizes[Math.floor(sizes.length * 0.98)] || 0) * 1.15);
  }

  function draw() {
    if (!columns) return;
    const box = canvas.getBoundingClientRect(), ratio = devicePixelRatio || 1;
    canvas.width = Math.round(box.width * ratio);
    canvas.height = Math.round(box.height * ratio);
    const c = canvas.getContext("2d");
    c.scale(ratio, ratio);
    const w = box.width, h = box.height, left = 46, bottom = 24, top = 8, right = 8;
    const xs = columns.move, ys = columns[oiColumn()], sizes = columns.oi_usd;
    const mx = limit(xs, 0.003), my = limit(ys, 0.01);
    const px = (x) => left + ((Math.max(-mx, Math.min(mx, x)) + mx) / (2 * mx)) * (w - left - right);
    const py = (y) => h - bottom - ((Math.max(-my, Math.min(my, y)) + my) / (2 * my)) * (h - bottom - top);
    c.font = "12px system-ui, sans-serif";
    c.fillStyle = css("--soft");
    c.strokeStyle = css("--grid");
    c.lineWidth = 1;
    for (const k of [-1, -0.5, 0, 0.5, 1]) {
      c.strokeStyle = css(k === 0 ? "--soft" : "--grid");
      c.beginPath(); c.moveTo(px(k * mx), top); c.lineTo(px(k * mx), h - bottom); c.stroke();
      c.beginPath(); c.moveTo(left, py(k * my)); c.lineTo(w - right, py(k * my)); c.stroke();
      c.textAlign = k === -1 ? "left" : k === 1 ? "right" : "center";
      c.fillText(show.share(k * mx, 1), px(k * mx), h - 8);
      c.textAlign = "right";
      c.fillText(show.share(k * my, 1), left - 4, py(k * my) + (k === 1 ? 10 : k === -1 ? -2 : 4));
    }
    const corners = [["new longs", 1, 1], ["shorts close", 1, -1], ["new shorts", -1, 1], ["longs close", -1, -1]];
    for (const [text, x, y] of corners) {
      c.textAlign = x > 0 ? "right" : "left";
      c.fillText(text, x > 0 ? w - right - 6 : left + 6, y > 0 ? top + 16 : h - bottom - 8);
    }
    const most = Math.max(...sizes.filter(known), 1);
    dots = [];
    for (const one of rows) {
      const x = xs[one.n], y = ys[one.n], size = sizes[one.n];
      if (!known(x) || !known(y) || one.row.hidden) continue;
      const r = 2 + 14 * Math.sqrt((known(size) ? size : 0) / most);
      dots.push({ x: px(x), y: py(y), r, one, hot: firing.has(one.n) });
    }
    dots.sort((a, b) => b.r - a.r);
    for (const dot of dots) {
      c.beginPath();
      c.arc(dot.x, dot.y, dot.r, 0, 7);
      c.globalAlpha = 0.55;
      c.fillStyle = css(dot.hot ? "--hot" : ys[dot.one.n] >= 0 ? "--up" : "--down");
      c.fill();
      c.globalAlpha = 1;
      if (pins.has(dot.one.symbol) || dot.hot) { c.strokeStyle = css("--ink"); c.stroke(); }
    }
    c.fillStyle = css("--ink");
    c.textAlign = "left";
    const named = [...dots].sort((a, b) => Math.abs(b.y - py(0)) + b.r - Math.abs(a.y - py(0)) - a.r).slice(0, 60);
    const taken = corners.map(([text, x, y]) => {
      const wide = c.measureText(text).width;
      return [x > 0 ? w - right - 6 - wide : left + 6, y > 0 ? top + 4 : h - bottom - 20, wide, 14];
    });
    let n = 0;
    for (const dot of named) {
      const text = dot.one.symbol.replace(/USDT$/, "");
      const wide = c.measureText(text).width;
      const x = Math.min(dot.x + dot.r + 2, w - right - wide), y = Math.max(top + 12, dot.y + 4);
      const box = [x, y - 11, wide, 14];
      if (taken.some((o) => o[0] < box[0] + box[2] && box[0] < o[0] + o[2] && o[1] < box[1] + box[3] && box[1] < o[1] + o[3])) continue;
      taken.push(box);
      c.fillText(text, x, y);
      if (++n === (w < 500 ? 8 : 18)) break;
    }
  }

  function nearest(event) {
    const box = canvas.getBoundingClientRect(), x = event.clientX - box.left, y = event.clientY - box.top;
    let best = null, least = 18;
    for (const dot of dots) {
      const far = Math.max(0, Math.hypot(dot.x - x, dot.y - y) - dot.r);
      if (far < least || (far === least && best && dot.r < best.r)) { best = dot; least = far; }
    }
    return best;
  }
  canvas.addEventListener("mousemove", (event) => {
    const dot = nearest(event);
    hover.hidden = !dot;
    canvas.style.cursor = dot ? "pointer" : "";
    if (!dot) return;
    const n = dot.one.n;
    hover.textContent = `${dot.one.symbol}  price ${show.share(columns.move[n])}  OI ${show.share(columns[oiColumn()][n])}  ${show.usd(columns.oi_usd[n])}`;
    const width = canvas.getBoundingClientRect().width;
    hover.style.left = Math.min(dot.x + 12, width - 260) + "px";
    hover.style.top = Math.max(0, dot.y - 30) + "px";
  });
  canvas.addEventListener("mouseleave", () => { hover.hidden = true; });
  canvas.addEventListener("click", (event) => {
    const dot = nearest(event);
    if (dot) location.href = "/symbol/" + encodeURIComponent(dot.one.symbol);
  });
  addEventListener("resize", draw);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);

  const events = new EventSource("/events?window=" + live.dataset.window);
  events.addEventListener("market", (event) => take(JSON.parse(event.data)));
  events.addEventListener("error", () => {
    if (events.readyState === EventSource.CLOSED) location.reload();
  });
  addEventListener("pagehide", () => events.close());
}

async function chart() {
  const place = document.getElementById("chart");
  if (!place || !window.uPlot) return;
  const answer = await fetch(place.dataset.source);
  const data = await answer.json();
  place.replaceChildren();
  if (!answer.ok || data.error) {
    const text = document.createElement("p");
    text.className = "none";
    text.textContent = data.error || "There is no chart.";
    place.append(text);
    return;
  }
  const ink = css("--ink"), grid = css("--grid"), wide = () => Math.max(240, place.clientWidth);
  const shared = uPlot.sync("chart");
  const marks = (u) => {
    const c = u.ctx;
    c.save();
    for (const mark of data.marks) {
      const x = u.valToPos(mark.at, "x", true);
      if (x < u.bbox.left || x > u.bbox.left + u.bbox.width) continue;
      c.lineWidth = devicePixelRatio || 1;
      c.strokeStyle = { critical: "#e5484d", warning: "#f0932b" }[mark.severity] || css("--soft");
      c.setLineDash([4, 4]);
      c.beginPath(); c.moveTo(x, u.bbox.top); c.lineTo(x, u.bbox.top + u.bbox.height); c.stroke();
    }
    c.restore();
  };
  const panels = [
    ["price", "Price", data.price, show.price, "--chart-price", 210],
    ["oi", "Open interest", data.oi, (x) => show.usd(x).slice(1), "--chart-oi", 190],
    ["volume", "Volume", data.volume, (x) => (x === 0 ? "0" : show.usd(x)), "--chart-volume", 100],
    ["funding", "Funding", data.funding, show.funding, "--chart-funding", 100],
    ["long_short", "Long/short of top traders", data.long_short, (x) => x.toFixed(2), "--chart-ratio", 100],
  ].filter(([, , points]) => points && points[0].length);
  const month = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", timeZone: "UTC" });
  const hour = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", timeZone: "UTC" });
  const times = (u, all) => all.map((t) => (t % 86400 === 0 ? month : hour).format(t * 1000));
  const moment = (t) => `${month.format(t * 1000)} ${hour.format(t * 1000)} UTC`;
  const when = (t) => (data.to - data.from > 86400 ? month.format(t * 1000) + " " : "") + hour.format(t * 1000);
  const paths = {
    volume: uPlot.paths.bars({ size: [0.7, 40], align: 1 }),
    funding: uPlot.paths.stepped({ align: 1 }), /* what was paid holds until the next payment */
  };
  const plots = panels.map(([name, title, points, text, colour, height], n) => {
    const isLast = n === panels.length - 1;
    const head = document.createElement("p");
    head.className = "panel-head";
    const label = document.createElement("b");
    label.textContent = title;
    const value = document.createElement("span");
    head.append(label, value);
    place.append(head);
    const values = points[1];
    const newest = values.findLastIndex(known);
    const tell = (at) => {
      const here = known(at) && known(values[at]) ? at : newest;
      value.textContent = here < 0 ? DASH : text(values[here]) + (here === newest ? "" : " · " + moment(points[0][here]));
    };
    tell(null);
    const line = css(colour);
    return new uPlot({
      width: wide(), height: height + (isLast ? 26 : 0),
      cursor: { sync: { key: shared.key, scales: ["x", null] }, y: false },
      tzDate: (t) => uPlot.tzDate(new Date(t * 1000), "Etc/UTC"),
      scales: {
        x: { time: true, range: [data.from, data.to] },
        y: name === "volume" ? { range: (u, low, high) => [0, (high || 1) * 1.1] } : {},
      },
      hooks: { draw: [marks], setCursor: [(u) => tell(u.cursor.idx)] },
      legend: { show: false },
      padding: [8, 8, isLast ? 0 : 8, 0],
      axes: [
        { stroke: ink, grid: { stroke: grid, width: 1 }, ticks: { show: false }, size: isLast ? 26 : 0, values: isLast ? times : () => [], space: 60 },
        { stroke: ink, grid: { stroke: grid, width: 1 }, ticks: { show: false }, size: 72, space: 34, values: (u, all) => all.map((x) => (x === null ? "" : text(x))) },
      ],
      series: [
        {},
        {
          stroke: line, width: 1.5, points: { show: false }, spanGaps: false,
          fill: name === "volume" ? line : undefined,
          paths: paths[name],
        },
      ],
    }, points, place);
  });
  const shown = data.marks.filter((mark) => mark.at >= data.from);
  if (shown.length) {
    const text = document.createElement("p");
    text.className = "hint";
    text.textContent = "Dashed lines: alerts (" + shown.slice(0, 5).map((mark) => mark.title + " " + when(mark.at)).join(", ") + (shown.length > 5 ? ", …" : "") + ")";
    place.append(text);
  }
  addEventListener("resize", () => plots.forEach((plot, n) => plot.setSize({ width: wide(), height: plot.height })));
}

requestAnimationFrame(() => setTimeout(market));
chart();
