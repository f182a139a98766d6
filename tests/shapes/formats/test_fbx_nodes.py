"""The container of FBX."""

import numpy as np
import pytest
from fbx_writer import binary, text

from clip2point.core.errors import ShapeError
from clip2point.shapes.formats.fbx_nodes import read_nodes

NODES = [
    ("FBXHeaderExtension", [], [("FBXVersion", [7400], [])]),
    ("A", ["Model::chair", 7, 2.5], [("B", [np.arange(5.0)], []), ("C", [], [("D", ["x y"], [])])]),
]


@pytest.mark.parametrize("form", [binary, lambda nodes: binary(nodes, 7700), text])
def test_values_and_children(form):
    node = read_nodes(form(NODES)).find("A")
    assert [value.partition(b"\0")[0] if isinstance(value, bytes) else value for value in node.values] == [
        b"chair",
        7,
        2.5,
    ]
    assert node.array("B").tolist() == [0, 1, 2, 3, 4]
    assert node.find("C").text("D") == "x y"
    assert node.array("E") is None
    assert node.text("E") == ""


def test_promises_are_held_against_the_file():
    whole = binary([("A", [np.zeros(4)], [])], packed=False)
    place = whole.index(b"d\4\0\0\0")
    for change in (b"d\xff\xff\xff\x7f", b"d\5\0\0\0"):
        with pytest.raises(ShapeError, match="unfolds|declares"):
            read_nodes(whole[:place] + change + whole[place + 5 :])
    bomb = binary([("A", [np.zeros(30_000_000)], [])])
    with pytest.raises(ShapeError, match="decompression bomb"):
        read_nodes(bomb)
