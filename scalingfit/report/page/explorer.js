/* The explorer of a report: boxes and sliders in, answers with their bands out, at once. */
"use strict";

/* 8 bytes a number, little-endian, in base64. */
function doubles(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  return new Float64Array(bytes.buffer);
}

/* Three digits and a suffix where one is in use: 72.4B, 1.31T, 5.76e23. */
function short(value) {
  for (const [suffix, unit] of [["T", 1e12], ["B", 1e9], ["M", 1e6], ["K", 1e3]]) {
    const small = suffix === "K" && value < 1e4;
    if (value >= unit * 0.9995 && value < 999.5 * unit && !small) {
      return (value / unit).toPrecision(3) + suffix;
    }
  }
  return flop(value);
}

function flop(value) {
  const text = value.toPrecision(3);
  const size = Math.abs(Number(text));
  if (size === 0 || (size >= 1e-3 && size < 1e5)) {
    return text.includes("e") ? Number(text).toFixed(0) : text;
  }
  return Number(text).toExponential().replace("e+", "e");
}

/* Two digits: 0.0023, 3.7e-6. */
function small(value) {
  return value > 0 && value < 1e-3 ? value.toExponential(1) : String(Number(value.toPrecision(2)));
}

/* A number as people type it: 1e24, 70B, 1.4T; NaN where it is none. */
function typed(text) {
  const found = /^\s*\$?([\d.,]+(?:e[+-]?\d+)?)\s*([KMBT]?)\s*$/i.exec(text);
  if (found === null) return NaN;
  const units = { "": 1, K: 1e3, M: 1e6, B: 1e9, T: 1e12 };
  return Number(found[1].replaceAll(",", "")) * units[found[2].toUpperCase()];
}

const HOUR = 3600;
const SHOWN = {
  N: short,
  D: short,
  ratio: short,
  L: (value) => value.toPrecision(4),
  single: (value) => value.toPrecision(4),
  above: small,
  C: flop,
  hours: short,
  dollars: short,
};

function explore(data) {
  const page = document.getElementById("explorer");
  const box = (name) => page.querySelector(`input[name="${name}"]`);
  const slider = (name) => page.querySelector(`input[data-of="${name}"]`);
  const names = Array.from(page.querySelectorAll("input[name]"), (each) => each.name);
  const found = solver(data);
  let asked = new Set();

  function value(name) {
    const number = typed(box(name).value);
    const good = Number.isFinite(number) && (number > 0 || (number === 0 && name === "served"));
    box(name).setAttribute("aria-invalid", String(!good));
    return good ? number : NaN;
  }

  function slide(name) {
    const end = slider(name);
    const lowest = Number(end.value) === Number(end.min);
    box(name).value = name === "served" && lowest ? "0" : short(10 ** Number(end.value));
    end.setAttribute("aria-valuetext", box(name).value);
  }

  function follow(name) {
    const end = slider(name);
    if (end === null) return;
    const number = value(name);
    end.value = number > 0 ? Math.log10(number) : end.min;
    end.setAttribute("aria-valuetext", box(name).value);
  }

  /* A row of an answer: the median, and both intervals. */
  function show(id, name, values) {
    const ends = values.length > 1 ? quantiles(values) : Array(5).fill(values[0]);
    const [low, lower, middle, upper, high] = ends.map(SHOWN[name]);
    const row = page.querySelector(`#${id} [data-row="${name}"]`);
    row.hidden = ends.some(Number.isNaN);
    row.dataset.values = JSON.stringify(ends);
    const cells = [middle, `${lower} to ${upper}`, `${low} to ${high}`];
    row.querySelectorAll("td").forEach((cell, k) => {
      cell.textContent = k > 0 && low === high ? "" : cells[k];
    });
    return `${middle}${low === high ? "" : ` [${low}, ${high}]`}`;
  }

  function cost(id, C) {
    const hours = C / (value("rate") * HOUR);
    show(id, "hours", [hours]);
    show(id, "dollars", [hours * value("price")]);
  }

  function say(id, text) {
    page.querySelector(`#${id} [aria-live]`).textContent = text;
  }

  function answerBudget() {
    const [C, served] = [value("C"), value("served")];
    const best = Number.isNaN(C + served) ? null : found.split(C, served);
    for (const part of page.querySelectorAll("#budget table, #budget figure")) {
      part.toggleAttribute("hidden", best === null);
    }
    if (best === null) {
      say("budget", "The budget trains no model: write a larger one, such as 1e24, or serve less.");
      return;
    }
    const N = show("budget", "N", best.N);
    const D = show("budget", "D", best.D);
    const L = show("budget", "L", best.L);
    show("budget", "single", found.singles(best.N, best.D, best.L));
    show("budget", "ratio", best.D.map((tokens, draw) => tokens / best.N[draw]));
    cost("budget", C);
    const split = `${N} parameters on ${D} tokens, for a loss of ${L}`;
    say("budget", `The best split of ${flop(C)} FLOP: ${split}.`);
    draw(page.querySelector("#budget svg"), best, (N) => {
      const D = data.tokens([N, C, served]);
      if (!(D >= 1)) return null;
      const L = found.losses(N, D);
      const [low, , , , high] = quantiles(found.singles(N, D, L));
      return [...quantiles(L), low, high];
    });
  }

  function answerRun() {
    const [N, D] = [value("N"), value("D")];
    const good = !Number.isNaN(N + D);
    page.querySelector("#run table").hidden = !good;
    if (!good) {
      say("run", "Write parameters and tokens, such as 70B and 1.4T.");
      return;
    }
    const C = data.flops([N, D, 0]);
    const L = found.losses(N, D);
    const best = found.split(C, 0);
    show("run", "C", [C]);
    cost("run", C);
    const shown = show("run", "L", L);
    show("run", "single", found.singles(N, D, L));
    const above = best === null ? [NaN] : L.map((own, draw) => Math.max(own - best.L[draw], 0));
    const lost = show("run", "above", above);
    const what = `${short(N)} parameters on ${short(D)} tokens`;
    say("run", `${what}: a loss of ${shown}, ${lost} above the least that ${flop(C)} FLOP buy.`);
  }

  function answer() {
    for (const name of Object.keys(data.extras)) data.extras[name] = value(name);
    if (!asked.has("run")) answerBudget();
    if (!asked.has("budget")) answerRun();
    asked.clear();
  }

  /* Once for all that has changed; what stands beside one answer leaves the other as it is. */
  function ask(name) {
    if (asked.size === 0) setTimeout(answer);
    if (["C", "served"].includes(name)) asked.add("budget");
    else if (["N", "D"].includes(name)) asked.add("run");
    else asked.add("both");
    if (asked.size > 1) asked = new Set(["both"]);
  }

  for (const name of names) {
    follow(name);
    box(name).addEventListener("input", () => (follow(name), ask(name)));
    slider(name)?.addEventListener("input", () => (slide(name), ask(name)));
  }
  answer();
}

