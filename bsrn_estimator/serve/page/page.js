"use strict";

import * as server from "./requests.js";
import * as viewer from "./viewer.js";

const at = (id) => document.getElementById(id);
const show = (id, visible) => { at(id).hidden = !visible; };

/* What the server says about itself; the chosen pictures; those of the last Upscale, with their
   results; and the work in progress. */
let about = { scales: [], networks: [], body_bytes: Infinity, pixels: Infinity };
let chosen = [];
let batch = [];
let running = null;
/* The scale that somebody asked for; what is checked may be smaller, where that is too large. */
let wanted = 0;

/* An error takes the place of a result, which it would seem to speak of otherwise. */
function sentence(text) {
  at("error").textContent = text;
  show("error", Boolean(text));
  if (text && batch.length < 2) show("result", false);
}

/* For those who hear the page. */
function say(text) {
  at("said").textContent = text;
}

function bytes(count) {
  return count < 1e6 ? Math.max(1, Math.round(count / 1e3)) + " kB" : (count / 1e6).toFixed(1) + " MB";
}

function megapixels(count) {
  return (count / 1e6).toFixed(count < 1e7 ? 1 : 0) + " megapixels";
}

function sizeOf(picture) {
  return picture.width + " \u00d7 " + picture.height;
}

/* Scales and networks. */

const NETWORKS = {
  auto: ["Auto", "Photo for JPEG and lossy WebP, clean for everything else"],
  clean: ["Clean", "For pictures that lost nothing to compression"],
  photo: ["Photo", "For photographs that were saved as JPEG"],
};

function scaleOf() {
  const input = document.querySelector("input[name=scale]:checked");
  return input ? Number(input.value) : 0;
}

/* What a request asks for. */
function wishFor(scale) {
  const input = document.querySelector("input[name=network]:checked");
  return input ? { scale, network: input.value } : { scale };
}

/* Adds a choice to a group of which one is chosen; gives its input. */
function offer(group, name, value, text) {
  const label = document.createElement("label");
  const input = document.createElement("input");
  const words = document.createElement("span");
  Object.assign(input, { type: "radio", name, value });
  words.textContent = text;
  label.append(input, words);
  at(group).append(label);
  return input;
}

async function introduce() {
  try {
    about = await server.about();
  } catch (error) {
    sentence("The server cannot be reached.");
    return;
  }
  at("about").textContent = "Model " + about.model + ", version " + about.version;
  for (const scale of about.scales) {
    const input = offer("scales", "scale", scale, "\u00d7" + scale);
    input.addEventListener("change", () => { wanted = scale; settle(); });
  }
  for (const [index, network] of about.networks.entries()) {
    const [words, title] = NETWORKS[network];
    const input = offer("networks", "network", network, words);
    input.checked = index === 0;
    input.parentElement.title = title;
  }
  show("networks", about.networks.length > 0);
  wanted = Math.max(...about.scales);
  settle();
}

function fits(picture, scale) {
  return picture.width * picture.height * scale ** 2 <= about.pixels;
}

/* What speaks against sending a picture, in a sentence, or nothing. */
function problemOf(picture) {
  const least = Math.min(...about.scales);
  if (picture.file.size > about.body_bytes) {
    return "This file has " + bytes(picture.file.size) + "; the server takes "
      + bytes(about.body_bytes) + ".";
  }
  if (!fits(picture, least)) {
    return "This picture has " + megapixels(picture.width * picture.height) + "; the server gives "
      + megapixels(about.pixels) + " at the most, so at \u00d7" + least + " it takes "
      + megapixels(about.pixels / least ** 2) + ".";
  }
  return "";
}

/* Offers the scales at which the results are within the server's limit, chooses the largest of
   them that is no larger than the wanted one, and says so. */
