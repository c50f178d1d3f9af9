(() => {
  const number = new Intl.NumberFormat("en-US", { maximumSignificantDigits: 4 });
  const clock = (s) => {
    if (s < 120) return number.format(Math.round(s * 10) / 10) + " s";
    const t = Math.round(s), two = (n) => String(n).padStart(2, "0");
    return t < 3600 ? Math.floor(t / 60) + ":" + two(t % 60) + " min" : Math.floor(t / 3600) + ":" + two(Math.floor(t / 60) % 60) + ":" + two(t % 60) + " h";
  };
  const nearest = (points, at) => {
    let low = 0, high = points.length / 2 - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (points[2 * middle] < at) low = middle + 1; else high = middle;
    }
    return low > 0 && at - points[2 * low - 2] < points[2 * low] - at ? low - 1 : low;
  };
  const plots = [];
  for (const plot of document.querySelectorAll(".plot[data-lines]")) {
    const svg = plot.querySelector("svg"), layer = document.createElement("div");
    const cursor = layer.appendChild(document.createElement("i")), word = layer.appendChild(document.createElement("b"));
    layer.className = "layer";
    layer.setAttribute("aria-hidden", "true");
    plot.appendChild(layer);
    const fit = () => {
      const outer = plot.getBoundingClientRect(), inner = svg.getBoundingClientRect();
      layer.style.left = inner.left - outer.left + "px";
      layer.style.top = inner.top - outer.top + "px";
      layer.style.width = inner.width + "px";
      layer.style.height = svg.getAttribute("height") + "px";
    };
    fit();
    addEventListener("resize", fit);
    const own = { end: +plot.dataset.end, unit: plot.dataset.unit, lines: JSON.parse(plot.dataset.lines), cursor, word };
    plots.push(own);
    const show = (event) => {
      const box = layer.getBoundingClientRect();
      const share = Math.min(1, Math.max(0, (event.clientX - box.left) / box.width));
      for (const other of plots) {
        other.cursor.hidden = other.word.hidden = false;
        other.cursor.style.left = share * 100 + "%";
        const at = share * other.end;
        const said = other.lines.map(([name, points]) => {
          const value = points[2 * nearest(points, at) + 1];
          return value === undefined ? "" : (name ? name + " " : "") + (value === null ? "–" : number.format(value));
        });
        other.word.textContent = clock(at) + "  ·  " + said.filter(Boolean).join("  ·  ") + (other.unit ? " " + other.unit : "");
        other.word.style.left = share < 0.5 ? "calc(" + share * 100 + "% + 6px)" : "auto";
        other.word.style.right = share < 0.5 ? "auto" : "calc(" + (1 - share) * 100 + "% + 6px)";
      }
    };
    layer.addEventListener("pointermove", show);
    layer.addEventListener("pointerdown", show);
    layer.addEventListener("pointerleave", () => plots.forEach((other) => { other.cursor.hidden = other.word.hidden = true; }));
    cursor.hidden = word.hidden = true;
  }
})();
