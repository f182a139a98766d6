"""Shapes: files and arrays into checked, sampled, normalised point clouds and meshes."""

from clip2point.shapes.companions import Companions
from clip2point.shapes.format_registry import Format, format_up, list_extensions, register_format
from clip2point.shapes.normalise import to_unit_sphere
from clip2point.shapes.orientation import UP_AXES, check_up, to_y_up
from clip2point.shapes.parsed import Parsed
from clip2point.shapes.preparation import ShapeLike, as_shape, place_points, prepare_points
from clip2point.shapes.sampling import farthest_points, sample_points
from clip2point.shapes.shape import Material, Mesh, Shape
from clip2point.shapes.shape_files import check_folder, expand_folders, find_shapes, load_shape, shape_from_points

__all__ = [
    "UP_AXES",
    "Companions",
    "Format",
    "Material",
    "Mesh",
    "Parsed",
    "Shape",
    "ShapeLike",
    "as_shape",
    "check_folder",
    "check_up",
    "expand_folders",
    "farthest_points",
    "find_shapes",
    "format_up",
    "list_extensions",
    "load_shape",
    "place_points",
    "prepare_points",
    "register_format",
    "sample_points",
    "shape_from_points",
    "to_unit_sphere",
    "to_y_up",
]
