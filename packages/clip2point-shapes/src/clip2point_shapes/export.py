"""Writing meshes and clouds to files, whole or not at all."""

from __future__ import annotations

import io
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import OptionError
from clip2point.core.files import replacing
from clip2point.shapes.glb import FLOAT, INTEGER, pack_glb
from clip2point.shapes.shape import Mesh

Float32 = NDArray[np.float32]


def write_mesh(mesh: Mesh, path: str | Path) -> None:
    """Write a mesh as .off, .obj (with its .mtl), .ply (binary), .stl (binary) or .glb, by the name's ending.

    Geometry is written as it stands, base colours where the format has them (all but .off and .stl); textures
    and vertex colours are not. The file appears under its name only when it is complete.

    Args:
        mesh: Any mesh. For .glb it must be y-up, which that format demands.
        path: File to write; its folder is created if missing.

    Raises:
        OptionError: The ending is not one of these or the file cannot be written.

    Examples:
        >>> from tempfile import mkdtemp
        >>> from clip2point_shapes import generate
        >>> write_mesh(generate("lamp"), Path(mkdtemp()) / "lamp.glb")
    """
    path = Path(path)
    if path.suffix.lower() == ".obj":
        library = path.with_suffix(".mtl")
        _save(library, _mtl(mesh))
        _save(path, _obj(mesh, library.name))
        return
    _save(path, _writer(path, _MESH_WRITERS, (".obj",))(mesh))


def write_cloud(points: NDArray[np.floating], path: str | Path) -> None:
    """Write points [N, 3] as .ply (binary), .xyz, .pcd (binary), .npy or .npz (array ``points``).

    Args:
        points: Points [N, 3], any unit; stored as float32.
        path: File to write; its folder is created if missing.

    Raises:
        OptionError: The ending is not one of these, the array is not [N, 3] or the file cannot be written.

    Examples:
        >>> from tempfile import mkdtemp
        >>> file = Path(mkdtemp()) / "cloud.npy"
        >>> write_cloud(np.zeros((5, 3)), file)
        >>> np.load(file).dtype
        dtype('float32')
    """
    path = Path(path)
    if points.ndim != 2 or points.shape[1] != 3:
        raise OptionError(f"{path}: expected points as [N, 3], got {list(points.shape)}")
    _save(path, _writer(path, _CLOUD_WRITERS)(np.ascontiguousarray(points, dtype="<f4")))


def write_text(text: str, path: Path) -> None:
    """Write a UTF-8 text file, whole or not at all (OptionError if that fails)."""
    _save(path, text.encode())


def _writer(path: Path, writers: dict[str, Callable[..., bytes]], others: tuple[str, ...] = ()) -> Callable[..., bytes]:
    if path.suffix.lower() not in writers:
        known = ", ".join(sorted((*writers, *others)))
        raise OptionError(f"{path}: cannot write {path.suffix or 'a file without ending'}: expected one of {known}")
    return writers[path.suffix.lower()]


def _save(path: Path, data: bytes) -> None:
    """Write a file, whole or not at all."""
    try:
        with replacing(path) as unfinished:
            unfinished.write_bytes(data)
    except OSError as error:
        raise OptionError(f"{path}: cannot write the file ({error.strerror})") from error


def _rows(template: str, rows: NDArray[np.generic]) -> str:
    return "\n".join(template % tuple(row) for row in rows.tolist()) + "\n"


def _off(mesh: Mesh) -> bytes:
    head = f"OFF\n{len(mesh.vertices)} {len(mesh.faces)} 0\n"
    return (head + _rows("%.6g %.6g %.6g", mesh.vertices) + _rows("3 %d %d %d", mesh.faces)).encode()


def _obj(mesh: Mesh, library: str) -> bytes:
    lines = [f"mtllib {library}\n", _rows("v %.6g %.6g %.6g", mesh.vertices)]
    for index in range(len(mesh.materials)):
        faces = mesh.faces[mesh.face_materials == index]
        if len(faces):
            lines += [f"usemtl material_{index}\n", _rows("f %d %d %d", faces + 1)]
    return "".join(lines).encode()


def _mtl(mesh: Mesh) -> bytes:
    entries = []
    for index, material in enumerate(mesh.materials):
        red, green, blue, alpha = material.color
        entries.append(f"newmtl material_{index}\nKd {red:.3f} {green:.3f} {blue:.3f}\nd {alpha:.3f}\n")
    return "\n".join(entries).encode()


