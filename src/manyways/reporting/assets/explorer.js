// The explorer: problems with their texts. The form and links to #explorer?key=value filter them.
// Texts are set as textContent only.
(() => {
  "use strict";
  const { problems, heuristics, means } = JSON.parse(document.getElementById("explorer-data").textContent);
  const form = document.getElementById("explorer-filters");
  const VERDICTS = { correct: "✓ correct", wrong: "✗ wrong", no_answer: "– no answer", undecided: "? undecided" };
  const PHASES = { mid: "mid-trained", rl: "after RL", "during-rl": "during RL" };
  const FIELDS = ["heuristic", "how", "status", "source", "on", "kept", "composed"];

  function make(name, { text, ...attributes } = {}, ...children) {
    const element = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
    if (text !== undefined) element.textContent = text;
    element.append(...children);
    return element;
  }

  const nameOf = (heuristic) => heuristics[heuristic]?.name ?? heuristic;
  const pooled = (source) => source.split("/").filter((part) => !part.startsWith("seed-")).join("/");
  function sourceName(source) {
    if (source === "pool") return "base model, as data";
    if (source === "base") return "base model";
    return source.split("/").map((part) => PHASES[part] ?? part.replace("seed-", "seed ")).join(" · ");
  }
  function paint(element, heuristic) {
    element.dataset.heuristic = heuristic;
    element.style.setProperty("--h", window.manyways.colour(heuristics[heuristic]?.colour ?? "#6b7683"));
    return element;
  }

  for (const problem of problems) {
    for (const text of problem.texts) {
      text.shown = new Set(text.steps.map(([, heuristic]) => heuristic).filter(Boolean));
      text.words = text.steps.map(([step]) => step).join("\n").toLowerCase();
    }
    problem.sets = new Set([problem.set, ...Object.keys(means).filter((mean) => means[mean].includes(problem.set))]);
    problem.words = `${problem.id}\n${problem.question}`.toLowerCase();
  }

  function card(text) {
    const steps = make("div", { class: "steps", tabindex: "0", role: "group", "aria-label": "Steps" });
    let last = null;
    for (const [step, heuristic] of text.steps) {
      const row = make("span", { class: "step" });
      if (heuristic) {
        paint(row, heuristic);
        if (heuristic !== last) row.append(make("span", { class: "tag", text: nameOf(heuristic) }));
      }
      last = heuristic;
      row.append(make("span", { text: step }));
      steps.append(row);
    }
    const head = make("header", {},
      make("b", { text: nameOf(text.heuristic) }),
      make("span", { class: `verdict ${text.status}`, text: VERDICTS[text.status] ?? text.status }),
      make("span", { class: "from", text: `by ${sourceName(text.source)}${text.kept ? " · kept" : ""}` }));
    const foot = make("footer", { text: [`answer: ${text.answer ?? "none"}`, text.note].filter(Boolean).join(" · ") });
    return make("article", { class: "card" }, head, steps, foot);
  }

  document.addEventListener("themechange", () => {
    document.querySelectorAll("[data-heuristic]").forEach((element) => paint(element, element.dataset.heuristic));
  });
  if (!form) return;

  const count = document.getElementById("explorer-count");
  const texts = problems.flatMap((problem) => problem.texts);
  const list = document.getElementById("explorer-list");
  const legend = document.getElementById("explorer-legend");

  function fill(field, values, label) {
    form.elements[field].append(...values.map((value) => make("option", { value, text: label(value) })));
  }
  const used = new Set(texts.flatMap((text) => [text.heuristic, ...text.shown]));
  const known = Object.keys(heuristics).filter((heuristic) => used.has(heuristic));
  fill("heuristic", known, nameOf);
  fill("status", Object.keys(VERDICTS).filter((status) => texts.some((text) => text.status === status)), (status) => VERDICTS[status]);
  fill("source", [...new Set(texts.map((text) => pooled(text.source)))], sourceName);
  fill("on", [...new Set(problems.map((problem) => problem.set)), ...Object.keys(means)].filter(Boolean), (name) => name);

  for (const heuristic of known.filter((name) => name !== "plain" && name !== "direct")) {
    const dot = paint(make("span", { class: "dot", "aria-hidden": "true" }), heuristic);
    const key = make("button", { type: "button", class: "key", "aria-pressed": "false", "data-filter": heuristic }, dot, make("span", { text: nameOf(heuristic) }));
    key.addEventListener("click", () => {
      form.elements.heuristic.value = form.elements.heuristic.value === heuristic ? "" : heuristic;
      apply();
      remember("");
    });
    legend.append(key);
  }

  const ofAll = ({ texts: here, attempts }) => (attempts ? ` · ${here.length.toLocaleString("en")} of its ${attempts.toLocaleString("en")} attempts are here` : "");

  const items = problems.map((problem) => {
    const tally = make("span", { class: "tally" });
    const body = make("div", { class: "body" });
    const item = make("details", { class: "problem", "data-problem": problem.id },
      make("summary", {}, make("span", { class: "question", text: problem.question }), tally, make("span", { class: "id", text: `${problem.id} · answer ${problem.answer}${ofAll(problem)}` })), body);
    const entry = { problem, item, tally, body, matching: [], stale: true };
    item.addEventListener("toggle", () => render(entry));
    list.append(item);
    return entry;
  });

  function render(entry) {
    if (!entry.item.open || !entry.stale) return;
    entry.stale = false;
    entry.body.replaceChildren(make("div", { class: "cards" }, ...entry.matching.map(card)));
  }

  function uses(text, { heuristic, how }) {
    return (how !== "shown" && text.heuristic === heuristic) || (how !== "asked" && text.shown.has(heuristic));
  }

  function matches(text, query, wanted) {
    return (!wanted.heuristic || uses(text, wanted))
      && (!wanted.status || text.status === wanted.status)
      && (!wanted.source || pooled(text.source) === wanted.source)
      && (!wanted.kept || text.kept === (wanted.kept === "yes"))
      && (!wanted.composed || (text.shown.size >= 2) === (wanted.composed === "yes"))
      && query.every((word) => text.words.includes(word));
  }

  const rank = (text) => (text.kept ? 0 : text.status === "correct" ? 1 : 2);

  // The address names what is shown, so that a reader can share it.
  function remember(only) {
    const set = ["query", ...FIELDS].map((field) => [field, form.elements[field].value]).filter(([, value]) => value);
    const asked = new URLSearchParams(only ? [["problem", only], ...set] : set).toString();
    history.replaceState(null, "", asked ? `#explorer?${asked}` : "#explorer");
  }

  // A link says how many attempts of the run are behind its number. The page has a sample of them.
  function counted(shownTexts, shownProblems, promised) {
    const told = (number) => number.toLocaleString("en");
    const here = `${told(shownTexts)} of ${told(texts.length)} texts on ${shownProblems} of ${problems.length} problems`;
    if (!promised) return here;
    return shownTexts === promised
      ? `All ${told(promised)} attempts behind that number (${here})`
      : `${told(shownTexts)} of the ${told(promised)} attempts behind that number are on this page (${here})`;
  }

  function apply(only = "", promised = 0) {
    const words = form.elements.query.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = Object.fromEntries(FIELDS.map((field) => [field, form.elements[field].value]));
    let shownProblems = 0, shownTexts = 0;
    for (const entry of items) {
      const query = words.filter((word) => !entry.problem.words.includes(word));
      const elsewhere = (only && entry.problem.id !== only) || (wanted.on && !entry.problem.sets.has(wanted.on));
      entry.matching = elsewhere ? [] : entry.problem.texts.filter((text) => matches(text, query, wanted))
        .sort((a, b) => rank(a) - rank(b));
      entry.stale = true;
      entry.item.hidden = !entry.matching.length;
      shownProblems += !entry.item.hidden;
      shownTexts += entry.matching.length;
      const right = entry.matching.filter((text) => text.status === "correct").length;
      const ways = new Set(entry.matching.filter((text) => text.status === "correct").flatMap((text) => [...text.shown]));
      const dots = [...ways].map((heuristic) => paint(make("span", { class: "dot", title: nameOf(heuristic) }), heuristic));
      entry.tally.replaceChildren(`${entry.matching.length} ${entry.matching.length === 1 ? "text" : "texts"}, ${right} ✓`, make("span", { class: "dots", role: "img", "aria-label": `heuristics in correct texts: ${[...ways].map(nameOf).join(", ") || "none"}` }, ...dots));
      if (only) entry.item.open = entry.problem.id === only;
      render(entry);
    }
    count.textContent = counted(shownTexts, shownProblems, promised);
    legend.querySelectorAll(".key").forEach((key) => key.setAttribute("aria-pressed", String(key.dataset.filter === wanted.heuristic)));
  }

  function follow() {
    const [place, query] = location.hash.split("?", 2);
    if (place !== "#explorer" || query === undefined) return;
    const asked = new URLSearchParams(query);
    form.elements.query.value = asked.get("query") ?? "";
    for (const field of FIELDS) {
      const value = asked.get(field) ?? "";
      form.elements[field].value = field === "source" ? pooled(value) : value;
      if (form.elements[field].selectedIndex < 0) form.elements[field].value = "";
    }
    apply(asked.get("problem") ?? "", Number(asked.get("of")) || 0);
    document.getElementById("explorer").scrollIntoView();
    count.focus({ preventScroll: true });
  }

  form.addEventListener("input", () => { apply(); remember(""); });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(() => { apply(); remember(""); }));
  window.addEventListener("hashchange", follow);
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[href^='#explorer?']");
    if (link && link.getAttribute("href") === location.hash) follow(); // there is no hashchange, because the address stays the same
  });
  apply();
  follow();
})();
