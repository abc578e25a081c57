"use strict";

const at = (id) => document.getElementById(id);
const show = (id, visible) => { at(id).hidden = !visible; };

/* What the server says about itself, the chosen file, and the requests in progress. */
let about = { scales: [], body_bytes: Infinity, pixels: Infinity };
let picture = null;
let running = null;

function sentence(text) {
  at("error").textContent = text;
  show("error", Boolean(text));
}

function scaleOf() {
  const chosen = document.querySelector("input[name=scale]:checked");
  return chosen ? Number(chosen.value) : 0;
}

function readable(bytes) {
  return bytes < 1e6 ? Math.max(1, Math.round(bytes / 1e3)) + " kB" : (bytes / 1e6).toFixed(1) + " MB";
}

async function introduce() {
  try {
    about = await (await fetch("/about")).json();
  } catch (error) {
    sentence("The server cannot be reached.");
    return;
  }
  at("about").textContent = "Model " + about.model + ", version " + about.version;
  about.scales.forEach((scale, index) => {
    const label = document.createElement("label");
    const input = document.createElement("input");
    const words = document.createElement("span");
    Object.assign(input, { type: "radio", name: "scale", value: scale });
    input.checked = index === about.scales.length - 1;
    words.textContent = "\u00d7" + scale;
    label.append(input, words);
    at("scales").append(label);
  });
}

/* Choosing. */

function choose(file) {
  if (!file) return;
  sentence("");
  picture = file;
  at("invitation").textContent = file.name || "Picture";
  at("chosen").textContent = readable(file.size);
  at("go").disabled = running !== null;
  const thumb = at("thumb");
  URL.revokeObjectURL(thumb.src);
  thumb.onload = () => {
    at("chosen").textContent =
      thumb.naturalWidth + " \u00d7 " + thumb.naturalHeight + ", " + readable(file.size);
    thumb.hidden = false;
  };
  thumb.onerror = () => { thumb.hidden = true; };
  thumb.src = URL.createObjectURL(file);
  if (file.size > about.body_bytes) {
    sentence("This file has " + readable(file.size) + "; the server takes "
      + readable(about.body_bytes) + ".");
    at("go").disabled = true;
  }
}

function listenForFiles() {
  at("file").addEventListener("change", (event) => choose(event.target.files[0]));
  const drop = at("drop");
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    drop.classList.add("over");
  });
  document.addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) drop.classList.remove("over");
  });
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    drop.classList.remove("over");
    choose(event.dataTransfer.files[0]);
  });
  document.addEventListener("paste", (event) => choose(event.clipboardData.files[0]));
}

/* Asking the server. */

function ticket() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

function progress(part, words) {
  const bar = at("bar");
  if (part === null) bar.removeAttribute("value");
  else bar.value = part;
  at("state").textContent = words;
}

function percent(event) {
  return Math.floor((100 * event.loaded) / event.total) + " %";
}

/* Posts the picture; `told` hears of each stage. XMLHttpRequest, as fetch tells no upload progress. */
function post(job, query, told) {
  const request = new XMLHttpRequest();
  job.requests.push(request);
  return new Promise((resolve, reject) => {
    request.open("POST", "/upscale?" + new URLSearchParams(query));
    request.responseType = "blob";
    request.upload.onprogress = (event) => told("upload", event);
    request.upload.onload = () => told("wait");
    request.onprogress = (event) => { if (request.status === 200) told("download", event); };
    request.onerror = () => reject(new Error("The connection to the server was lost."));
    request.onabort = () => reject(new Error(""));
    request.onload = async () => {
      if (request.status === 200) {
        resolve(request.response);
        return;
      }
      const text = await request.response.text();
      try {
        reject(new Error(JSON.parse(text).error));
      } catch (error) {
        reject(new Error("The server answered with status " + request.status + "."));
      }
    };
    request.send(job.file);
  });
}

