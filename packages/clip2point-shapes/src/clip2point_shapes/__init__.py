"""Parametric shapes of everyday things, drawn from a seed, and the files, clouds and scans made from them.

Everything here is drawn by this package's own code, so it is free to use, ship and train on. Importing it needs nothing
but NumPy.
"""

from clip2point_shapes.catalogue import generate, list_classes, list_styles
from clip2point_shapes.compositions import Composition, compose, scan_composition, write_scenes
from clip2point_shapes.export import write_cloud, write_mesh
from clip2point_shapes.folder import SampleFile, ShapeFile, write_samples, write_shapes
from clip2point_shapes.scans import scan_one_side

__all__ = [
    "Composition",
    "SampleFile",
    "ShapeFile",
    "compose",
    "generate",
    "list_classes",
    "list_styles",
    "scan_composition",
    "scan_one_side",
    "write_cloud",
    "write_mesh",
    "write_samples",
    "write_scenes",
    "write_shapes",
]
