"""Small scans of blocks on a table, as a depth camera sees them, and measures of what is found on them."""

import numpy as np

from clip2point.evaluation.scene_protocol import measure_overlaps
from clip2point.shapes import Mesh
from clip2point_shapes.compositions import Composition, scan_composition
from clip2point_shapes.primitives import box
from clip2point_shapes.solid import rotation

#: Width, height and depth of each block, and where it stands.
BLOCKS = (((0.2, 0.25, 0.15), (-0.35, 0.0)), ((0.3, 0.12, 0.2), (0.1, 0.15)), ((0.15, 0.2, 0.15), (0.4, -0.2)))


def make_block(size, place):
    solid = box(*size).move(x=place[0], z=place[1])
    return Mesh.plain(solid.vertices, solid.faces)


def scan(blocks=BLOCKS, **options):
    """Return points [N, 3] and instances [N], 0 for the table, of blocks on a table."""
    top = box(1.6, 0.03, 1.2).move(y=-0.03)
    objects = tuple(make_block(*block) for block in blocks)
    scene = Composition("table", objects, ("box",) * len(objects), Mesh.plain(top.vertices, top.faces))
    points, instances = scan_composition(scene, **options)
    return points.astype(np.float64), instances


def turn(x, y, z):
    return rotation(x, y, z)


def overlap(true, found):
    """Return the mean best intersection over union of true instances, 0 for none."""
    return measure_overlaps(np.asarray(true, np.int64) - 1, found).max(axis=1).mean()
