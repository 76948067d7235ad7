// The page's script: theme, sorting, tips, maps, colours of the feature map, copying. Without it the page still reads.
"use strict";

const byId = (id) => document.getElementById(id);
const data = (id) => JSON.parse(byId(`data-${id}`)?.textContent ?? "null");
const behaviours = (name) => document.querySelectorAll(`[data-behaviour="${name}"]`);
const number = (value, digits = 3) =>
  value === null || !Number.isFinite(value)
    ? "\u2013"
    : value.toFixed(digits).replace(/^-(?=0(\.0*)?$)/, "").replace("-", "\u2212");
/** As numbers of any size are written in the page. */
const plain = (value) => {
  const size = Math.abs(value);
  if (value === null || !Number.isFinite(value)) return "\u2013";
  if (size >= 1000) return Math.round(value).toLocaleString("en-US");
  if (size === 0) return "0";
  if (size < 1e-3) return value.toExponential(2).replaceAll("-", "\u2212");
  return number(value, Math.max(0, 2 - Math.floor(Math.log10(size))));
};

// Theme: the system's until the button is pressed.
const root = document.documentElement;
const dark = () =>
  (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
const themeButton = byId("theme");
const nameTheme = () => themeButton.textContent = dark() ? "Light" : "Dark";
themeButton.hidden = false;
nameTheme();
themeButton.addEventListener("click", () => {
  root.dataset.theme = dark() ? "light" : "dark";
  nameTheme();
});

// Which section is read.
if ("IntersectionObserver" in globalThis) {
  const links = new Map([...document.querySelectorAll("nav a")].map((link) => [link.hash.slice(1), link]));
  const seen = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      for (const link of links.values()) link.removeAttribute("aria-current");
      links.get(target.id)?.setAttribute("aria-current", "true");
    }
  }, { rootMargin: "-20% 0px -70% 0px" });
  for (const section of document.querySelectorAll("main section")) seen.observe(section);
}