/* Asks how many tiles are done until the answer comes. */
async function follow(job) {
  while (job.waiting) {
    try {
      const answer = await fetch("/progress/" + job.id);
      if (answer.ok && job.waiting) {
        const { tiles, done } = await answer.json();
        const words = done ? "Tile " + done + " of " + tiles + " done" : "Waiting for its turn";
        progress(tiles > 1 && done ? done / tiles : null, tiles > 1 ? words : "Upscaling");
      }
    } catch (error) {
      /* The request itself will say what is wrong. */
    }
    await new Promise((resolve) => setTimeout(resolve, 400));
  }
}

async function upscale(event) {
  event.preventDefault();
  if (!picture || running) return;
  const job = { file: picture, scale: scaleOf(), id: ticket(), requests: [], waiting: false };
  running = job;
  sentence("");
  show("work", true);
  at("go").disabled = true;
  progress(0, "Uploading");
  const started = performance.now();
  let bicubic = null;
  const askForBicubic = () => {
    bicubic = bicubic
      || post(job, { scale: job.scale, method: "bicubic" }, () => {}).catch(() => null);
  };
  try {
    const result = await post(job, { scale: job.scale, id: job.id }, (stage, sent) => {
      job.waiting = stage === "wait";
      if (stage === "upload" && sent.lengthComputable) {
        progress(sent.loaded / sent.total, "Uploading, " + percent(sent));
      } else if (stage === "download" && sent.lengthComputable) {
        progress(sent.loaded / sent.total, "Receiving, " + percent(sent));
      } else if (stage === "wait") {
        progress(null, "Upscaling");
        askForBicubic();
        follow(job);
      }
    });
    job.waiting = false;
    const seconds = (performance.now() - started) / 1000;
    askForBicubic();
    progress(null, "Enlarging for comparison");
    await present(result, await bicubic, job, seconds);
  } catch (error) {
    sentence(error.message);
  } finally {
    job.waiting = false;
    running = null;
    at("go").disabled = !picture;
    show("work", false);
  }
}

function cancel() {
  if (running) running.requests.forEach((request) => request.abort());
}

/* The viewer: two pictures in one place, moved and scaled together, with a border between them. */

const view = { scale: 1, x: 0, y: 0, split: 0.5, width: 1, height: 1 };

function load(image, blob) {
  URL.revokeObjectURL(image.src);
  image.src = URL.createObjectURL(blob);
  return image.decode();
}

async function present(result, bicubic, job, seconds) {
  await load(at("after"), result);
  if (bicubic) await load(at("before"), bicubic);
  show("result", true);
  document.body.classList.remove("fresh");
  at("stage").classList.toggle("alone", !bicubic);
  view.width = at("after").naturalWidth;
  view.height = at("after").naturalHeight;
  view.split = 0.5;
  at("facts").textContent = view.width + " \u00d7 " + view.height + ", " + readable(result.size)
    + ", in " + seconds.toFixed(1) + " s";
  const stem = (job.file.name || "picture").replace(/\.[^.]*$/, "");
  at("download").href = at("after").src;
  at("download").download = stem + "_x" + job.scale + ".png";
  fit();
  at("result").scrollIntoView({ block: "nearest" });
}

function smallest() {
  const box = at("stage").getBoundingClientRect();
  return Math.min(box.width / view.width, box.height / view.height);
}

function draw() {
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

function fit() {
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

at("form").addEventListener("submit", upscale);
at("cancel").addEventListener("click", cancel);
at("smaller").addEventListener("click", () => zoom(0.8));
at("larger").addEventListener("click", () => zoom(1.25));
at("fit").addEventListener("click", fit);
at("actual").addEventListener("click", actual);
at("divider").addEventListener("keydown", keyOnDivider);
at("stage").addEventListener("keydown", keyOnStage);
window.addEventListener("resize", () => { if (!at("result").hidden) draw(); });
listenForFiles();
listenToPointers();
introduce();
