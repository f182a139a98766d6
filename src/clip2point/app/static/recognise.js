// The tab that names shapes: files in; the turning shape, the depth maps and the class scores out.

import { ask, checkSize, choose, dropZone, element, percent, say } from "./dom.js";
import { Viewer } from "./viewer.js";

const TYPING_PAUSE = 600;
const TOP = 10;
const LIKELY = 0.01; // beyond the tenth label nothing is shown, and of those only what has a chance
const WHO_SAID_UP = { declared: "as you said", format: "as its format says", guessed: "guessed" };

export function startRecognise(panel) {
  const form = panel.querySelector("form");
  const results = panel.querySelector(".results");
  const find = (selector) => results.querySelector(selector);
  const message = find(".message");
  const viewer = new Viewer(find("canvas"), find(".stage p"));
  let files = [];
  let answers = [];
  let request = null;
  let meshRequest = null;

  const up = () => form.elements.up.value;
  const threshold = () => Number(form.elements.unknown.value);

  async function recognise() {
    request?.abort();
    request = new AbortController();
    const { signal } = request;
    if (!files.length) return say(message, ["Drop a shape first, or click the field to choose one."]);
    results.setAttribute("aria-busy", "true");
    try {
      checkSize(files);
      const body = new FormData();
      files.forEach((file) => body.append("files", file));
      body.append("labels", words(form.elements.labels.value).join(","));
      body.append("up", up());
      body.append("top", TOP);
      body.append("views", "true");
      show(await ask("api/classify", { method: "POST", body, signal }));
    } catch (error) {
      if (error.name !== "AbortError") say(message, [error.message]);
    } finally {
      if (request.signal === signal) results.removeAttribute("aria-busy");
    }
  }

  function show(record) {
    find(".welcome").hidden = true;
    say(message, record.failures.map((failure) => failure.error));
    answers = record.results;
    find(".files").hidden = answers.length < 2;
    find(".answer").hidden = answers.length === 0;
    showFiles();
    if (answers.length) open(0);
  }

  function showFiles() {
    const entry = (answer, index) => {
      const name = element("b", { title: answer.source }, answer.source);
      const made = element("button", { type: "button", role: "option" }, name, element("span", {}, verdict(answer)));
      made.addEventListener("click", () => open(index));
      return made;
    };
    find(".files").replaceChildren(...answers.map(entry));
  }

  function open(index) {
    choose(find(".files"), index);
    const answer = answers[index];
    showVerdict(answer);
    showScores(answer);
    showViews(answer, answer.guesses[0]);
    turn(answer);
  }

  function isUnknown(answer) {
    return answer.confidence < threshold() || !answer.familiar;
  }

  function verdict(answer) {
    return isUnknown(answer) ? `unknown (${answer.label}?)` : `${answer.label} ${percent(answer.confidence)}`;
  }

  function showVerdict(answer) {
    find(".verdict").classList.toggle("unknown", isUnknown(answer));
    const aside = isUnknown(answer) ? `${answer.label}? ${percent(answer.confidence)}` : percent(answer.confidence);
    find(".verdict h2").replaceChildren(isUnknown(answer) ? "unknown" : answer.label, element("small", {}, aside));
    const strange = answer.familiar ? "" : " · like nothing that was learned";
    find(".facts").textContent = `${answer.source} · ${answer.up} up, ${WHO_SAID_UP[answer.up_from]} · ${answer.points.toLocaleString("en")} points${strange}`;
  }

  function showScores(answer) {
    const shown = answer.guesses.filter((guess, index) => index < 5 || guess.confidence >= LIKELY);
    const row = (guess, index) => {
      const bar = element("i");
      const mark = element("u");
      bar.style.width = `${100 * guess.confidence}%`;
      mark.style.left = `${100 * threshold()}%`;
      mark.hidden = threshold() === 0;
      const made = element(
        "button",
        { type: "button", role: "option", title: "Show what each view says of this label" },
        element("span", {}, guess.label),
        element("span", { className: "meter" }, bar, mark),
        element("span", { className: "number" }, percent(guess.confidence)),
        element("span", { className: "number faint" }, guess.score.toFixed(3)),
      );
      made.addEventListener("click", () => {
        choose(find(".scores"), index);
        showViews(answer, guess);
      });
      return made;
    };
    find(".scores").replaceChildren(...shown.map(row));
    choose(find(".scores"), 0);
  }

  function showViews(answer, guess) {
    const scores = guess.view_scores;
    const hint = element("small", {}, scores.length ? `cosine of each with “${guess.label}”` : "");
    find(".views h3").replaceChildren("What the model sees", hint);
    const best = Math.max(...scores);
    const figure = (view, index) =>
      element(
        "figure",
        { className: scores.length && scores[index] === best ? "best" : "" },
        element("img", { src: view.picture, alt: `depth map from ${view.elevation}°, ${view.azimuth}°` }),
        element(
          "figcaption",
          {},
          element("span", { title: "elevation, azimuth" }, `${view.elevation}°, ${view.azimuth}°`),
          element("b", {}, scores.length ? scores[index].toFixed(3) : ""),
        ),
      );
    find(".views > div").replaceChildren(...answer.views.map(figure));
  }

  async function turn(answer) {
    meshRequest?.abort();
    meshRequest = new AbortController();
    const { signal } = meshRequest;
    viewer.clear("…");
    const body = new FormData();
    const shape = files[answer.file];
    // The shape itself comes first; the others may be its materials and textures.
    [shape, ...files.filter((file) => file !== shape)].forEach((file) => body.append("files", file));
    body.append("up", answer.up);
    try {
      viewer.show(await ask("api/mesh", { method: "POST", body, signal }));
    } catch (error) {
      if (error.name !== "AbortError") viewer.clear(error.message);
    }
  }

  function again() {
    if (files.length) recognise();
  }

  dropZone(panel.querySelector("[data-drop]"), (chosen) => {
    files = chosen;
    again();
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    recognise();
  });
  let typing;
  form.elements.labels.addEventListener("input", () => {
    clearTimeout(typing);
    typing = setTimeout(again, TYPING_PAUSE);
  });
  panel.querySelector(".switch").addEventListener("change", again);
  form.elements.unknown.addEventListener("input", () => {
    showThreshold();
    const index = [...find(".files").children].findIndex((child) => child.getAttribute("aria-selected") === "true");
    if (index < 0) return;
    showFiles();
    choose(find(".files"), index);
    showVerdict(answers[index]);
    showScores(answers[index]);
  });
  function showThreshold() {
    form.elements.bar.value = threshold() ? percent(threshold()) : "off";
  }
  showThreshold();
}

/** Words with commas or line breaks between them. */
export function words(text) {
  return text.split(/[,\n]/).map((word) => word.trim()).filter(Boolean);
}