// Tips.
const tip = byId("tip");
function showTip(text, x, y) {
  tip.textContent = text;
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(x + 12, innerWidth - width - 8))}px`;
  tip.style.top = `${y - height - 10 < 4 ? y + 16 : y - height - 10}px`;
}
const hideTip = () => tip.hidden = true;
document.addEventListener("pointerover", (event) => {
  const about = event.target.closest?.("[data-tip]");
  if (about) showTip(about.dataset.tip, event.clientX, event.clientY);
});
document.addEventListener("pointerout", (event) => {
  if (event.target.closest?.("[data-tip], [data-i]")) hideTip();
});
document.addEventListener("keydown", (event) => event.key === "Escape" && hideTip());

// Tables that sort: numbers largest first, texts in order; what has no value stays last.
for (const table of behaviours("sort")) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  for (const [i, head] of heads.entries()) {
    head.querySelector("button")?.addEventListener("click", () => {
      const rows = [...body.rows];
      const keys = new Map(rows.map((row) => [row, row.cells[i].dataset.key]));
      const numeric = [...keys.values()].every((key) => key === "" || !Number.isNaN(Number(key)));
      const before = head.getAttribute("aria-sort");
      const up = before === null ? !numeric : before === "descending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      rows.sort((a, b) => {
        const [x, y] = [keys.get(a), keys.get(b)];
        if (x === "" || y === "") return (x === "") - (y === "");
        return (numeric ? x - y : x.localeCompare(y, "en", { numeric: true })) * (up ? 1 : -1);
      });
      body.append(...rows);
    });
  }
}

// Values of curves by pointer or arrow keys.
const curves = data("curves") ?? {};
for (const [id, { frame: [left, right, top, bottom], domain, series }] of Object.entries(curves)) {
  const svg = document.querySelector(`[data-behaviour="curve:${id}"]`);
  const steps = [...new Set(series.flatMap(({ points }) => points.map(([x]) => x)))].sort((a, b) => a - b);
  let at = steps.length - 1;
  const hair = document.createElementNS("http://www.w3.org/2000/svg", "line");
  hair.setAttribute("class", "crosshair");
  const show = () => {
    const step = steps[at];
    const x = left + (step - domain[0]) / (domain[1] - domain[0]) * (right - left);
    for (const [name, value] of Object.entries({ x1: x, x2: x, y1: top, y2: bottom })) hair.setAttribute(name, value);
    svg.append(hair);
    const lines = series.flatMap(({ name, points }) => {
      const near = points.reduce((a, b) => Math.abs(b[0] - step) < Math.abs(a[0] - step) ? b : a);
      const close = Math.abs(near[0] - step) <= (domain[1] - domain[0]) / 50;
      return close ? [`${name} ${plain(near[1])}`] : [];
    });
    const box = svg.getBoundingClientRect();
    const scale = box.width / svg.viewBox.baseVal.width;
    showTip(
      `step ${step.toLocaleString("en-US")}\n${lines.join("\n")}`,
      box.left + x * scale,
      box.top + top * scale + 20,
    );
  };
  const hide = () => {
    hair.remove();
    hideTip();
  };
  svg.addEventListener("pointermove", (event) => {
    const box = svg.getBoundingClientRect();
    const x = (event.clientX - box.left) / box.width * svg.viewBox.baseVal.width;
    const step = domain[0] + (x - left) / (right - left) * (domain[1] - domain[0]);
    at = steps.reduce((best, one, i) => Math.abs(one - step) < Math.abs(steps[best] - step) ? i : best, 0);
    show();
  });
  svg.addEventListener("pointerleave", hide);
  svg.addEventListener("blur", hide);
  svg.addEventListener("keydown", (event) => {
    const move = { ArrowLeft: -1, ArrowRight: 1, Home: -Infinity, End: Infinity }[event.key];
    if (move === undefined) return;
    event.preventDefault();
    at = Math.min(Math.max(at + move, 0), steps.length - 1);
    show();
  });
}

// Viridis from the stops that the page has, so that there is one table.
function viridis(bar) {
  const stops = [...bar.querySelectorAll("stop")].map((stop) => {
    const colour = stop.getAttribute("stop-color");
    return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  });
  return (value, [low, high]) => {
    if (Number.isNaN(value)) return "#9a9a9a";
    const at = Math.min(Math.max((value - low) / (high - low), 0), 1) * (stops.length - 1);
    const below = Math.min(Math.floor(at), stops.length - 2);
    const mixed = stops[below].map((from, c) => Math.round(from + (stops[below + 1][c] - from) * (at - below)));
    return `#${mixed.map((channel) => channel.toString(16).padStart(2, "0")).join("")}`;
  };
}

// Maps of genes.
const maps = data("maps");
if (maps !== null) {
  const colour = viridis(byId("map-bar"));
  const values = maps.samples.map(({ values }) =>
    new Float32Array(Uint8Array.from(atob(values), (sign) => sign.charCodeAt(0)).buffer)
  );
  const [gene, sample] = [byId("map-gene"), byId("map-sample")];
  const svgs = [...document.querySelectorAll("[data-map]")];
  let shown = 0;
  const draw = () => {
    const [g, s] = [Number(gene.value), Number(sample.value)];
    const { x, y, radius, width, height, image: thumbnail, r, spots, sample: name, donor } = maps.samples[s];
    for (const svg of svgs) {
      const kind = svg.dataset.map;
      if (s !== shown) {
        svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
        const image = svg.querySelector("image");
        for (const key of ["href", "x", "y", "width", "height"]) {
          if (thumbnail === undefined) image?.removeAttribute(key);
          else image?.setAttribute(key, thumbnail[key]);
        }
        if (kind !== "image") {
          svg.querySelector("g").replaceChildren(...x.map((cx, i) => {
            const circle = document.createElementNS("http://www.w3.org/2000/svg", "circle");
            for (const [key, value] of Object.entries({ cx, cy: y[i], r: radius })) circle.setAttribute(key, value);
            circle.dataset.i = i;
            return circle;
          }));
        }
      }
      if (kind === "image") svg.setAttribute("aria-label", `Image of ${name}`);
      else {
        const from = (2 * g + (kind === "predicted" ? 1 : 0)) * x.length;
        for (const circle of svg.querySelectorAll("circle")) {
          circle.setAttribute("fill", colour(values[s][from + Number(circle.dataset.i)], maps.range[g]));
        }
        svg.setAttribute("aria-label", `${kind} ${maps.genes[g]} on ${name}`);
      }
    }
    shown = s;
    const text = r[g] === null ? "r is not defined, one side is constant," : `r = ${number(r[g])}`;
    byId("map-title").textContent = `${maps.genes[g]} on ${name}${
      donor && ` (${donor})`
    }: ${text} in this section, over ${spots.toLocaleString("en-US")} spots.`;
    byId("map-low").textContent = plain(maps.range[g][0]);
    byId("map-high").textContent = plain(maps.range[g][1]);
  };
  gene.addEventListener("change", draw);
  sample.addEventListener("change", draw);
  const step = (by) => {
    gene.value = (Number(gene.value) + by + maps.genes.length) % maps.genes.length;
    draw();
  };
  byId("map-before").addEventListener("click", () => step(-1));
  byId("map-next").addEventListener("click", () => step(1));
  for (const svg of svgs) {
    svg.addEventListener("pointerover", (event) => {
      const i = event.target.dataset?.i;
      if (i === undefined) return;
      const [g, s] = [Number(gene.value), Number(sample.value)];
      const n = maps.samples[s].x.length;
      const at = 2 * g * n + Number(i);
      showTip(
        `${maps.samples[s].barcodes[i]}\nmeasured ${number(values[s][at])}, predicted ${number(values[s][at + n])}`,
        event.clientX,
        event.clientY,
      );
    });
  }
  draw(); // A browser that goes back restores the choice.
}

