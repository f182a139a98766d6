"""Samples: endless parametric shapes of everyday things, and the files, clouds and scans made from them.

Everything here is drawn by this package's own code from a seed, so it is free to use, ship and train on.
Importing this room needs nothing but NumPy.
"""

from clip2point_shapes.catalogue import classes, generate, styles
from clip2point_shapes.export import write_cloud, write_mesh
from clip2point_shapes.folder import SampleFile, write_samples
from clip2point_shapes.scans import one_sided_scan

__all__ = [
    "SampleFile",
    "classes",
    "generate",
    "one_sided_scan",
    "styles",
    "write_cloud",
    "write_mesh",
    "write_samples",
]
