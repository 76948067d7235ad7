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