// Colours of the feature map.
const embedding = data("embedding");
if (embedding !== null) {
  const select = byId("embedding-colour");
  const clouds = [...document.querySelectorAll("[data-cloud]")];
  const scale = byId("embedding-scale");
  const colour = scale && viridis(scale);
  const draw = () => {
    const gene = select.value === "" ? undefined : embedding.genes[Number(select.value)];
    for (const cloud of clouds) {
      for (const [i, point] of [...cloud.children].entries()) {
        point.setAttribute("fill", gene ? colour(gene.values[i], gene.range) : embedding.colours[embedding.kinds[i]]);
      }
    }
    byId("embedding-by").textContent = gene ? `${gene.gene}, measured` : embedding.by;
    byId("embedding-legend").hidden = gene !== undefined;
    if (scale === null) return;
    scale.hidden = gene === undefined;
    if (gene === undefined) return;
    byId("embedding-low").textContent = plain(gene.range[0]);
    byId("embedding-high").textContent = plain(gene.range[1]);
  };
  select.addEventListener("change", draw);
  draw();
}

// A volume: three slices through a place, which a press or the arrow keys move in all of them.
const volume = data("volume");
if (volume !== null) {
  const bytes = (text) => Uint8Array.from(atob(text), (sign) => sign.charCodeAt(0));
  const { image, grid, expression, stretch, spots } = volume;
  const [pixels, told] = [bytes(image.values), expression.map(({ values }) => bytes(values))];
  const axis = { z: 0, y: 1, x: 2 };
  const size = image.shape.map((n, a) => Math.max(1, (n - 1) * image.spacing_um[a]));
  const place = size.map((um) => um / 2);
  const [select, opacity, output] = [byId("volume-gene"), byId("volume-opacity"), byId("volume-at")];
  const panels = [...document.querySelectorAll(".volume canvas")];
  const colour = viridis(byId("volume-bar"));
  const colours = Array.from({ length: 255 }, (_, i) => {
    const text = colour(i, [0, 254]);
    return [1, 3, 5].map((from) => parseInt(text.slice(from, from + 2), 16));
  });
  const near = ({ shape, spacing_um: um }, at) =>
    shape.reduce((index, n, a) => index * n + Math.min(n - 1, Math.max(0, Math.round(at[a] / um[a]))), 0);
  const scale = (a) => a === 0 ? stretch : 1;
  const drawn = (canvas) => [axis[canvas.dataset.across], axis[canvas.dataset.down]];
  const paint = (canvas, values) => {
    const [across, down] = drawn(canvas);
    const [w, h] = [size[across] * scale(across), size[down] * scale(down)];
    const width = Math.max(24, Math.round(300 * w / Math.max(w, h, size[2])));
    const height = Math.max(24, Math.round(width * h / w));
    [canvas.width, canvas.height] = [width, height];
    canvas.style.width = `${width / 3}%`;
    const context = canvas.getContext("2d");
    const drawing = context.createImageData(width, height);
    const share = Number(opacity.value) / 100;
    const at = [...place];
    for (let i = 0; i < width * height; i++) {
      at[across] = (i % width + 0.5) / width * size[across];
      at[down] = (Math.floor(i / width) + 0.5) / height * size[down];
      const grey = pixels[near(image, at)];
      const value = values[near(grid, at)];
      const mixed = value === 255 ? [grey, grey, grey] : colours[value].map((c) => grey + (c - grey) * share);
      drawing.data.set([...mixed, 255], 4 * i);
    }
    context.putImageData(drawing, 0, 0);
    return context;
  };
  const mark = (canvas, context) => {
    const [across, down] = drawn(canvas);
    const on = (a, um) => um / size[a] * (a === across ? canvas.width : canvas.height);
    const third = 3 - across - down;
    const g = Number(select.value);
    const { low, high } = expression[g];
    for (let i = 0; third === 0 && spots && i < spots.x.length; i++) {
      const value = spots.measured[g][i];
      if (value === null || Math.abs(spots.z[i] - place[0]) > image.spacing_um[0] / 2 + 0.01) continue;
      context.beginPath();
      context.arc(on(2, spots.x[i]), on(1, spots.y[i]), 3, 0, 7);
      context.fillStyle = colour(value, [low, high]);
      context.strokeStyle = "#ffffff";
      context.fill();
      context.stroke();
    }
    context.strokeStyle = "#ff5a36";
    context.beginPath();
    context.moveTo(on(across, place[across]), 0);
    context.lineTo(on(across, place[across]), canvas.height);
    context.moveTo(0, on(down, place[down]));
    context.lineTo(canvas.width, on(down, place[down]));
    context.stroke();
  };
  const draw = () => {
    const g = Number(select.value);
    for (const canvas of panels) mark(canvas, paint(canvas, told[g]));
    const { low, high } = expression[g];
    byId("volume-low").textContent = plain(low);
    byId("volume-high").textContent = plain(high);
    const value = told[g][near(grid, place)];
    const where = ["x", "y", "z"].map((name) => `${name} ${Math.round(place[axis[name]])}`).join(", ");
    output.textContent = `${where} µm: ${value === 255 ? "no tissue" : plain(low + value / 254 * (high - low))}`;
  };
  const go = (a, um) => place[a] = Math.min(size[a], Math.max(0, um));
  for (const canvas of panels) {
    const [across, down] = drawn(canvas);
    const follow = (event) => {
      if (event.type === "pointermove" && event.buttons === 0) return;
      const box = canvas.getBoundingClientRect();
      go(across, (event.clientX - box.left) / box.width * size[across]);
      go(down, (event.clientY - box.top) / box.height * size[down]);
      draw();
    };
    canvas.addEventListener("pointerdown", follow);
    canvas.addEventListener("pointermove", follow);
    canvas.addEventListener("keydown", (event) => {
      const [a, by] = {
        ...{ ArrowLeft: [across, -1], ArrowRight: [across, 1], ArrowUp: [down, -1], ArrowDown: [down, 1] },
        ...{ PageUp: [3 - across - down, -1], PageDown: [3 - across - down, 1] },
      }[event.key] ?? [];
      if (a === undefined) return;
      event.preventDefault();
      go(a, place[a] + by * image.spacing_um[a]);
      draw();
    });
  }
  select.addEventListener("change", draw);
  opacity.addEventListener("input", draw);
  draw();
}

// Copying.
for (const button of document.querySelectorAll(".copy")) {
  button.addEventListener("click", async () => {
    const code = button.parentElement.querySelector("code");
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(code); // Files opened from the disk may not use the clipboard.
      button.textContent = "Selected";
    }
    setTimeout(() => button.textContent = "Copy", 1500);
  });
}
