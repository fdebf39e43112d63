// Quality against cost. The state holds metrics and models; one model has several points, which the dial walks through.
const WIDTH = 360;
const HEIGHT = 220;
const BOX = { left: 40, right: 350, top: 22, bottom: 180 };
const COLOURS = { noisy: "currentColor", ftfnet: "currentColor", dsn: "var(--fixed)", "mgt-dsn": "var(--slim)" };

const text = (value, digits) => (value === null ? "–" : value.toFixed(digits).replace("-", "−"));
const signed = (value) => (value > 0 ? "+" : "") + text(value, 2);

function steps(low, high) {
  const rough = (high - low) / 4 || 1;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((k) => k * unit).find((k) => k >= rough);
  const ticks = [];
  for (let value = Math.ceil(low / step) * step; value <= high + step / 1e6; value += step) ticks.push(value);
  return { ticks, digits: Math.max(0, -Math.floor(Math.log10(step) + 1e-9)) };
}

function scales(points, key) {
  const values = points.map((point) => point.values[key]).filter((value) => value !== null);
  const span = Math.max(...values) - Math.min(...values) || 1;
  const [low, high] = [Math.min(...values) - 0.12 * span, Math.max(...values) + 0.12 * span];
  const most = 1.08 * Math.max(...points.map((point) => point.mmacs));
  return {
    low, high, most,
    x: (mmacs) => BOX.left + ((BOX.right - BOX.left) * mmacs) / most,
    y: (value) => BOX.bottom - ((BOX.bottom - BOX.top) * (value - low)) / (high - low),
  };
}

function grid({ low, high, most, x, y }, name) {
  const horizontal = steps(low, high);
  const lines = horizontal.ticks.map((value) => `<line x1="${BOX.left}" x2="${BOX.right}" y1="${y(value)}" y2="${y(value)}"
    stroke="currentColor" stroke-opacity="0.15"/><text x="${BOX.left - 4}" y="${y(value) + 4}" text-anchor="end">${text(value, horizontal.digits)}</text>`);
  const vertical = steps(0, most).ticks.map((value) => `<text x="${x(value)}" y="${BOX.bottom + 15}" text-anchor="middle">${value}</text>`);
  return `${lines.join("")}${vertical.join("")}<text x="${BOX.left}" y="12">${name}</text>
    <text x="${BOX.right}" y="${BOX.bottom + 31}" text-anchor="end">MMAC/s</text>`;
}

const around = (x, y) => ({ left: x - 4, right: x + 4, top: y - 4, bottom: y + 4 });

// A name beside its point, at the first of several places where it covers no other and no point; `taken` has their boxes.
function named(name, colour, x, y, reach, taken) {
  const wide = 6 * name.length;
  const aside = wide / 2 + reach;
  const places = [[-wide / 2, -reach], [0, -reach], [0, reach + 8], [-aside, 4], [aside, 4], [0, -reach - 12], [0, reach + 20], [0, reach + 32], [0, reach + 44]];
  const boxes = places.map(([dx, dy]) => ({ left: x + dx - wide / 2, right: x + dx + wide / 2, top: y + dy - 10, bottom: y + dy }));
  const apart = (one, other) => one.right < other.left || other.right < one.left || one.bottom < other.top || other.bottom < one.top;
  const inside = (box) => box.left >= BOX.left && box.right <= WIDTH && box.top >= 14 && box.bottom <= BOX.bottom;
  const box = boxes.find((one) => inside(one) && taken.every((other) => apart(one, other))) ?? boxes[0];
  taken.push(box);
  return `<text x="${(box.left + box.right) / 2}" y="${box.bottom}" text-anchor="middle" style="fill: ${colour}">${name}</text>`;
}