/* The loss of models of each size at the budget, with its bands, those of single runs, and the
   interval of the best. `lossOf` gives the five quantiles of the loss, and the outer two of a run. */
function draw(svg, best, lossOf) {
  const [WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM, SPAN, SIZES] = [560, 270, 52, 552, 20, 230, 6, 49];
  const sizes = quantiles(best.N).map(Math.log);
  const [first, last] = [sizes[0] - Math.log(SPAN), sizes[4] + Math.log(SPAN)];
  const grid = Array.from({ length: SIZES }, (_, k) => first + (k * (last - first)) / (SIZES - 1));
  const points = grid
    .map((size) => [size, lossOf(Math.exp(size))])
    .filter(([, ends]) => ends !== null && ends.every(Number.isFinite));
  const [, , , , high] = quantiles(best.L);
  const floor = Math.min(...points.map(([, ends]) => Math.min(ends[0], ends[5])));
  const above = Math.max(...points.map(([, ends]) => ends[2]));
  const roof = Math.min(above, high + 3 * (high - floor));
  const x = (size) => (LEFT + ((size - first) / (last - first)) * (RIGHT - LEFT)).toFixed(1);
  const y = (loss) => (BOTTOM - ((loss - floor) / (roof - floor)) * (BOTTOM - TOP)).toFixed(1);
  const line = (k) => points.map(([size, ends]) => `${x(size)},${y(ends[k])}`);
  const band = (a, b) => [...line(a), ...line(b).reverse()].join(" ");
  const upright = (size, kind) =>
    `<line class="${kind}" x1="${x(size)}" x2="${x(size)}" y1="${TOP}" y2="${BOTTOM}"/>`;
  const losses = Array.from({ length: 5 }, (_, k) => floor + (k * (roof - floor)) / 4);
  const marks = [0.1, 0.37, 0.63, 0.9].map((share) => first + share * (last - first));
  svg.setAttribute("viewBox", `0 0 ${WIDTH} ${HEIGHT}`);
  svg.innerHTML = [
    `<clipPath id="inside"><rect x="${LEFT}" y="${TOP}" width="${RIGHT - LEFT}" `,
    `height="${BOTTOM - TOP}"/></clipPath><text x="4" y="11">loss</text>`,
    ...losses.map((loss) => `<line class="grid" x1="${LEFT}" x2="${RIGHT}" y1="${y(loss)}"
      y2="${y(loss)}"/><text x="${LEFT - 6}" y="${Number(y(loss)) + 4}"
      text-anchor="end">${loss.toPrecision(3)}</text>`),
    ...marks.map((size) => `<text x="${x(size)}" y="${BOTTOM + 16}"
      text-anchor="middle">${short(Math.exp(size))}</text>`),
    `<text x="${(LEFT + RIGHT) / 2}" y="${BOTTOM + 34}" text-anchor="middle">parameters N; the rest
      of the budget buys tokens</text><g clip-path="url(#inside)"><rect class="best"
      x="${x(sizes[0])}" width="${x(sizes[4]) - x(sizes[0])}" y="${TOP}" height="${BOTTOM - TOP}"/>`,
    `<polygon class="wide" points="${band(0, 4)}"/><polygon class="narrow" points="${band(1, 3)}"/>`,
    ...[5, 6].map((k) => `<polyline class="single" points="${line(k).join(" ")}"/>`),
    `<polyline class="middle" points="${line(2).join(" ")}"/>${upright(sizes[2], "optimum")}</g>`,
  ].join("");
}

const { weights, runs, ...stated } = JSON.parse(document.getElementById("draws").textContent);
stated.scatter.runs = doubles(runs);
if (stated.error !== null) stated.error.weights = doubles(weights);
explore({ ...stated, ...FORMULAS });
