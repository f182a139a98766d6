import { startRecognise } from "./recognise.js";
import { startSearch } from "./search.js";

const tabs = [...document.querySelectorAll("[role=tab]")];

function open(id) {
  for (const tab of tabs) {
    const panel = document.getElementById(tab.getAttribute("aria-controls"));
    panel.hidden = panel.id !== id;
    tab.setAttribute("aria-selected", panel.id === id);
  }
}

for (const tab of tabs) {
  tab.addEventListener("click", () => {
    open(tab.getAttribute("aria-controls"));
    history.replaceState(null, "", `#${tab.getAttribute("aria-controls")}`);
  });
}
if (tabs.some((tab) => `#${tab.getAttribute("aria-controls")}` === location.hash)) open(location.hash.slice(1));

// A file that misses its field must not replace the page.
for (const kind of ["dragover", "drop"]) window.addEventListener(kind, (event) => event.preventDefault());

startRecognise(document.getElementById("recognise"));
const search = document.getElementById("search");
if (search) startSearch(search);
