"use strict";

/* Two pictures in one place, moved and scaled together, with a border between them. */

const at = (id) => document.getElementById(id);
const view = { scale: 1, x: 0, y: 0, split: 0.5, width: 1, height: 1 };

function load(image, blob) {
  URL.revokeObjectURL(image.src);
  image.src = URL.createObjectURL(blob);
  return image.decode();
}

/* Shows two blobs; without the second, the first alone. */
export async function present(after, before) {
  await load(at("after"), after);
  if (before) await load(at("before"), before);
  at("stage").classList.toggle("alone", !before);
  view.width = at("after").naturalWidth;
  view.height = at("after").naturalHeight;
  view.split = 0.5;
}

/* The size of the first blob's picture. */
export const size = () => ({ width: view.width, height: view.height });

function smallest() {
  const box = at("stage").getBoundingClientRect();
  return Math.min(box.width / view.width, box.height / view.height);
}

function draw() {
  if (!at("stage").offsetWidth) return;
  const box = at("stage").getBoundingClientRect();
  const along = (offset, room, size) =>
    size <= room ? (room - size) / 2 : Math.min(0, Math.max(room - size, offset));
  view.x = along(view.x, box.width, view.width * view.scale);
  view.y = along(view.y, box.height, view.height * view.scale);
  const pixels = view.scale * devicePixelRatio;
  for (const image of [at("before"), at("after")]) {
    image.style.transform =
      "translate(" + view.x + "px," + view.y + "px) scale(" + view.scale + ")";
    image.classList.toggle("coarse", pixels >= 1.99);
  }
  const split = Math.round(100 * view.split);
  at("top").style.clipPath = "inset(0 " + 100 * (1 - view.split) + "% 0 0)";
  at("divider").style.left = 100 * view.split + "%";
  at("divider").setAttribute("aria-valuenow", split);
  at("divider").setAttribute("aria-valuetext", split + " percent bicubic");
  at("level").textContent = Math.round(100 * pixels) + "\u00a0%";
  at("stage").classList.toggle("fits", view.scale <= smallest() * 1.001);
}

function zoom(factor, x, y) {
  const box = at("stage").getBoundingClientRect();
  const centre = { x: x === undefined ? box.width / 2 : x, y: y === undefined ? box.height / 2 : y };
  const least = Math.min(smallest(), 1 / devicePixelRatio);
  const scale = Math.min(16, Math.max(least, view.scale * factor));
  view.x = centre.x - ((centre.x - view.x) * scale) / view.scale;
  view.y = centre.y - ((centre.y - view.y) * scale) / view.scale;
  view.scale = scale;
  draw();
}

export function fit() {
  view.scale = smallest();
  draw();
}

function actual() {
  zoom(1 / devicePixelRatio / view.scale);
}

function move(x, y) {
  view.x += x;
  view.y += y;
  draw();
}

function setSplit(part) {
  view.split = Math.min(1, Math.max(0, part));
  draw();
}

function keyOnDivider(event) {
  const step = event.shiftKey ? 0.1 : 0.02;
  const values = {
    ArrowLeft: view.split - step,
    ArrowDown: view.split - step,
    ArrowRight: view.split + step,
    ArrowUp: view.split + step,
    PageDown: view.split - 0.1,
    PageUp: view.split + 0.1,
    Home: 0,
    End: 1,
  };
  if (event.key in values) {
    event.preventDefault();
    event.stopPropagation();
    setSplit(values[event.key]);
  }
}

function keyOnStage(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const actions = {
    "+": () => zoom(1.25),
    "=": () => zoom(1.25),
    "-": () => zoom(0.8),
    0: fit,
    1: actual,
    ArrowLeft: () => move(60, 0),
    ArrowRight: () => move(-60, 0),
    ArrowUp: () => move(0, 60),
    ArrowDown: () => move(0, -60),
  };
  if (event.key in actions) {
    event.preventDefault();
    actions[event.key]();
  }
}

/* One pointer moves the border, where it is taken or where the picture fits, or else the picture;
   two pointers zoom. */
function listenToPointers() {
  const stage = at("stage");
  const pointers = new Map();
  let splitting = false;

  const place = (event) => {
    const box = stage.getBoundingClientRect();
    return { x: event.clientX - box.left, y: event.clientY - box.top };
  };
  const spread = () => {
    const [a, b] = pointers.values();
    return { length: Math.hypot(a.x - b.x, a.y - b.y), x: (a.x + b.x) / 2, y: (a.y + b.y) / 2 };
  };
  const splitAt = (point) => setSplit(point.x / stage.getBoundingClientRect().width);

  stage.addEventListener("pointerdown", (event) => {
    if (event.button) return;
    const point = place(event);
    pointers.set(event.pointerId, point);
    stage.setPointerCapture(event.pointerId);
    const onDivider = event.target === at("divider");
    if (pointers.size === 1) splitting = onDivider || stage.classList.contains("fits");
    if (splitting && !stage.classList.contains("alone")) {
      event.preventDefault();
      at("divider").focus({ preventScroll: true });
      splitAt(point);
    } else {
      stage.classList.add("held");
    }
  });
  stage.addEventListener("pointermove", (event) => {
    if (!pointers.has(event.pointerId)) return;
    const before = pointers.get(event.pointerId);
    const point = place(event);
    if (pointers.size === 2) {
      const old = spread();
      pointers.set(event.pointerId, point);
      const now = spread();
      move(now.x - old.x, now.y - old.y);
      if (old.length > 0) zoom(now.length / old.length, now.x, now.y);
      splitting = false;
      return;
    }
    pointers.set(event.pointerId, point);
    if (splitting) splitAt(point);
    else move(point.x - before.x, point.y - before.y);
  });
  const release = (event) => {
    pointers.delete(event.pointerId);
    if (!pointers.size) stage.classList.remove("held");
  };
  stage.addEventListener("pointerup", release);
  stage.addEventListener("pointercancel", release);
  stage.addEventListener("wheel", (event) => {
    event.preventDefault();
    const point = place(event);
    zoom(Math.exp(-event.deltaY * (event.deltaMode ? 0.05 : 0.0015)), point.x, point.y);
  }, { passive: false });
}

export function listen() {
  at("smaller").addEventListener("click", () => zoom(0.8));
  at("larger").addEventListener("click", () => zoom(1.25));
  at("fit").addEventListener("click", fit);
  at("actual").addEventListener("click", actual);
  at("divider").addEventListener("keydown", keyOnDivider);
  at("stage").addEventListener("keydown", keyOnStage);
  listenToPointers();
  /* What fitted goes on fitting when the window turns or the page around it changes. */
  new ResizeObserver(() => {
    if (at("stage").classList.contains("fits")) fit();
    else draw();
  }).observe(at("stage"));
}
