import base64
import io
import re

from PIL import Image

from clip2point.report.gallery_page import Card, Section, write_gallery
from clip2point.search import Entry, Query


def webp(color):
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8), color).save(buffer, format="WEBP")
    return buffer.getvalue()


def test_the_page_holds_everything_and_fetches_nothing(tmp_path):
    picture = webp("red")
    mesh = Entry(
        path="/shapes/a<b>.off",
        bytes=1_250_000,
        labels=("night_stand", "chair", "bed"),
        label_scores=(0.9, 0.095, 0.004),
        faces=1200,
        thumbnail=picture,
    )
    cloud = Entry(path="/scans/c.ply", bytes=900, points=50)
    sections = [Section("First & best", "two shapes", [Card(mesh, "0.5", "a note"), Card(cloud)]), Section("", "", [])]
    query = Query(("a <i>chair",), ("sofa",), (Image.new("RGB", (300, 200)),), ("x/y/table.obj",))
    page = tmp_path / "new" / "page.html"
    write_gallery(page, sections, title="T", summary="S", command="clip2point search", remarks=["R > 1"], query=query)
    html = page.read_text()
    for words in ("First &amp; best", "a&lt;b&gt;.off", "/shapes", "1,200 faces, 1.2 MB", "50 points, 900 bytes"):
        assert words in html
    for words in ("a &lt;i&gt;chair", "sofa", "like table.obj", "night stand <i>90%", "chair <i>10%", "R &gt; 1"):
        assert words in html
    assert "bed" not in re.sub(r"base64,[^\"]*", "", html)  # too unlikely to be worth the place
    pictures = [base64.b64decode(data) for data in re.findall(r'src="data:image/webp;base64,([^"]+)"', html)]
    assert pictures[1:] == [picture]
    assert Image.open(io.BytesIO(pictures[0])).size == (160, 160)
    assert not re.search(r"https?:|<script|<link|@import", html)
