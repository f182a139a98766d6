"""Formats of shapes that are not read, and what makes of them one that is."""

from __future__ import annotations

_BLENDER = "export it as GLB, for one with Blender"
_CAD = "export it as STL or 3MF, for one with FreeCAD"
_VOLUMES = "extract its surface and save it as PLY, for one with ParaView"
_CLOUDS = "save it as PLY or LAS, for one with CloudCompare"

#: Endings, and what to do with files of them.
_REMEDIES = {
    **dict.fromkeys((".blend", ".max", ".ma", ".mb", ".lwo", ".x3d", ".wrl", ".abc"), _BLENDER),
    **dict.fromkeys((".brep", ".fcstd", ".ifc", ".dxf", ".dwg", ".3dm", ".jt", ".x_t", ".x_b", ".sat"), _CAD),
    **dict.fromkeys((".sldprt", ".sldasm", ".prt", ".ipt", ".iam", ".catpart", ".f3d"), "export it as STEP or STL"),
    **dict.fromkeys((".skp", ".c4d", ".zpr", ".ztl", ".vox"), "export it as GLB or OBJ"),
    **dict.fromkeys((".nii", ".dcm", ".mha", ".mhd", ".nrrd"), "extract its surface as STL, for one with 3D Slicer"),
    **dict.fromkeys((".bag", ".pcap", ".mcap"), "export its scans as PCD"),
    **dict.fromkeys((".zip", ".7z", ".rar", ".tar", ".tgz", ".bz2", ".xz"), "unpack it and give what is in it"),
    **dict.fromkeys((".fls", ".rcp", ".rcs", ".zfs"), _CLOUDS),
    **dict.fromkeys((".vti", ".vtr", ".vts", ".vtm", ".pvtp", ".pvtu", ".pvd"), _VOLUMES),
    **dict.fromkeys((".ksplat", ".sog"), "export it as PLY, for one with SuperSplat"),
    **dict.fromkeys(
        (".mat", ".pth", ".pt", ".parquet", ".feather"), "save its points with numpy.save, one cloud a file"
    ),
}


def find_remedy(extension: str) -> str | None:
    """Return what to do with a file of a format that is known but not read, or None for any other ending.

    Examples:
        >>> find_remedy(".ifc")
        'export it as STL or 3MF, for one with FreeCAD'
    """
    return _REMEDIES.get(extension.lower())
