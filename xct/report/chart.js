// Charts: curves at a place that is chosen; range, scale and cells, too. No library.
const COLORS = ["#0072b2", "#e69f00", "#009e73", "#d55e00", "#56b4e9", "#cc79a7", "#8c6d31", "#7f7f7f"];
const DECADES = 4, HEIGHT = 380, LINE = 18, EDGE = { left: 66, right: 14, top: 14, bottom: 44 };

const ticks = (low, high, about) => {
  const rough = (high - low) / about, decade = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(n => n * decade).find(n => n >= rough), found = [];
  for (let t = Math.ceil(low / step) * step; t <= high + step / 1e6; t += step) found.push(Number(t.toPrecision(10)));
  return found;
};

const written = number => {
  const text = Math.abs(number) >= 10000 ? Math.round(number).toLocaleString("en-US") : String(Number(number.toPrecision(3)));
  return text.replace("-", "−");
};

function drawChart(box) {
  const chart = JSON.parse(box.dataset.chart), svg = box.querySelector("svg"), tools = box.querySelector(".tools");
  const readout = box.querySelector(".readout"), last = chart.first + chart.step * (chart.curves[0].find(c => c).length - 1);
  const hidden = new Set(), full = [chart.first, last];
  let place = chart.begin, log = false, range = full, width = 0, top = 0, scaleX, scaleY;

  const element = (name, attributes, text) => {
    const made = document.createElementNS("http://www.w3.org/2000/svg", name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    svg.append(made);
    return made;
  };
  const shown = () => chart.series.map((name, n) => ({ name, curve: chart.curves[place][n], color: COLORS[n % COLORS.length], dash: chart.dashed[n] }))
    .filter((one, n) => one.curve && !hidden.has(n));
  const number = x => (x - chart.first) / chart.step; // of the value at x
  const inRange = () => [Math.ceil(number(range[0]) - 1e-6), Math.floor(number(range[1]) + 1e-6)];

  // Names stand above the curves, in as many rows as they need.
  const legend = curves => {
    let x = EDGE.left + 9 * chart.places[place].length + 16, row = 0;
    return curves.map(one => {
      const wide = 40 + 7.5 * one.name.length;
      if (x + wide > width - EDGE.right) [x, row] = [EDGE.left, row + 1];
      const at = { ...one, x, row };
      x += wide;
      return at;
    });
  };

  function draw() {
    svg.replaceChildren();
    svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    svg.setAttribute("aria-label", `${chart.y} by ${chart.x}, ${chart.places[place]}`);
    const right = width - EDGE.right, bottom = HEIGHT - EDGE.bottom, [from, to] = inRange(), curves = shown();
    const named = legend(curves);
    top = EDGE.top + LINE * (1 + Math.max(-1, ...named.map(one => one.row)));
    const most = Math.max(1e-9, ...curves.flatMap(one => one.curve.slice(from, to + 1)));
    const least = log ? most / 10 ** DECADES : 0;
    scaleX = x => EDGE.left + (x - range[0]) / (range[1] - range[0]) * (right - EDGE.left);
    scaleY = y => {
      const part = log ? Math.log10(Math.max(y, least) / least) / DECADES : y / most;
      return bottom - part / 1.06 * (bottom - top);
    };
    const faint = { stroke: "currentColor", "stroke-opacity": .18 }, small = { "font-size": 12, fill: "currentColor" };
    for (const x of ticks(...range, Math.max(2, width / 130))) {
      element("line", { x1: scaleX(x), x2: scaleX(x), y1: top, y2: bottom, ...faint });
      element("text", { x: scaleX(x), y: bottom + 16, "text-anchor": "middle", ...small }, written(x));
    }
    const heights = log ? [0, 1, 2, 3, 4].map(n => 10 ** (Math.floor(Math.log10(most)) - n)).filter(y => y >= least) : ticks(0, most, 4);
    for (const y of heights) {
      element("line", { x1: EDGE.left, x2: right, y1: scaleY(y), y2: scaleY(y), ...faint });
      element("text", { x: EDGE.left - 6, y: scaleY(y) + 4, "text-anchor": "end", ...small }, written(y));
    }
    element("text", { x: (EDGE.left + right) / 2, y: HEIGHT - 8, "text-anchor": "middle", ...small, "font-size": 13 }, chart.x);
    const middle = (top + bottom) / 2;
    element("text", { x: 14, y: middle, "text-anchor": "middle", transform: `rotate(-90 14 ${middle})`, ...small, "font-size": 13 }, chart.y);
    named.forEach(one => {
      const points = [];
      for (let i = from; i <= to; i++) {
        points.push(`${scaleX(chart.first + i * chart.step).toFixed(1)},${scaleY(one.curve[i]).toFixed(1)}`);
      }
      const line = { stroke: one.color, "stroke-width": 1.8, ...(one.dash ? { "stroke-dasharray": "6 3" } : {}) };
      element("polyline", { points: points.join(" "), fill: "none", "stroke-linejoin": "round", ...line });
      const y = EDGE.top + LINE * one.row;
      element("line", { x1: one.x, x2: one.x + 22, y1: y, y2: y, ...line });
      element("text", { x: one.x + 27, y: y + 4, ...small }, one.name);
    });
    element("text", { x: EDGE.left, y: EDGE.top + 4, ...small, "font-size": 13, "font-weight": 600 }, chart.places[place]);
    element("rect", { x: EDGE.left, y: top, width: right - EDGE.left, height: bottom - top, fill: "none", stroke: "currentColor", "stroke-opacity": .5 });
  }

  // What is chosen.
  const put = (label, control) => {
    const made = document.createElement("label");
    made.append(label, control);
    tools.append(made);
    return control;
  };
  const button = (text, act) => {
    const made = document.createElement("button");
    Object.assign(made, { type: "button", textContent: text, onclick: act });
    tools.append(made);
  };
  if (chart.ordered) {
    const slider = put(`${chart.place} `, document.createElement("input")), says = document.createElement("output");
    Object.assign(slider, { type: "range", min: 0, max: chart.places.length - 1, step: 1, value: place });
    slider.after(says);
    says.textContent = chart.places[place];
    slider.oninput = () => { place = Number(slider.value); says.textContent = chart.places[place]; draw(); };
  } else {
    const select = put(`${chart.place} `, document.createElement("select"));
    chart.places.forEach(name => select.append(new Option(name)));
    select.onchange = () => { place = select.selectedIndex; draw(); };
  }
  chart.series.forEach((name, n) => {
    const tick = document.createElement("input"), label = document.createElement("label"), mark = document.createElement("i");
    Object.assign(tick, { type: "checkbox", checked: true, onchange: () => { tick.checked ? hidden.delete(n) : hidden.add(n); draw(); } });
    mark.style.background = COLORS[n % COLORS.length];
    label.append(tick, mark, name);
    tools.append(label);
  });
  const logarithm = put("logarithm ", document.createElement("input"));
  Object.assign(logarithm, { type: "checkbox", className: "log", onchange: () => { log = logarithm.checked; draw(); } });
  button("whole range", () => { range = full; draw(); });

  // What is saved: as it is shown, black on white.
  const file = ending => `${chart.name}_${chart.places[place].replaceAll(/[^\w−-]+/g, "_")}.${ending}`;
  const drawing = () => {
    const copy = svg.cloneNode(true), ground = document.createElementNS(svg.namespaceURI, "rect");
    for (const [key, value] of Object.entries({ xmlns: svg.namespaceURI, width, height: HEIGHT, style: "color:#000;font-family:sans-serif" })) copy.setAttribute(key, value);
    for (const [key, value] of Object.entries({ width, height: HEIGHT, fill: "#fff" })) ground.setAttribute(key, value);
    copy.querySelectorAll(".pointer").forEach(mark => mark.remove());
    copy.prepend(ground);
    return new XMLSerializer().serializeToString(copy);
  };
  button("SVG", () => save(new Blob([drawing()], { type: "image/svg+xml" }), file("svg")));
  button("PNG", () => {
    const image = new Image(), canvas = document.createElement("canvas");
    image.onload = () => {
      Object.assign(canvas, { width: 2 * width, height: 2 * HEIGHT });
      canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
      canvas.toBlob(blob => save(blob, file("png")));
    };
    image.src = "data:image/svg+xml;charset=utf-8," + encodeURIComponent(drawing());
  });
  button("CSV", () => {
    const [from, to] = inRange(), curves = shown(), lines = [[chart.x, ...curves.map(one => one.name)].map(quoted).join(",")];
    for (let i = from; i <= to; i++) lines.push([Number((chart.first + i * chart.step).toPrecision(10)), ...curves.map(one => one.curve[i])].join(","));
    save(new Blob([lines.join("\r\n")], { type: "text/csv" }), file("csv"));
  });

  // A look into it: values under the pointer; the range between where it is pressed and let go.
  const unscaled = event => {
    const frame = svg.getBoundingClientRect(), at = (event.clientX - frame.left) / frame.width * width;
    const x = range[0] + (at - EDGE.left) / (width - EDGE.right - EDGE.left) * (range[1] - range[0]);
    return Math.min(range[1], Math.max(range[0], x));
  };
  let pressed = null;
  svg.onpointerdown = event => { pressed = unscaled(event); svg.setPointerCapture(event.pointerId); };
  svg.onpointermove = event => {
    const i = Math.max(0, Math.round(number(unscaled(event)))), x = chart.first + i * chart.step;
    svg.querySelectorAll(".pointer").forEach(mark => mark.remove());
    const ends = (pressed === null ? [x, x] : [pressed, unscaled(event)]).map(scaleX).sort((a, b) => a - b);
    element("rect", { class: "pointer", x: ends[0], y: top, width: Math.max(1, ends[1] - ends[0]), height: HEIGHT - top - EDGE.bottom, fill: "currentColor", "fill-opacity": pressed === null ? .6 : .15 });
    readout.textContent = `${written(x)}: ` + shown().map(one => `${one.name} ${written(one.curve[i] ?? 0)}`).join("; ");
  };
  svg.onpointerup = event => {
    const ends = [pressed ?? 0, unscaled(event)].sort((a, b) => a - b), wide = pressed !== null && ends[1] - ends[0] > 3 * chart.step;
    pressed = null;
    if (wide) { range = ends; draw(); }
  };
  svg.onpointercancel = () => { pressed = null; };
  svg.ondblclick = () => { range = full; draw(); };

  new ResizeObserver(() => {
    const now = Math.round(svg.parentElement.clientWidth);
    if (now > 0 && now !== width) { width = now; draw(); }
  }).observe(svg.parentElement);
}
for (const box of document.querySelectorAll(".chart")) drawChart(box);
