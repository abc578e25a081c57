"use strict";

/* Asking the server. */

export async function about() {
  return (await fetch("/about")).json();
}

function ticket() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/* Posts a file; `told` hears of each stage. XMLHttpRequest, as fetch tells no upload progress. */
function post(file, query, requests, told) {
  const request = new XMLHttpRequest();
  requests.push(request);
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
        resolve({ blob: request.response, used: request.getResponseHeader("Bsrn-Network") });
        return;
      }
      const text = await request.response.text();
      try {
        reject(new Error(JSON.parse(text).error));
      } catch (error) {
        reject(new Error("The server answered with status " + request.status + "."));
      }
    };
    request.send(file);
  });
}

function percent(event) {
  return Math.floor((100 * event.loaded) / event.total) + " %";
}

/* Asks how far the picture is until the answer comes. */
async function follow(job, progress) {
  while (job.waiting) {
    try {
      const answer = await fetch("/progress/" + job.id);
      if (answer.ok && job.waiting) {
        const { tiles, done, waiting } = await answer.json();
        if (waiting) progress(null, "Waiting for its turn");
        else if (!tiles) progress(null, "Reading the picture");
        else if (done === tiles) progress(null, "Writing the result");
        else if (tiles === 1) progress(null, "Upscaling");
        else progress(done / tiles, "Tile " + (done + 1) + " of " + tiles);
      }
    } catch (error) {
      /* The request itself will say what is wrong. */
    }
    await new Promise((resolve) => setTimeout(resolve, 400));
  }
}

/* A picture and, to compare with, its bicubic enlargement.

   `wish` has the scale, and the network where there is a choice; `requests` takes what can be
   aborted; `progress` is called with a part of 1, null where it is not known, and words for it.
   Gives { network, bicubic, used, seconds }: two blobs, the second null where the server had no room
   for it, and which of several networks made the first. */
export async function enlarge(file, wish, requests, progress) {
  const job = { id: ticket(), waiting: false };
  const started = performance.now();
  let bicubic = null;
  const askForBicubic = () => {
    bicubic = bicubic || post(file, { ...wish, method: "bicubic" }, requests, () => {})
      .then((answer) => answer.blob).catch(() => null);
  };
  progress(0, "Uploading");
  try {
    const { blob, used } = await post(file, { ...wish, id: job.id }, requests, (stage, sent) => {
      job.waiting = stage === "wait";
      if (stage === "wait") {
        progress(null, "Upscaling");
        askForBicubic();
        follow(job, progress);
      } else if (sent.lengthComputable) {
        const words = stage === "upload" ? "Uploading, " : "Receiving, ";
        progress(sent.loaded / sent.total, words + percent(sent));
      }
    });
    job.waiting = false;
    const seconds = (performance.now() - started) / 1000;
    askForBicubic();
    progress(null, "Enlarging for comparison");
    return { network: blob, bicubic: await bicubic, used, seconds };
  } finally {
    job.waiting = false;
  }
}
