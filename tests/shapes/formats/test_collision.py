"""Names of bodies for collision, and the note on them."""

import pytest

from clip2point.shapes.formats.collision import is_collision, note_collision


@pytest.mark.parametrize(
    "name",
    [
        *("UCX_Chair", "UBX_a", "USP_a_01", "UCP_a", "wall_collider", "Wall_Collider.003"),
        *("a-col", "a-colonly", "a-convcol", "a-convcolonly", "a-col2"),
    ],
)
def test_bodies_for_collision_are_known_by_name(name):
    assert is_collision(name)


@pytest.mark.parametrize(
    "name", ["chair", "", None, 3, "collider_holder", "protocol", "col", "UCXa", "my-column", "a_col"]
)
def test_other_names_are_no_bodies_for_collision(name):
    assert not is_collision(name)


def test_the_note_counts_and_names_them():
    assert note_collision(["a-col"]) == "1 part for collision ('a-col'), which engines do not draw: left out"
    assert note_collision(["a", "b", "c", "d", "a"]).startswith("5 parts for collision ('a', 'b', 'c', ...), which")
