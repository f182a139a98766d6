import gzip
import hashlib
import io
import tarfile

import pytest

from clip2point.core.errors import CacheError, DataError
from pocket_recipe import debian
from pocket_recipe.debian import Package, unpack_package

FILES = {"./usr/share/toys/car/car.obj": b"v 0 0 0\n", "./usr/share/toys/ball.obj": b"v 1 1 1\n", "./etc/rc": b"no"}


def add(tar, name, data=b"", **fields):
    member = tarfile.TarInfo(name)
    member.size = len(data)
    for field, value in fields.items():
        setattr(member, field, value)
    tar.addfile(member, io.BytesIO(data))


def deb(files=FILES, ending="xz", links=()):
    """The bytes of a .deb file."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=f"w:{ending}") as tar:
        for name, data in files.items():
            add(tar, name, data)
        for name, target in links:
            add(tar, name, type=tarfile.SYMTYPE, linkname=target)
    members = {
        "debian-binary": b"2.0\n",
        "control.tar.gz": gzip.compress(b"odd"),
        f"data.tar.{ending}": buffer.getvalue(),
    }
    archive = b"!<arch>\n"
    for name, data in members.items():
        archive += f"{name:<16}{0:<12}{0:<6}{0:<6}{644:<8}{len(data):<10}`\n".encode() + data + b"\n" * (len(data) % 2)
    return archive


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A folder that serves as mirror, and a function that puts a package there."""
    monkeypatch.setenv("CLIP2POINT_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("CLIP2POINT_DEBIAN", (tmp_path / "mirror").as_uri())

    def put(data, **changes):
        path = tmp_path / "mirror/pool/main/t/toys/toys_1_all.deb"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        fields = {"size": len(data), "sha256": hashlib.sha256(data).hexdigest(), **changes}
        return Package("toys", "1", "pool/main/t/toys/toys_1_all.deb", **fields)

    return put


def contents(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.parametrize("ending", ["xz", "gz"])
def test_one_folder_of_a_package_is_unpacked_once(mirror, monkeypatch, ending):
    package = mirror(deb(ending=ending))
    folder = unpack_package(package, "usr/share/toys")
    assert contents(folder) == {"car/car.obj": b"v 0 0 0\n", "ball.obj": b"v 1 1 1\n"}
    monkeypatch.setattr(debian, "_download", None)
    assert unpack_package(package, "usr/share/toys") == folder
    other = unpack_package(package, "usr/share/toys/car")  # from the file that was kept
    assert contents(other) == {"car.obj": b"v 0 0 0\n"}
    assert not list(folder.parent.glob(".*"))


def test_links_are_left_out(mirror):
    package = mirror(deb(links=[("./usr/share/toys/link.obj", "/etc/passwd"), ("./usr/share/toys/up", "../..")]))
    assert sorted(contents(unpack_package(package, "usr/share/toys"))) == ["ball.obj", "car/car.obj"]


def test_a_file_that_is_in_the_cache_needs_no_network(mirror, tmp_path, monkeypatch):
    package = mirror(data := deb())
    place = tmp_path / "cache/debian/toys_1_all.deb"
    place.parent.mkdir(parents=True)
    place.write_bytes(data)
    monkeypatch.setenv("CLIP2POINT_DEBIAN", (tmp_path / "gone").as_uri())
    assert contents(unpack_package(package, "usr/share/toys"))


def test_a_damaged_file_in_the_cache_is_downloaded_again(mirror, tmp_path):
    package = mirror(deb())
    place = tmp_path / "cache/debian/toys_1_all.deb"
    place.parent.mkdir(parents=True)
    place.write_bytes(b"half of it")
    assert contents(unpack_package(package, "usr/share/toys"))


def test_no_network_is_one_clear_error(mirror, monkeypatch, tmp_path):
    package = mirror(deb())
    monkeypatch.setenv("CLIP2POINT_DEBIAN", (tmp_path / "gone").as_uri())
    with pytest.raises(
        DataError, match=r"toys 1: cannot be downloaded from file:.*toys_1_all\.deb \(.*check the network"
    ):
        unpack_package(package, "usr/share/toys")
    assert not contents(tmp_path / "cache")


@pytest.mark.parametrize("changes", [{"sha256": "0" * 64}, {"size": 7}, {"size": 10**6}])
def test_another_file_than_the_manifest_describes_is_refused(mirror, changes):
    with pytest.raises(DataError, match="not the file that the manifest describes"):
        unpack_package(mirror(deb(), **changes), "usr/share/toys")


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"no package at all", "it is no .deb file"),
        (b"!<arch>\n", "has no data.tar"),
        (b"!<arch>\n" + f"{'backwards':<48}{-60:<10}`\n".encode(), "it is damaged"),
        (deb()[:-160], "cannot be unpacked"),
        (deb().replace(b"data.tar.xz ", b"data.tar.zip"), "cannot be unpacked"),
        (deb({"usr/share/toys/../../../../evil": b"x"}), "a file with an odd path"),
        (deb({"usr/share/toys/c:evil": b"x"}), "a file with an odd path"),
        (deb({"etc/rc": b"x"}), "has no files in usr/share/toys"),
    ],
)
def test_damaged_and_hostile_packages_are_refused(mirror, tmp_path, data, message):
    with pytest.raises(DataError, match=message):
        unpack_package(mirror(data), "usr/share/toys")
    assert [path.name for path in (tmp_path / "cache/debian").iterdir()] == ["toys_1_all.deb"]


def test_what_decompresses_beyond_the_limits_is_refused(mirror, monkeypatch):
    monkeypatch.setattr(debian, "MAX_UNPACKED", 10)
    with pytest.raises(DataError, match="decompresses to more than 10 bytes"):
        unpack_package(mirror(deb()), "usr/share/toys")


def test_a_cache_that_cannot_be_written_to(mirror, tmp_path):
    package = mirror(deb())
    (tmp_path / "cache").write_text("a file")
    with pytest.raises(CacheError, match="set CLIP2POINT_CACHE"):
        unpack_package(package, "usr/share/toys")