function marks(model, { key, digits }, { x, y }, chosen, taken) {
  const shown = model.points.filter((point) => point.values[key] !== null);
  const colour = COLOURS[model.key] ?? "currentColor";
  if (model.key === "noisy") {
    return shown.map((point) => `<text x="${BOX.left + 4}" y="${BOX.bottom - 4}">${model.name}: ${text(point.values[key], digits)}</text>`).join("");
  }
  const line = shown.map((point) => `${x(point.mmacs)},${y(point.values[key])}`).join(" ");
  const dots = shown.map((point) => `<circle cx="${x(point.mmacs)}" cy="${y(point.values[key])}" r="${model.points.length > 1 ? 3 : 5}" fill="${colour}"/>`);
  const live = chosen && chosen.values[key] !== null
    ? `<circle cx="${x(chosen.mmacs)}" cy="${y(chosen.values[key])}" r="7" fill="none" stroke="${colour}" stroke-width="3"/>
      ${named(model.name, colour, x(chosen.mmacs), y(chosen.values[key]), 13, taken)}` : "";
  const last = shown[shown.length - 1];
  const label = last && model.points.length === 1
    ? named(model.name, colour, x(last.mmacs), y(last.values[key]), 8, taken) : "";
  return `<polyline points="${line}" fill="none" stroke="${colour}" stroke-width="1.5"/>${dots.join("")}${live}${label}`;
}

function row(model, point, metric, live) {
  const noisy = model.key === "noisy";
  const cells = [
    noisy ? "–" : text(point.mmacs, 0),
    noisy ? "–" : `${text(point.share, 0)}\u00a0%`,
    point.ratio === null ? "–" : `${text(100 * point.ratio, 0)}\u00a0%`,
    text(point.values[metric.key], metric.digits),
  ];
  return `<tr${live ? " data-live" : ""}><th scope="row">${model.name}</th>${cells.map((cell) => `<td>${cell}</td>`).join("")}</tr>`;
}

export function render(root, state) {
  const slim = state.models.find((model) => model.points.length > 1);
  const off = (point) => Math.abs(point.dial);
  const trained = slim ? slim.points.reduce((best, point, k, all) => (off(point) < off(all[best]) ? k : best), 0) : 0;
  const name = `pareto-${Math.random().toString(36).slice(2)}`;
  root.className = "dsn-pareto";
  root.innerHTML = `
    <fieldset><legend>Metric:</legend>${state.metrics.map((metric, index) => `<label><input type="radio" name="${name}"
      value="${index}"${index === 0 ? " checked" : ""}> ${metric.name}</label>`).join("")}</fieldset>
    ${slim ? `<label for="${name}-dial">Dial of ${slim.name} (left: fewer gates open): <output></output></label>
    <input type="range" id="${name}-dial" min="0" max="${slim.points.length - 1}" step="1" value="${trained}">` : ""}
    <div class="picture"></div>
    <p role="status"></p>
    <table><thead><tr><th scope="col">model</th><th scope="col">MMAC/s</th><th scope="col">of ${state.baseline}</th>
      <th scope="col">gates open</th><th scope="col" class="metric"></th></tr></thead><tbody></tbody></table>`;
  const find = (selector) => root.querySelector(selector);
  const slider = find("input[type=range]");

  function draw() {
    const metric = state.metrics[Number(find("input[type=radio]:checked").value)];
    const chosen = slim ? slim.points[Number(slider.value)] : null;
    const points = state.models.flatMap((model) => (model.key === "noisy" ? [] : model.points));
    const scale = scales(points, metric.key);
    const taken = points.filter((point) => point.values[metric.key] !== null)
      .map((point) => around(scale.x(point.mmacs), scale.y(point.values[metric.key])));
    const pieces = state.models.map((model) => marks(model, metric, scale, model === slim ? chosen : null, taken));
    const sentence = chosen
      ? `${slim.name} at dial ${signed(chosen.dial)}${chosen.dial === 0 ? " (as trained)" : ""}: ${text(100 * chosen.ratio, 0)} % of the gates open,
         ${text(chosen.mmacs, 0)} MMAC/s, ${text(chosen.share, 0)} % of ${state.baseline}; ${metric.name} ${text(chosen.values[metric.key], metric.digits)}.`
      : "";
    find(".picture").innerHTML = `<svg viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-label="${metric.name} against MMAC/s. ${sentence}">
      ${grid(scale, metric.name)}${pieces.join("")}</svg>`;
    find("p").textContent = sentence.replace(/\s+/g, " ");
    find(".metric").textContent = metric.name;
    find("tbody").innerHTML = state.models
      .map((model) => row(model, model === slim ? chosen : model.points[0], metric, model === slim)).join("");
    if (slim) {
      find("output").textContent = signed(chosen.dial);
      slider.setAttribute("aria-valuetext", find("p").textContent);
    }
  }

  root.addEventListener("input", draw);
  draw();
}