function settle() {
  const good = chosen.filter((picture) => !problemOf(picture));
  const offered = about.scales.filter((scale) => good.every((picture) => fits(picture, scale)));
  const best = Math.max(...offered.filter((scale) => scale <= wanted), Math.min(...offered));
  for (const input of document.querySelectorAll("input[name=scale]")) {
    input.disabled = !offered.includes(Number(input.value));
    input.checked = Number(input.value) === best;
  }
  const too_large = about.scales.filter((scale) => !offered.includes(scale));
  const largest = Math.max(...good.map((picture) => picture.width * picture.height));
  at("note").textContent = too_large.length === 0 ? ""
    : "\u00d7" + too_large[0] + " would give " + megapixels(largest * too_large[0] ** 2)
      + "; the server gives " + megapixels(about.pixels) + " at the most. \u00d7" + best
      + " is chosen.";
  show("note", too_large.length > 0);
  at("go").disabled = running !== null || good.length === 0;
}

/* Choosing. */

/* Width and height, 0 where the browser does not read the format: the server will say. */
function measure(picture) {
  return new Promise((resolve) => {
    const image = new Image();
    const done = () => resolve(Object.assign(picture, {
      width: image.naturalWidth, height: image.naturalHeight,
    }));
    image.onload = image.onerror = done;
    image.src = picture.url;
  });
}

async function choose(files) {
  const pictures = Array.from(files || [], (file) => ({
    file, name: file.name || "picture", url: URL.createObjectURL(file), width: 0, height: 0,
  }));
  if (!pictures.length) return;
  sentence("");
  for (const { url } of chosen) if (!batch.some((held) => held.url === url)) URL.revokeObjectURL(url);
  chosen = pictures;
  const [first] = pictures;
  const all = bytes(pictures.reduce((sum, picture) => sum + picture.file.size, 0));
  at("invitation").textContent = pictures.length > 1 ? pictures.length + " pictures" : first.name;
  at("chosen").textContent = all;
  settle();
  await Promise.all(pictures.map(measure));
  if (chosen !== pictures) return;
  show("thumb", first.width > 0);
  at("thumb").src = first.width ? first.url : "";
  if (pictures.length === 1 && first.width) at("chosen").textContent = sizeOf(first) + ", " + all;
  settle();
  const problems = pictures.map(problemOf).filter(Boolean);
  if (pictures.length === 1) sentence(problems.join(""));
  else if (problems.length) {
    sentence("Too large for the server: "
      + pictures.filter(problemOf).map((picture) => picture.name).join(", ") + ".");
  }
}

function listenForFiles() {
  at("file").addEventListener("change", (event) => {
    choose(event.target.files);
    event.target.value = ""; /* or the same file could not be chosen again */
  });
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
    choose(event.dataTransfer.files);
  });
  document.addEventListener("paste", (event) => choose(event.clipboardData.files));
}

/* Upscaling, one picture after the other. */

function progress(part, words) {
  const bar = at("bar");
  if (part === null) bar.removeAttribute("value");
  else bar.value = part;
  at("state").textContent = running.words + words;
}

async function upscaleOne(picture, index) {
  running.words = batch.length > 1 ? "Picture " + (index + 1) + " of " + batch.length + ": " : "";
  picture.problem = problemOf(picture);
  if (picture.problem) return;
  mark(picture, "in work");
  try {
    const result = await server.enlarge(picture.file, picture.wish, running.requests, progress);
    Object.assign(picture, result, { done: true });
    const shown = batch.find((held) => held.shown);
    if (!shown) await look(picture);
  } catch (error) {
    picture.done = false;
    picture.problem = error.message || "Cancelled.";
  }
}

async function upscale(event) {
  event.preventDefault();
  const scale = scaleOf();
  if (!chosen.length || running || !scale) return;
  const names = new Map();
  const wish = wishFor(scale);
  batch = chosen.map((picture) => ({ ...picture, wish, saved: nameOf(picture, scale, names) }));
  running = { requests: [], cancelled: false, words: "" };
  sentence("");
  show("result", false);
  show("work", true);
  list();
  say("Upscaling");
  /* A button that is disabled loses the focus to nowhere. */
  const focused = document.activeElement === at("go");
  if (focused) at("cancel").focus();
  at("go").disabled = true;
  for (const [index, picture] of batch.entries()) {
    if (running.cancelled) picture.problem = "Cancelled.";
    else await upscaleOne(picture, index);
    mark(picture, picture.problem || "done");
  }
  const { cancelled } = running;
  const holds = at("work").contains(document.activeElement);
  running = null;
  show("work", false);
  settle();
  conclude(cancelled);
  if (holds || (focused && document.activeElement === document.body)) {
    (batch.some((picture) => picture.shown) ? at("stage") : at("go")).focus({ preventScroll: true });
  }
}

