from dataclasses import dataclass, field

import pytest

from clip2point.report import library_pages
from clip2point.report.library_pages import write_clusters_page, write_duplicates_page, write_hits_page
from clip2point.search import Entry, Hit, Query
from clip2point.search.clustering import Cluster
from clip2point.search.duplicates import DuplicateGroup


@dataclass
class Shelf:
    """Entries by path, as a library gives them."""

    entries: dict = field(default_factory=dict)

    def get(self, path):
        return self.entries.get(path)

    def __len__(self):
        return len(self.entries)


@pytest.fixture
def shelf():
    entries = [Entry(path=f"/s/{name}.off", hash=name[0], bytes=1000, faces=12) for name in ("a", "a2", "b", "c")]
    return Shelf({entry.path: entry for entry in entries})


def test_hits_are_numbered_with_their_scores_and_the_condition(shelf, tmp_path):
    hits = [Hit(shelf.get("/s/b.off"), 0.75), Hit(shelf.get("/s/a.off"), 0.5)]
    page = tmp_path / "page.html"
    write_hits_page(page, shelf, Query(("chair",)), hits, where="bytes < 9", command="clip2point search chair")
    html = page.read_text()
    for words in ("The 2 most similar of 4 shapes.", "1. 0.750", "2. 0.500", "Only shapes with bytes &lt; 9", "chair"):
        assert words in html


def test_groups_show_their_copies_and_pages_their_limits(shelf, tmp_path, monkeypatch):
    monkeypatch.setattr(library_pages, "_MEMBERS", 2)
    group = DuplicateGroup(tuple(shelf.get(f"/s/{name}.off") for name in ("a", "a2", "b")), 0.97)
    page = tmp_path / "page.html"
    write_duplicates_page(page, shelf, [group], command="clip2point duplicates-report")
    html = page.read_text()
    assert "3 shapes, cosine from 0.970, 2 exact copies" in html
    assert html.count("copies 1") == 2
    assert "b.off" not in html
    assert "up to 2 shapes of each; --json prints all" in html
    assert "3 of 4 shapes are near-duplicates of others, in 1 group; 2 are exact copies." in html


def test_clusters_show_their_most_central_shapes(shelf, tmp_path):
    cluster = Cluster("night_stand", ("tv_stand",), ("/s/a.off", "/s/gone.off", "/s/c.off"), (0.9, 0.8, 0.7))
    page = tmp_path / "page.html"
    write_clusters_page(page, shelf, [cluster], command="clip2point clusters")
    html = page.read_text()
    for words in ("night stand", "3 shapes; or: tv stand", "0.900", "0.700", "4 shapes in 1 cluster."):
        assert words in html
    assert "gone" not in html
