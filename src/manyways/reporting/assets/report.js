// The theme, the charts and their legends. #page-data has the charts for Plotly, in the colours of
// the light theme. When the theme changes, they are drawn again in the other colours. #library has
// Plotly itself, compressed. A chart in a fold is drawn when the fold opens.
(() => {
  "use strict";
  const { charts, dark } = JSON.parse(document.getElementById("page-data").textContent);
  const root = document.documentElement;
  const system = window.matchMedia("(prefers-color-scheme: dark)");
  const elements = [...document.querySelectorAll("[data-chart]")];
  const waiting = new Set(elements);
  let printing = false;

  const remember = (theme) => { try { localStorage.setItem("manyways-theme", theme); } catch { /* not allowed for files in some browsers */ } };
  const remembered = () => { try { return localStorage.getItem("manyways-theme"); } catch { return null; } };
  const isDark = () => !printing && (root.dataset.theme ?? (system.matches ? "dark" : "light")) === "dark";
  const colour = (light) => (isDark() ? dark[light] ?? light : light);

  function recolour(value) {
    if (typeof value === "string") return colour(value);
    if (Array.isArray(value)) return value.map(recolour);
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, recolour(inner)]));
    }
    return value;
  }

  function themed(layout) {
    const style = getComputedStyle(root);
    const ink = printing ? "#111111" : style.getPropertyValue("--ink").trim();
    const line = printing ? "#cfd5dc" : style.getPropertyValue("--line").trim();
    const muted = printing ? "#4a5561" : style.getPropertyValue("--muted").trim();
    const page = printing ? "#ffffff" : style.getPropertyValue("--page").trim();
    const card = printing ? "#ffffff" : style.getPropertyValue("--card").trim();
    const axis = (given) => ({
      gridcolor: line, linecolor: line, zerolinecolor: muted, tickfont: { color: muted, size: 12 }, fixedrange: true,
      ...given, title: { standoff: 8, font: { color: muted, size: 12 }, ...given?.title },
    });
    return {
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", dragmode: false,
      font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: ink },
      hoverlabel: { bgcolor: card, bordercolor: line, font: { color: ink } },
      ...layout, annotations: layout.annotations?.map((label) => ({ bgcolor: page, borderpad: 0, ...label })),
      xaxis: axis(layout.xaxis), yaxis: axis(layout.yaxis),
    };
  }

  const hidden = (element) => {
    const keys = element.closest(".charts").querySelectorAll('.key[aria-pressed="false"]');
    return [...keys].map((key) => [key.dataset.group, key.dataset.name]);
  };

  function draw(element) {
    const { data, layout } = charts[element.dataset.chart];
    const off = hidden(element);
    const traces = recolour(data).map((trace) => ({
      ...trace, visible: !off.some(([group, name]) => trace.meta?.[group] === name),
    }));
    const paper = element.closest(".grid.count-1, .wide") ? 690 : 340; // pixels, as in print.css
    const size = printing ? { width: paper, height: element.clientHeight, autosize: false } : { autosize: true };
    const first = waiting.delete(element);
    Plotly.react(element, traces, { ...themed(recolour(layout)), ...size }, { responsive: true, displayModeBar: false });
    if (first) element.on("plotly_click", (event) => follow(event.points[0]));
  }

  function follow(point) {
    const link = Array.isArray(point.customdata) ? point.customdata[0] : point.customdata;
    if (typeof link === "string" && link.startsWith("#")) location.hash = link;
  }

  function swatch(element) {
    const { colour: light, dash, symbol } = element.dataset;
    const stroke = colour(light);
    const dashes = { dash: "6 3", dot: "2 3", dashdot: "7 2 2 2", longdash: "10 3" }[dash] ?? "";
    const shapes = {
      circle: ["circle", { cx: 12, cy: 7, r: 4, fill: stroke }],
      "circle-open": ["circle", { cx: 12, cy: 7, r: 4, fill: "none" }],
      square: ["rect", { x: 8, y: 3, width: 8, height: 8, fill: stroke }],
      diamond: ["path", { d: "M12 2l5 5-5 5-5-5z", fill: stroke }],
      "diamond-open": ["path", { d: "M12 2l5 5-5 5-5-5z", fill: "none" }],
      "triangle-up": ["path", { d: "M12 2l5 9h-10z", fill: stroke }],
      cross: ["path", { d: "M12 2v10M7 7h10", "stroke-width": 4 }],
      star: ["path", { d: "M12 1l1.7 4.1h4.1l-3.3 2.7 1.3 4.2-3.8-2.6-3.8 2.6 1.3-4.2-3.3-2.7h4.1z", fill: stroke }],
      hexagon: ["path", { d: "M12 2l4.3 2.5v5l-4.3 2.5-4.3-2.5v-5z", fill: stroke }],
      pentagon: ["path", { d: "M12 2l5 3.6-2 5.9h-6l-2-5.9z", fill: stroke }],
    };
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    const add = (name, attributes) => {
      const shape = document.createElementNS(svg.namespaceURI, name);
      for (const [key, value] of Object.entries({ stroke, "stroke-width": 2, ...attributes })) shape.setAttribute(key, value);
      svg.append(shape);
    };
    svg.setAttribute("width", 24); svg.setAttribute("height", 14);
    const openOnly = element.closest(".key").dataset.group !== "arm" && symbol;
    if (!openOnly) add("line", { x1: 0, x2: 24, y1: 7, y2: 7, "stroke-dasharray": dashes });
    if (symbol === "bar") add("rect", { x: 6, y: 1, width: 12, height: 12, fill: stroke, "stroke-width": 0 });
    else if (symbol === "band") add("rect", { x: 2, y: 2, width: 20, height: 10, fill: stroke, "fill-opacity": 0.25, "stroke-width": 0 });
    else if (shapes[symbol]) add(...shapes[symbol]);
    element.replaceChildren(svg);
  }

  function repaint() {
    document.querySelectorAll(".swatch").forEach(swatch);
    elements.filter((element) => !waiting.has(element)).forEach(draw);
    document.dispatchEvent(new CustomEvent("themechange"));
    const button = document.getElementById("theme");
    button.setAttribute("aria-pressed", String(isDark()));
    button.textContent = isDark() ? "Light" : "Dark";
    button.setAttribute("aria-label", isDark() ? "Switch to the light theme" : "Switch to the dark theme");
  }

  // In the order of the page. A chart in a closed fold has no size yet, so it waits.
  const folded = (element) => element.closest("details:not([open])") !== null;
  function drawNext() {
    const element = [...waiting].find((one) => !folded(one));
    if (element) draw(element);
    root.dataset.waiting = [...waiting].filter((one) => !folded(one)).length;
    if (element) setTimeout(drawNext);
  }

  async function unpack() {
    const packed = Uint8Array.from(atob(document.getElementById("library").textContent), (c) => c.charCodeAt(0));
    const script = document.createElement("script");
    script.textContent = await new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
    document.head.append(script);
  }

  // A browser from before 2023 cannot unpack Plotly: it shows the text that describes each chart.
  function tell(error) {
    console.error(error);
    for (const element of elements) {
      element.textContent = element.getAttribute("aria-label");
      element.style.height = "auto";
    }
    root.dataset.waiting = 0;
  }

  document.getElementById("theme").addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    remember(root.dataset.theme);
    repaint();
  });
  system.addEventListener("change", repaint);
  document.addEventListener("click", (event) => {
    const key = event.target.closest(".charts .key");
    if (!key) return;
    key.setAttribute("aria-pressed", String(key.getAttribute("aria-pressed") === "false"));
    key.closest(".charts").querySelectorAll("[data-chart]").forEach(draw);
  });
  window.addEventListener("beforeprint", () => {
    printing = true;
    document.querySelectorAll(".notes details").forEach((more) => { more.open = true; });
    elements.filter((element) => !folded(element)).forEach(draw);
    document.querySelectorAll(".swatch").forEach(swatch);
    document.dispatchEvent(new CustomEvent("themechange"));
  });
  window.addEventListener("afterprint", () => {
    printing = false;
    repaint();
  });
  const watcher = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      const link = document.querySelector(`nav a[href="#${target.id}"]`);
      if (isIntersecting) link?.setAttribute("aria-current", "true");
      else link?.removeAttribute("aria-current");
    }
  }, { rootMargin: "-30% 0px -60% 0px" });
  document.querySelectorAll("main > section").forEach((section) => watcher.observe(section));

  window.manyways = { colour };
  const saved = remembered();
  if (saved === "dark" || saved === "light") root.dataset.theme = saved;
  root.dataset.waiting = waiting.size;
  repaint();
  unpack().then(() => {
    document.addEventListener("toggle", drawNext, true);
    drawNext();
  }).catch(tell);
})();