/* Says how it went. */
function conclude(cancelled) {
  const done = batch.filter((picture) => picture.done);
  const failed = batch.filter((picture) => !picture.done);
  show("all", done.length > 1);
  if (batch.length === 1 && failed.length && !cancelled) sentence(failed[0].problem);
  else if (batch.length > 1 && failed.length && !cancelled) {
    sentence(failed.length + " of " + batch.length + " pictures failed. "
      + failed.map((picture) => picture.name + ": " + picture.problem).join(" "));
  }
  if (!done.length) say(cancelled ? "Cancelled" : "");
  else say("Done: " + (batch.length > 1 ? done.length + " pictures" : at("facts").textContent));
  at(at("error").hidden ? "result" : "error").scrollIntoView({ block: "nearest" });
}

function cancel() {
  if (!running) return;
  running.cancelled = true;
  running.requests.forEach((request) => request.abort());
}

/* Results. */

/* photo_x4.png; of two pictures of one name the second is photo-2_x4.png. */
function nameOf(picture, scale, names) {
  const stem = picture.name.replace(/\.[^.]*$/, "");
  const count = (names.get(stem) || 0) + 1;
  names.set(stem, count);
  return stem + (count > 1 ? "-" + count : "") + "_x" + scale + ".png";
}

/* Puts a result on the stage. */
async function look(picture) {
  for (const held of batch) held.shown = held === picture;
  await viewer.present(picture.network, picture.bicubic);
  show("result", true);
  document.body.classList.remove("fresh");
  const { width, height } = viewer.size();
  at("facts").textContent = width + " \u00d7 " + height + ", " + bytes(picture.network.size)
    + ", in " + picture.seconds.toFixed(1) + " s"
    + (picture.used ? ", " + picture.used + " network" : "");
  at("download").href = at("after").src;
  at("download").download = picture.saved;
  for (const held of batch) {
    if (held.button) held.button.setAttribute("aria-pressed", String(held.shown));
  }
  viewer.fit();
}

/* The pictures of a batch, to choose from; one alone needs no list. */
function list() {
  at("list").replaceChildren();
  show("list", batch.length > 1);
  show("all", false);
  if (batch.length < 2) return;
  for (const picture of batch) {
    const item = document.createElement("li");
    const button = document.createElement("button");
    const [name, state] = [document.createElement("span"), document.createElement("small")];
    if (picture.width) button.append(Object.assign(new Image(), { src: picture.url, alt: "" }));
    name.textContent = picture.name;
    button.append(name, state);
    Object.assign(button, { type: "button", disabled: true });
    button.addEventListener("click", () => look(picture));
    Object.assign(picture, { button, state });
    item.append(button);
    at("list").append(item);
    mark(picture, "waits");
  }
}

function mark(picture, words) {
  if (!picture.button) return;
  picture.state.textContent = words;
  picture.button.disabled = !picture.done;
}

/* One after the other: a browser asks once whether a page may save several files. */
async function saveAll() {
  for (const picture of batch.filter((held) => held.done)) {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(picture.network);
    link.download = picture.saved;
    link.click();
    await new Promise((resolve) => setTimeout(resolve, 300));
    setTimeout(() => URL.revokeObjectURL(link.href), 60000);
  }
}

at("form").addEventListener("submit", upscale);
at("cancel").addEventListener("click", cancel);
at("all").addEventListener("click", saveAll);
listenForFiles();
viewer.listen();
introduce();
