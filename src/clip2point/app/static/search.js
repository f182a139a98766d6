// The tab that searches the library: phrases, a photo, a shape in; hits with pictures, a turning one, and CSV out.

import { ask, checkSize, choose, dropZone, element, saveCsv, say } from "./dom.js";
import { words } from "./recognise.js";
import { Viewer } from "./viewer.js";

const COLUMNS = ["path", "score", "labels", "vertices", "faces", "points", "bytes", "up"];

export function startSearch(panel) {
  const form = panel.querySelector("form");
  const results = panel.querySelector(".results");
  const find = (selector) => results.querySelector(selector);
  const message = find(".message");
  const viewer = new Viewer(find("canvas"), find(".stage p"));
  let photos = [];
  let shapes = [];
  let hits = [];
  let opened = null;
  let request = null;

  /** Search by what the form says, or by a hit alone. */
  async function search(like = null) {
    request?.abort();
    request = new AbortController();
    const { signal } = request;
    results.setAttribute("aria-busy", "true");
    try {
      const body = new FormData();
      if (like) {
        body.append("like", like.path);
      } else {
        checkSize([...photos, ...shapes]);
        words(form.elements.text.value).forEach((phrase) => body.append("text", phrase));
        words(form.elements.not.value).forEach((phrase) => body.append("not", phrase));
        photos.forEach((file) => body.append("photo", file));
        shapes.forEach((file) => body.append("shape", file));
      }
      if (form.elements.where.value.trim()) body.append("where", form.elements.where.value.trim());
      body.append("up", form.elements.up.value);
      body.append("top", form.elements.top.value || 24);
      show((await ask("api/search", { method: "POST", body, signal })).hits);
    } catch (error) {
      if (error.name !== "AbortError") say(message, [error.message]);
    } finally {
      if (request.signal === signal) results.removeAttribute("aria-busy");
    }
  }

  function show(found) {
    hits = found;
    say(message, hits.length ? [] : ["Nothing in the library meets this condition."]);
    find(".welcome").hidden = true;
    find(".bar").hidden = find(".found").hidden = hits.length === 0;
    find(".bar b").textContent = `${hits.length} ${hits.length === 1 ? "hit" : "hits"}, the most alike first`;
    find("aside").hidden = true;
    opened = null;
    viewer.clear();
    find(".hits").replaceChildren(...hits.map(card));
  }

  function card(hit, index) {
    const picture = element("img", { src: of("thumbnail", hit), alt: `depth maps of ${name(hit)}`, loading: "lazy" });
    const facts = element("span", {}, element("i", {}, hit.labels[0] ?? ""), hit.score.toFixed(3));
    const made = element(
      "button",
      { type: "button", role: "option", title: hit.path },
      picture,
      element("div", {}, element("b", {}, name(hit)), facts),
    );
    made.addEventListener("click", () => open(index));
    return made;
  }

  async function open(index) {
    const hit = (opened = hits[index]);
    choose(find(".hits"), index);
    find("aside").hidden = false;
    const size = hit.faces ? `${count(hit.faces)} faces, ${count(hit.vertices)} vertices` : `${count(hit.points)} points`;
    const facts = {
      file: hit.path.startsWith(hit.root) ? hit.path.slice(hit.root.length + 1) : hit.path,
      folder: hit.root,
      score: hit.score.toFixed(4),
      labels: hit.labels.join(", "),
      size,
      extent: hit.extent.map((length) => Number(length.toPrecision(3))).join(" × "),
      up: hit.up + (hit.up_from === "guessed" ? " (guessed)" : ""),
    };
    const rows = Object.entries(facts).flatMap(([term, text]) => [element("dt", {}, term), element("dd", { title: text }, text)]);
    find("dl").replaceChildren(...rows);
    viewer.clear("…");
    try {
      const glb = await ask(of("mesh", hit));
      if (opened === hit) viewer.show(glb);
    } catch (error) {
      viewer.clear(error.message);
    }
  }

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    search();
  });
  form.addEventListener("reset", () => [photoZone, shapeZone].forEach((zone) => zone.set([])));
  find(".alike").addEventListener("click", () => search(opened));
  const photoZone = dropZone(form.elements.photo.closest("label"), (files) => (photos = files));
  const shapeZone = dropZone(form.elements.shape.closest("label"), (files) => (shapes = files));
  find(".csv").addEventListener("click", () => {
    const row = (hit) => COLUMNS.map((column) => (column === "labels" ? hit.labels.join("; ") : hit[column]));
    saveCsv("clip2point-hits.csv", COLUMNS, hits.map(row));
  });
}

const name = (hit) => hit.path.split(/[/\\]/).pop();
const of = (what, hit) => `api/${what}?path=${encodeURIComponent(hit.path)}`;
const count = (number) => number.toLocaleString("en");
