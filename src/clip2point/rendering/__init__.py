"""Rendering: cameras around a shape, depth maps of point clouds, shaded images of meshes."""

from clip2point.rendering.cameras import Cameras, ViewSet
from clip2point.rendering.depth import register_style, render_depth, render_zbuffer, rotate_modelnet
from clip2point.rendering.scene import DepthScene
from clip2point.rendering.views import register_view_set, view_set

__all__ = [
    "Cameras",
    "DepthScene",
    "ViewSet",
    "register_style",
    "register_view_set",
    "render_depth",
    "render_zbuffer",
    "rotate_modelnet",
    "view_set",
]
