"""Hierarchies: what a file says about its parts, as a tree of named nodes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

_IDENTITY = np.eye(4)
#: Letters of a name that are kept; what cannot be printed, such as codes that steer a terminal, becomes a blank.
_LONGEST = 200


@dataclass(frozen=True, eq=False)
class Node:
    """One node of a hierarchy: a part, or what holds parts.

    Attributes:
        name: Name in the file, or "" if it has none there.
        parent: Number of the node above, always a lower one, or -1 at the top.
        transform: Matrix on column vectors from the node's frame to the file's, [4, 4].
        kind: Kind of the node in its format: "node", "instance", "item", "object", "group", "material" or "component".
    """

    name: str
    parent: int = -1
    transform: NDArray[np.float64] = field(default_factory=lambda: _IDENTITY)
    kind: str = "node"


@dataclass(frozen=True, eq=False)
class Hierarchy:
    """Nodes of a file, and the node of each face of its mesh.

    Attributes:
        nodes: Nodes, each behind the one above it.
        face_nodes: Number of the node of each face, [F] int32.
    """

    nodes: tuple[Node, ...]
    face_nodes: NDArray[np.int32]

    def scale(self, factor: float) -> Hierarchy:
        """Return the hierarchy of a file whose coordinates are multiplied by a factor."""
        change = np.diag([factor, factor, factor, 1.0])
        back = np.diag([1 / factor, 1 / factor, 1 / factor, 1.0])
        nodes = tuple(replace(node, transform=change @ node.transform @ back) for node in self.nodes)
        return Hierarchy(nodes, self.face_nodes)


@dataclass
class Nodes:
    """Collector of nodes while a file is read; every key is entered once."""

    entered: list[Node] = field(default_factory=list)
    _numbers: dict[object, int] = field(default_factory=dict)

    def enter(self, key: object, name: str, parent: int, transform: NDArray[np.float64], kind: str = "node") -> int:
        """Return the number of the node of a key, which is entered unless it was before."""
        number = self._numbers.get(key)
        if number is None:
            number = self._numbers[key] = len(self.entered)
            shown = "".join(letter if letter.isprintable() else " " for letter in name[:_LONGEST])
            self.entered.append(Node(shown.strip(), parent, transform, kind))
        return number


def join_face_nodes(nodes: Sequence[Node], numbers: Sequence[int | None], faces: Sequence[int]) -> Hierarchy | None:
    """Return the hierarchy of parts that were joined, or None unless each of them has a node.

    Args:
        nodes: Nodes of the file.
        numbers: Node of each part, or None.
        faces: Number of faces of each part.

    Examples:
        >>> join_face_nodes([Node("lid"), Node("box")], [1, 0], [1, 2]).face_nodes.tolist()
        [1, 0, 0]
    """
    if not numbers or any(number is None for number in numbers):
        return None
    return Hierarchy(tuple(nodes), np.repeat(np.array(numbers, dtype=np.int32), faces))
