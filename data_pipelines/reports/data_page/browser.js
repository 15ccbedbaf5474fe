// The browser of a data page: choose a task and an example; an episode plays, its values follow.
// Reads <script id="episodes">, writes into #browser. Address: #task=NAME&episode=1&step=0&play=1
"use strict";
(() => {
  const NONE = 65535, SCALE = 65534, LINES = 8;
  const tasks = JSON.parse(document.getElementById("episodes").textContent);
  const root = document.getElementById("browser");
  if (!tasks.length) return;
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  let task = 0, episode = 0, point = 0, playing = false, last = 0, part = 0, follow = [];

  const make = (tag, attributes = {}, ...children) => {
    const node = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes))
      if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
      else if (value !== false) node.setAttribute(name, value === true ? "" : value);
    node.append(...children);
    return node;
  };
  const number = value => value === null ? "none" : String(Number(value.toPrecision(4)));
  const colour = name => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

  // A series of the page's JSON -> {at(row, point): number or null, rows}.
  const unpack = one => {
    const bytes = Uint8Array.from(atob(one.data), letter => letter.charCodeAt(0));
    const codes = new DataView(bytes.buffer), rows = one.lo.length, points = bytes.length / 2 / rows;
    // Rounded to what 16 bits of the row's range can tell.
    const digits = one.lo.map((low, row) => {
      const span = one.hi[row] - low;
      return one.whole ? 0 : span > 0 ? Math.max(0, Math.min(20, 4 - Math.floor(Math.log10(span)))) : 12;
    });
    const at = (row, place) => {
      const code = codes.getUint16(2 * (row * points + place), true);
      if (code === NONE) return null;
      return Number((one.lo[row] + code / SCALE * (one.hi[row] - one.lo[row])).toFixed(digits[row]));
    };
    return { at, rows, points };
  };

  const chooseTask = make("select", { "aria-label": "task", onchange: () => open(chooseTask.selectedIndex, 0) });
  tasks.forEach(one => chooseTask.append(make("option", {}, one.task)));
  const chooseEpisode = make("select", { "aria-label": "episode", onchange: () => open(task, chooseEpisode.selectedIndex) });
  const before = make("button", { "aria-label": "previous episode", onclick: () => open(task, episode - 1) }, "‹");
  const after = make("button", { "aria-label": "next episode", onclick: () => open(task, episode + 1) }, "›");
  const button = make("button", { class: "play", onclick: () => play(!playing) }, "Play");
  const slider = make("input", { type: "range", min: 0, "aria-label": "step", oninput: () => { play(false); show(+slider.value); } });
  const speed = make("select", { "aria-label": "speed" });
  [0.25, 0.5, 1, 2, 4].forEach(times => speed.append(make("option", { value: times, selected: times === 1 }, `${times}×`)));
  const readout = make("div", { class: "at", "aria-live": "off" });
  const player = make("div", { class: "player" }, button, slider, speed, readout);
  const note = make("p", { class: "note" });
  const stage = make("div");
  root.append(make("div", { class: "bar2" }, chooseTask, before, chooseEpisode, after), note, player, stage);

  const shown = () => tasks[task].examples[episode];

  function open(toTask, toEpisode, toStep = 0) {
    task = toTask; episode = Math.max(0, Math.min(tasks[task].examples.length - 1, toEpisode)); point = 0; follow = [];
    const control = tasks[task].kind === "control";
    chooseTask.selectedIndex = task;
    player.hidden = before.hidden = after.hidden = chooseEpisode.hidden = !control;
    player.style.display = control ? "" : "none";
    play(false);
    if (!control) {
      note.textContent = tasks[task].note ? `Shown: ${tasks[task].note}.` : "";
      stage.replaceChildren(documents());
      remember();
      return;
    }
    chooseEpisode.replaceChildren(...tasks[task].examples.map((one, index) => make("option", {}, title(one, index))));
    chooseEpisode.selectedIndex = episode;
    before.disabled = episode === 0;
    after.disabled = episode === tasks[task].examples.length - 1;
    const one = shown();
    slider.max = one.points - 1;
    note.textContent = about(one);
    stage.replaceChildren(...views(one));
    show(Math.floor(toStep / one.every));
    remember();
  }

  function title(one, index) {
    const total = one.series.find(each => each.key === "return so far");
    return `episode ${index + 1}, ${one.steps} steps` + (total ? `, return ${number(unpack(total).at(0, one.points - 1))}` : "");
  }

  function about(one) {
    const parts = [];
    if (tasks[task].note) parts.push(`Shown: ${tasks[task].note}`);
    if (one.every > 1) parts.push(`one step in ${one.every}, with the largest of their rewards`);
    for (const each of one.frames) if (each.every > 1) parts.push(`a picture of ${each.key} every ${each.every * one.every} steps`);
    for (const each of one.series) if (each.left) parts.push(`${each.left} values of ${each.key} are left out`);
    for (const [name, value] of Object.entries(one.about)) parts.push(`${name} ${value}`);
    return parts.length ? parts.join("; ") + "." : "";
  }

  function views(one) {
    const seen = make("div", { class: "views" });
    for (const each of one.frames) {
      const picture = make("img", { alt: each.key });
      seen.append(make("figure", {}, picture, make("figcaption", {}, each.key)));
      follow.push(() => { picture.src = each.files[Math.min(each.files.length - 1, Math.floor(point / each.every))]; });
    }
    const plots = make("div", { class: "plots" });
    for (const each of one.series) {
      const values = unpack(each);
      if (each.grid) seen.append(...cells(each, values));
      plots.append(values.rows > LINES ? map(each, values) : lines(each, values));
    }
    const said = one.texts.map(each => {
      const words = make("b");
      follow.push(() => { words.textContent = each.changes.filter(([from]) => from <= point).pop()[1]; });
      return make("p", { class: "said" }, `${each.key}: `, words);
    });
    return [...said, make("div", { class: "both" }, ...(seen.childElementCount ? [seen] : []), plots)];
  }

  // One picture of a field of symbols for each of its layers: equal numbers have equal colours.
  function cells(one, values) {
    const [height, width, layers] = one.grid;
    return Array.from({ length: layers }, (_, layer) => {
      const canvas = make("canvas", { width, height });
      follow.push(() => {
        const paint = canvas.getContext("2d");
        for (let cell = 0; cell < height * width; cell++) {
          const value = values.at(cell * layers + layer, point);
          paint.fillStyle = value ? `hsl(${(value * 67 + 190) % 360} 55% 55%)` : colour("--track");
          paint.fillRect(cell % width, Math.floor(cell / width), 1, 1);
        }
      });
      const name = layers > 1 ? `${one.key}[..., ${layer}]` : one.key;
      return make("figure", { class: "cells" }, canvas, make("figcaption", {}, name));
    });
  }

  function frame(one, values, drawing, range) {
    const now = make("div", { class: "now" });
    const area = make("div", { class: "area" }, drawing, now);
    const seek = event => {
      const box = area.getBoundingClientRect();
      play(false);
      show(Math.round((event.clientX - box.left) / box.width * (values.points - 1)));
    };
    area.addEventListener("pointerdown", event => { area.setPointerCapture(event.pointerId); seek(event); });
    area.addEventListener("pointermove", event => { if (event.buttons) seek(event); });
    follow.push(() => { now.style.left = `${100 * point / Math.max(1, values.points - 1)}%`; });
    const legend = make("div", { class: "values" });
    return { area, legend, card: make("div", { class: "plot" }, make("h3", {}, one.key, make("span", {}, range)), area, legend) };
  }

  function lines(one, values) {
    const low = Math.min(...one.lo), high = Math.max(...one.hi), span = high - low || 1;
    const space = "http://www.w3.org/2000/svg";
    const drawing = document.createElementNS(space, "svg");
    drawing.setAttribute("viewBox", `0 -4 ${Math.max(1, values.points - 1)} 108`);
    drawing.setAttribute("preserveAspectRatio", "none");
    const { card, legend } = frame(one, values, drawing, `${number(low)} to ${number(high)}`);
    for (let row = 0; row < values.rows; row++) {
      const line = document.createElementNS(space, "polyline"), corners = [];
      let previous = null;
      for (let place = 0; place < values.points; place++) {
        const value = values.at(row, place);
        if (value === null) continue;
        const y = high > low ? 100 - (value - low) / span * 100 : 50;
        if (one.form === "step" && previous !== null) corners.push(`${place},${previous.toFixed(2)}`);
        corners.push(`${place},${y.toFixed(2)}`);
        previous = y;
      }
      line.setAttribute("points", corners.join(" "));
      line.style.stroke = `var(--line${row % LINES})`;
      drawing.append(line);
      const mark = make("i"), text = make("b");
      mark.style.background = `var(--line${row % LINES})`;
      legend.append(make("span", {}, mark, values.rows > 1 ? `${row}: ` : "", text));
      follow.push(() => { text.textContent = number(values.at(row, point)); });
    }
    return card;
  }

  // Many values: a row for each, a column for each step.
  function map(one, values) {
    const canvas = make("canvas", { width: values.points, height: values.rows });
    const { card, legend, area } = frame(one, values, canvas, `${values.rows} values, a row each`);
    const text = make("span");
    let row = 0;
    legend.append(text);
    area.addEventListener("pointerdown", event => {
      const box = area.getBoundingClientRect();
      row = Math.max(0, Math.min(values.rows - 1, Math.floor((event.clientY - box.top) / box.height * values.rows)));
      tell();
    });
    const tell = () => {
      const b = make("b", {}, number(values.at(row, point)));
      text.replaceChildren(`row ${row}, ${number(one.lo[row])} to ${number(one.hi[row])}: `, b, " (touch a row for its value)");
    };
    follow.push(tell);
    const paint = canvas.getContext("2d");
    for (let each = 0; each < values.rows; each++) {
      const span = one.hi[each] - one.lo[each];
      for (let place = 0; place < values.points; place++) {
        const value = values.at(each, place);
        const share = value === null || !span ? 0 : (value - one.lo[each]) / span;
        paint.fillStyle = `hsl(${220 - 180 * share} 60% ${30 + 35 * share}%)`;
        paint.fillRect(place, each, 1, 1);
      }
    }
    return card;
  }

  function documents() {
    const long = tasks[task].kind === "text" || tasks[task].kind === "documents";
    return make("div", { class: long ? "texts long" : "texts" }, ...tasks[task].examples.map(one =>
      make("div", { class: "card" }, ...one.parts.map(each => each.image
        ? make("img", { src: each.image, alt: "" })
        : make("p", {}, ...(each.name ? [make("span", { class: "soft" }, `${each.name}: `)] : []), each.text)))));
  }

  function show(to) {
    const one = shown();
    point = Math.max(0, Math.min(one.points - 1, to));
    slider.value = point;
    readout.textContent = `step ${Math.min(one.steps, point * one.every)} of ${one.steps}`;
    follow.forEach(update => update());
  }

  function play(on) {
    const one = shown();
    playing = on && tasks[task].kind === "control";
    button.textContent = playing ? "Pause" : "Play";
    if (!playing) return;
    if (point >= one.points - 1) show(0);
    last = performance.now(); part = 0;
    requestAnimationFrame(advance);
  }

  // A whole episode takes about ten seconds, and a short one shows ten steps a second.
  function advance(now) {
    if (!playing) return;
    const one = shown();
    part += (now - last) / 1000 * Math.max(10, one.points / 10) * Number(speed.value);
    last = now;
    if (part >= 1) { show(point + Math.floor(part)); part -= Math.floor(part); }
    if (point >= one.points - 1) { play(false); return; }
    requestAnimationFrame(advance);
  }

  function remember() {
    const at = tasks[task].kind === "control" ? `&episode=${episode + 1}` : "";
    history.replaceState(null, "", `#task=${encodeURIComponent(tasks[task].task)}${at}`);
  }

  function fromAddress(jump) {
    const asked = new URLSearchParams(location.hash.slice(1));
    const index = tasks.findIndex(one => one.task === asked.get("task"));
    open(index < 0 ? 0 : index, (Number(asked.get("episode")) || 1) - 1, Number(asked.get("step")) || 0);
    if (index >= 0 && jump) root.scrollIntoView({ behavior: still.matches ? "auto" : "smooth" });
    if (asked.get("play")) play(true);
  }

  addEventListener("keydown", event => {
    if (event.key === " " && root.contains(document.activeElement) && document.activeElement.tagName !== "BUTTON" &&
        document.activeElement.tagName !== "SELECT") { event.preventDefault(); play(!playing); }
  });
  addEventListener("hashchange", () => fromAddress(true));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => follow.forEach(update => update()));
  fromAddress(location.hash.length > 1);
})();
