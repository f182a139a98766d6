// Small helpers of the page: elements, requests, drop zones, tables as files.

/** An element with properties (data-* and aria-* as attributes) and children; text is never read as markup. */
export function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role") made.setAttribute(name, value);
    else made[name] = value;
  }
  made.append(...children);
  return made;
}

/** What a request gives, or an Error that says in one sentence what is wrong. */
export async function ask(url, options = {}) {
  let response;
  try {
    response = await fetch(url, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Error("The server does not answer: is it still running?");
  }
  if ((response.headers.get("content-type") ?? "").includes("json")) {
    const record = await response.json();
    if (!response.ok && !record.failures) throw new Error(record.error);
    return record;
  }
  if (!response.ok) throw new Error(`The server answers ${response.status}.`);
  return response.arrayBuffer();
}

/** Show sentences in a message box, or hide it if there are none. */
export function say(box, sentences) {
  box.replaceChildren(...sentences.map((sentence) => element("p", {}, sentence)));
  box.hidden = sentences.length === 0;
}

/** Raise an Error if files are larger together than the server takes. */
export function checkSize(files) {
  const most = Number(document.body.dataset.maxMb);
  const size = files.reduce((sum, file) => sum + file.size, 0) / 1e6;
  if (size > most) throw new Error(`The files have ${size.toFixed(0)} MB together; this server takes ${most} MB at a time.`);
}

/** Let files be dropped on a label with a file input; `changed` is called with the files however they came. */
export function dropZone(label, changed) {
  const input = label.querySelector("input");
  const text = label.querySelector("span");
  const invitation = [...text.childNodes];
  const show = () => {
    const files = [...input.files];
    label.classList.toggle("filled", files.length > 0);
    if (files.length) text.replaceChildren(files.length > 3 ? `${files.length} files` : files.map((file) => file.name).join(", "));
    else text.replaceChildren(...invitation);
    changed(files);
  };
  input.addEventListener("change", show);
  for (const kind of ["dragover", "dragleave", "drop"]) {
    label.addEventListener(kind, (event) => {
      event.preventDefault();
      label.classList.toggle("over", kind === "dragover");
      if (kind !== "drop" || !event.dataTransfer.files.length) return;
      input.files = event.dataTransfer.files;
      show();
    });
  }
  return {
    set(files) {
      const transfer = new DataTransfer();
      files.forEach((file) => transfer.items.add(file));
      input.files = transfer.files;
      show();
    },
  };
}

/** Mark one option of a list as chosen. */
export function choose(list, index) {
  [...list.children].forEach((child, each) => child.setAttribute("aria-selected", each === index));
}

/** Offer rows as a CSV file. */
export function saveCsv(name, columns, rows) {
  const cell = (value) => {
    // Spreadsheets run text that begins like a formula.
    const text = typeof value === "string" && /^[=+\-@\t\r]/.test(value) ? `'${value}` : String(value);
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  const lines = [columns, ...rows].map((row) => row.map(cell).join(","));
  const url = URL.createObjectURL(new Blob([lines.join("\r\n") + "\r\n"], { type: "text/csv" }));
  element("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}

/** A share as text; small ones are not rounded to nothing. */
export function percent(share) {
  if (share > 0 && share < 0.001) return "< 0.1 %";
  return `${(100 * share).toFixed(share < 0.1 ? 1 : 0)} %`;
}
