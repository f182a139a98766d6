import io
import json

import numpy as np
import pytest
from PIL import Image

from clip2point.core.version import __version__
from clip2point.data.pairs import PairInfo, encode_pair, is_key, make_keys
from clip2point.data.pairs.pair_files import decode_images, decode_info, decode_points

INFO = PairInfo("a", ("büro chair", "chair"), "chair", "CC0-1.0", "Ann", "toys")
POINTS = np.arange(12, dtype=np.float32).reshape(4, 3) / 16
#: As release 0.1.0 wrote it, but for the version.
JSON = (
    '{"caption": "büro chair", "captions": ["büro chair", "chair"], "category": "chair", "creator": "Ann", "key": "a", '
    f'"licence": "CC0-1.0", "seed": 3, "source": "toys", "version": "{__version__}", "views": "ring-2"}}'
)


def npy(array):
    buffer = io.BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()


def png(size, mode="RGB"):
    buffer = io.BytesIO()
    Image.new(mode, size).save(buffer, "PNG")
    return buffer.getvalue()


def test_a_pair_is_read_as_it_was_written():
    images = np.random.default_rng(0).integers(0, 256, (3, 8, 6, 3), dtype=np.uint8)
    files = encode_pair(INFO, POINTS, images, views="ring-3", seed=0)
    assert list(files) == ["json", "points.npy", "view0.png", "view1.png", "view2.png"]
    assert decode_info(files["json"]) == (INFO, "ring-3")
    np.testing.assert_array_equal(decode_points(files["points.npy"]), POINTS)
    np.testing.assert_array_equal(decode_images([files[f"view{view}.png"] for view in range(3)]), images)


def test_the_description_has_the_bytes_of_the_format():
    files = encode_pair(INFO, POINTS, [], views="ring-2", seed=3)
    assert files["json"] == JSON.encode()
    assert files["points.npy"] == npy(POINTS)


def test_a_description_needs_all_texts_and_a_name():
    facts = json.loads(JSON)
    assert PairInfo.from_dict(facts) == INFO
    for name in ("key", "category", "licence", "creator", "source"):
        with pytest.raises(ValueError, match=name):
            PairInfo.from_dict({key: value for key, value in facts.items() if key != name})
        with pytest.raises(ValueError, match="not made of texts"):
            PairInfo.from_dict({**facts, name: 7})
    for captions in ([], [7], ["chair", None]):
        with pytest.raises(ValueError, match="not made of texts"):
            PairInfo.from_dict({**facts, "captions": captions})
    for data in ("[]", "7", '"text"', "null", "{", "{}"):
        with pytest.raises(ValueError):
            decode_info(data.encode())
    with pytest.raises(ValueError, match="does not name the views"):
        decode_info(json.dumps({**facts, "views": 10}).encode())


@pytest.mark.parametrize(
    "data",
    [
        npy(np.zeros((8, 2), np.float32)),
        npy(np.zeros(3, np.float32)),
        npy(np.zeros((0, 3), np.float32)),
        npy(np.zeros((8, 3), np.int32)),
        npy(np.array([None], dtype=object)),
        npy(np.zeros((8, 3), np.float32))[:-1],
        npy(np.zeros((8, 3), np.float32)) + b"more",
        npy(np.zeros((8, 3), np.float32)).replace(b"(8, 3)", b"(99999999999, 3)", 1),
        b"nothing",
        b"",
    ],
)
def test_points_are_whole_arrays_of_three_columns(data):
    with pytest.raises(ValueError):
        decode_points(data)


def test_points_of_other_precision_become_float32():
    assert decode_points(npy(POINTS.astype(np.float64))).dtype == np.float32


def test_images_are_rgb_of_one_size_and_not_too_large():
    assert decode_images([png((8, 6), "L"), png((8, 6), "RGBA")]).shape == (2, 6, 8, 3)
    for files in ([png((8, 6)), png((6, 8))], [png((8, 6)), b""], [b"no image"], [png((8, 6))[:40]], [png((4097, 1))]):
        with pytest.raises(ValueError):
            decode_images(files)


def test_keys_are_fit_for_webdataset_and_a_plain_tar_header():
    names = ["chair/a.b.off", "  Blend Swap CC-0-lit n° 2", "椅子", "x" * 300, "", "../../etc/passwd"]
    keys = make_keys(names)
    assert all(is_key(key) and len(f"{key}.points.npy") <= 100 for key in keys)
    assert len(set(keys)) == len(keys)


@pytest.mark.parametrize("name", ["", "a.b", "a/b", "a b", "ä", "x" * 89, "a\n"])
def test_other_names_are_no_keys(name):
    assert not is_key(name)


def test_keys_that_would_be_equal_get_checksums_and_others_stay():
    names = ["a/chair", "a-chair", "A-Chair", "lamp"]
    keys = make_keys(names)
    assert keys[3] == "lamp"
    assert len({key.lower() for key in keys}) == 4
    assert make_keys([*names, "sofa"])[:4] == keys
    assert len(set(make_keys(["twin", "twin"]))) == 2


def test_keys_are_those_of_release_0_1_0():
    """Folders that it began go on."""
    assert make_keys(["a/chair", "a-chair", "lamp"]) == ["a-chair-a7405fe51bdb", "a-chair-b9be1a68108b", "lamp"]
    assert make_keys(["twin", "twin"]) == ["twin-f42c6666a3f2", "twin-51d87793d6c1"]
