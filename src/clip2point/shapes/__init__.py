"""Shapes: files and arrays into checked, sampled, normalised point clouds and meshes."""

from clip2point.shapes.normalise import to_unit_sphere
from clip2point.shapes.orientation import UP_AXES, check_up, to_y_up
from clip2point.shapes.preparation import ShapeLike, as_shape, place_points, prepare_points
from clip2point.shapes.sampling import farthest_points, sample_points
from clip2point.shapes.shape import Material, Mesh, Shape
from clip2point.shapes.shape_files import find_shapes, format_up, load_shape, shape_from_points, supported_extensions

__all__ = [
    "UP_AXES",
    "Material",
    "Mesh",
    "Shape",
    "ShapeLike",
    "as_shape",
    "check_up",
    "farthest_points",
    "find_shapes",
    "format_up",
    "load_shape",
    "place_points",
    "prepare_points",
    "sample_points",
    "shape_from_points",
    "supported_extensions",
    "to_unit_sphere",
    "to_y_up",
]
