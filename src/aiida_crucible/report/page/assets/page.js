"use strict";
(() => {
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const SMALL = 620;

  // Colours that depend on the scheme stand in the data as words.
  const coloured = (value) => {
    const colours = { "@ink": css("--ink"), "@muted": css("--muted"), "@paper": css("--paper") };
    const walk = (each) => {
      if (typeof each === "string") return colours[each] ?? each;
      if (Array.isArray(each)) return each.map(walk);
      if (each && typeof each === "object") {
        return Object.fromEntries(Object.entries(each).map(([key, inner]) => [key, walk(inner)]));
      }
      return each;
    };
    return walk(value);
  };

  const themed = (layout) => {
    const grid = css("--line");
    const made = {
      ...layout, autosize: true, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      font: { color: css("--ink"), size: 12, family: getComputedStyle(document.body).fontFamily },
      hoverlabel: { bgcolor: css("--card"), bordercolor: grid, font: { color: css("--ink") } },
    };
    for (const [key, axis] of Object.entries(made)) {
      if (/^[xy]axis\d*$/.test(key)) {
        made[key] = { gridcolor: grid, linecolor: css("--muted"), showline: true, ticks: "outside", tickcolor: grid, ...axis };
      }
    }
    return made;
  };

  const plots = [];
  const draw = ({ place, content }) => {
    const layout = place.clientWidth < SMALL && content.narrow ? content.narrow : content.layout;
    const made = themed(coloured(layout));
    if (place.clientWidth < SMALL && made.margin) made.margin = { ...made.margin, l: Math.min(made.margin.l ?? 0, 52), r: 8 };
    return Plotly.react(place, coloured(content.data), made, { displaylogo: false, responsive: true, modeBarButtonsToRemove: ["lasso2d", "select2d"] });
  };

  const download = (name, content, type) => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([content], { type }));
    link.download = name;
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 1000);
  };
  const button = (text, act) => {
    const made = document.createElement("button");
    made.type = "button";
    made.textContent = text;
    made.addEventListener("click", act);
    return made;
  };

  for (const place of document.querySelectorAll(".save")) {
    const figure = place.closest("figure");
    const name = place.dataset.name;
    const svg = () => new TextDecoder().decode(Uint8Array.from(atob(figure.querySelector("img").src.split(",")[1]), (c) => c.charCodeAt(0)));
    place.append(
      button("SVG", () => download(`${name}.svg`, svg(), "image/svg+xml")),
      button("PNG", () => figure.classList.contains("is-live")
        && Plotly.downloadImage(figure.querySelector(".live"), { format: "png", scale: 3, filename: name })),
      button("CSV", () => download(`${name}.csv`, JSON.parse(figure.querySelector('script[type="text/csv"]').textContent), "text/csv")),
    );
  }
  for (const place of document.querySelectorAll(".save-text")) {
    place.append(button("save", () => download(place.dataset.name, place.closest("figure").querySelector("pre").textContent, "text/plain")));
  }

  for (const node of document.querySelectorAll(".provenance a")) {
    const edges = () => node.closest("svg").querySelectorAll(`[data-from="${node.dataset.node}"], [data-to="${node.dataset.node}"]`);
    const light = (on) => edges().forEach((edge) => edge.classList.toggle("lit", on));
    for (const event of ["mouseenter", "focus"]) node.addEventListener(event, () => light(true));
    for (const event of ["mouseleave", "blur"]) node.addEventListener(event, () => light(false));
  }
  const openTarget = () => {
    const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    const closed = target && target.closest("details");
    if (closed) { closed.open = true; target.scrollIntoView({ block: "center" }); }
  };
  addEventListener("hashchange", openTarget);
  openTarget();

  const unpacked = async () => {
    if (typeof Plotly !== "undefined") return;
    const packed = document.getElementById("plotly");
    const bytes = Uint8Array.from(atob(packed.textContent), (c) => c.charCodeAt(0));
    const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
    const source = await new Response(stream).text();
    const script = document.createElement("script");
    script.textContent = source;
    document.head.append(script);
  };

  // The pictures are there already: what cannot run scripts of today, or prints, shows them.
  const start = async () => {
    const figures = [...document.querySelectorAll("figure.chart")];
    const isThere = typeof Plotly !== "undefined" || typeof DecompressionStream !== "undefined";
    if (!figures.length || !isThere) {
      document.documentElement.dataset.drawn = "0";
      return;
    }
    await unpacked();
    for (const figure of figures) {
      const place = figure.querySelector(".live");
      const content = JSON.parse(figure.querySelector('script[type="application/json"]').textContent);
      place.hidden = false;
      figure.classList.add("is-live");
      const plot = { place, content };
      plots.push(plot);
      try {
        await draw(plot);
      } catch (error) {
        figure.classList.remove("is-live");
        place.hidden = true;
        plots.pop();
      }
    }
    document.documentElement.dataset.drawn = String(plots.length);
  };
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => plots.forEach(draw));
  let width = innerWidth;
  addEventListener("resize", () => {
    if ((width < SMALL) !== (innerWidth < SMALL)) plots.forEach(draw);
    width = innerWidth;
  });
  start();
})();
