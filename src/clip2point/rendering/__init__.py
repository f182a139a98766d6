"""Rendering: cameras around a shape, depth maps of point clouds, shaded images of meshes."""

from clip2point.rendering.depth import STYLES, render_depth, render_zbuffer, rotate_modelnet
from clip2point.rendering.views import Cameras, ViewSet, view_set

__all__ = ["STYLES", "Cameras", "ViewSet", "render_depth", "render_zbuffer", "rotate_modelnet", "view_set"]