def _ply_mesh(mesh: Mesh) -> bytes:
    head = (
        "ply\nformat binary_little_endian 1.0\n"
        f"element vertex {len(mesh.vertices)}\nproperty float x\nproperty float y\nproperty float z\n"
        f"element face {len(mesh.faces)}\nproperty list uchar int vertex_indices\n"
        "property uchar red\nproperty uchar green\nproperty uchar blue\nproperty uchar alpha\nend_header\n"
    )
    faces = np.empty(len(mesh.faces), dtype=[("count", "u1"), ("corners", "<i4", 3), ("color", "u1", 4)])
    faces["count"] = 3
    faces["corners"] = mesh.faces
    palette = np.array([material.color for material in mesh.materials])
    faces["color"] = np.round(255 * palette)[mesh.face_materials]
    return head.encode() + mesh.vertices.astype("<f4").tobytes() + faces.tobytes()


def _stl(mesh: Mesh) -> bytes:
    records = np.zeros(len(mesh.faces), dtype=[("normal", "<f4", 3), ("corners", "<f4", (3, 3)), ("unused", "<u2")])
    corners = mesh.vertices[mesh.faces]
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    records["normal"] = normals / np.where(length > 0, length, 1.0)
    records["corners"] = corners
    return b"binary STL".ljust(80, b" ") + struct.pack("<I", len(records)) + records.tobytes()


def _glb(mesh: Mesh) -> bytes:
    """One node, one mesh, one primitive for each material; all primitives share the vertices."""
    vertices = mesh.vertices.astype("<f4")
    used = [index for index in range(len(mesh.materials)) if (mesh.face_materials == index).any()]
    chunks = [vertices.tobytes(), *(mesh.faces[mesh.face_materials == index].astype("<u4").tobytes() for index in used)]
    low, high = vertices.min(axis=0).tolist(), vertices.max(axis=0).tolist()
    accessors: list[dict[str, object]] = [
        {"bufferView": 0, "componentType": FLOAT, "count": len(vertices), "type": "VEC3", "min": low, "max": high}
    ]
    for view, chunk in enumerate(chunks[1:], start=1):
        accessors.append({"bufferView": view, "componentType": INTEGER, "count": len(chunk) // 4, "type": "SCALAR"})
    materials = []
    for index in used:
        color = list(mesh.materials[index].color)
        surface = {"baseColorFactor": color, "metallicFactor": 0.0, "roughnessFactor": 0.8}
        materials.append({"pbrMetallicRoughness": surface, "alphaMode": "OPAQUE" if color[3] == 1 else "BLEND"})
    primitives = [
        {"attributes": {"POSITION": 0}, "indices": number + 1, "material": number} for number in range(len(used))
    ]
    return pack_glb(primitives, accessors, chunks, materials)


def _ply_cloud(points: Float32) -> bytes:
    head = (
        "ply\nformat binary_little_endian 1.0\n"
        f"element vertex {len(points)}\nproperty float x\nproperty float y\nproperty float z\nend_header\n"
    )
    return head.encode() + points.tobytes()


def _xyz(points: Float32) -> bytes:
    return _rows("%.6g %.6g %.6g", points).encode()


def _pcd(points: Float32) -> bytes:
    head = (
        "# .PCD v0.7 - Point Cloud Data file format\nVERSION 0.7\nFIELDS x y z\nSIZE 4 4 4\nTYPE F F F\n"
        f"COUNT 1 1 1\nWIDTH {len(points)}\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\nPOINTS {len(points)}\nDATA binary\n"
    )
    return head.encode() + points.tobytes()


def _npy(points: Float32) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, points)
    return buffer.getvalue()


def _npz(points: Float32) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        # A fixed date, unlike np.savez: the same points give the same bytes.
        archive.writestr(zipfile.ZipInfo("points.npy"), _npy(points))
    return buffer.getvalue()


_MESH_WRITERS: dict[str, Callable[..., bytes]] = {".off": _off, ".ply": _ply_mesh, ".stl": _stl, ".glb": _glb}
_CLOUD_WRITERS: dict[str, Callable[..., bytes]] = {
    ".ply": _ply_cloud,
    ".xyz": _xyz,
    ".pcd": _pcd,
    ".npy": _npy,
    ".npz": _npz,
}
