"""The page as a user meets it: an installed Chromium, driven by Playwright, that may reach this machine only."""

import csv
import io
import shutil
import threading
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from clip2point.app.server import listen, make_server

CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
# Without a graphics card WebGL is drawn by the processor; and the browser's own errands are none of the page's.
ARGUMENTS = [
    *("--no-sandbox", "--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--no-first-run"),
    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium is installed")


@contextmanager
def served(app):
    """Address of the application, while it runs in a thread."""
    with listen("127.0.0.1", 0) as door:
        server = make_server(app)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [door]})
        thread.start()
        try:
            yield f"http://127.0.0.1:{door.getsockname()[1]}"
        finally:
            server.should_exit = True
            thread.join()


@pytest.fixture
def page(app):
    """A browser page on the application; any request elsewhere, script error or refused resource fails the test."""
    from playwright.sync_api import sync_playwright

    wrong = []

    def check(route):
        url = urlsplit(route.request.url)
        if url.hostname == "127.0.0.1":
            route.continue_()
        else:
            wrong.append(route.request.url)
            route.abort()

    with served(app) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        page = browser.new_page(base_url=address, viewport={"width": 1280, "height": 800})
        page.set_default_timeout(120_000)
        page.route("**/*", check)
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("console", lambda message: wrong.append(message.text) if message.type == "error" else None)
        yield page
        browser.close()
    assert wrong == []


def test_from_files_to_hits(page, shapes):
    page.goto("/")
    recognise(page, shapes)
    search(page, shapes)


def recognise(page, shapes):
    """Upload, type labels, look at the answers."""
    page.fill("[name=labels]", "table, chair, rocking horse")
    broken = {"name": "<b>broken.off", "mimeType": "", "buffer": b"OFF"}
    files = [
        {"name": path.name, "mimeType": "", "buffer": path.read_bytes()}
        for path in (shapes / "chair.glb", shapes / "table.glb")
    ]
    page.set_input_files("[name=files]", [files[0], broken, files[1]])
    page.wait_for_selector(".files button")
    assert page.inner_text(".verdict h2").startswith("chair")
    assert page.locator(".scores button").count() == 3
    assert page.inner_text(".message").startswith("_b_broken.off: ")
    assert page.locator(".views img").count() == 6
    assert len(page.locator(".views figcaption b").all_inner_texts()[0]) == 5  # a score with three digits
    turns(page, "#recognise canvas")

    page.click(".files button:nth-child(2)")
    assert page.inner_text(".verdict h2").startswith("table")

    # The bar is applied at once, new labels after a pause.
    page.locator("[name=unknown]").evaluate("bar => { bar.value = 1; bar.dispatchEvent(new Event('input')); }")
    assert page.inner_text(".verdict h2").startswith("unknown")
    page.locator("[name=unknown]").evaluate("bar => { bar.value = 0; bar.dispatchEvent(new Event('input')); }")
    page.fill("[name=labels]", "lamp, chair")
    page.wait_for_selector(".scores button:nth-child(2):last-child")
    assert page.inner_text(".verdict h2").startswith("chair")

    with page.expect_response("**/api/classify") as answer:
        page.click(".switch label:nth-of-type(3)")
    assert answer.value.json()["results"][0]["up"] == "z"


def search(page, shapes):
    """Ask in words, open a hit, save the hits, ask for more like it."""
    page.click("#tab-search")
    page.fill("[name=text]", "floor lamp")
    page.click("#search .main")
    page.wait_for_selector(".hits button")
    assert page.locator(".hits b").all_inner_texts()[0] == "lamp.glb"
    assert page.locator(".hits img").first.evaluate("picture => picture.decode().then(() => picture.naturalWidth)") > 50

    page.click(".hits button:first-child")
    turns(page, "#search canvas")
    assert page.locator("aside dd").all_inner_texts()[:2] == ["lamp.glb", str(shapes)]

    with page.expect_download() as download:
        page.click(".csv")
    rows = list(csv.DictReader(io.StringIO(Path(download.value.path()).read_text())))
    assert rows[0]["path"] == str(shapes / "lamp.glb")
    assert [float(row["score"]) for row in rows] == sorted((float(row["score"]) for row in rows), reverse=True)

    page.click(".hits button:nth-child(2)")
    second = page.locator(".hits b").all_inner_texts()[1]
    page.click(".alike")
    page.wait_for_selector(f".hits button:first-child:has-text('{second}')")


def turns(page, canvas):
    """Wait until a canvas shows a shape, and check that it moves."""
    page.wait_for_selector(f"{canvas}[data-shown]")
    element = page.locator(canvas)
    before = element.screenshot()
    page.wait_for_timeout(500)
    assert element.screenshot() != before
