"""Small, valid files of every format, where possible written by other programs, to check our readers by them."""

import gzip
import struct
from collections.abc import Callable
from pathlib import Path

import laspy
import numpy as np
import trimesh
from PIL import Image

# A box with sides of different lengths, away from the origin: no axis or corner can be taken for another.
VERTICES = np.array([[x, y, z] for x in (0.5, 1.5) for y in (-2.0, 0.25) for z in (3.0, 6.5)], dtype=np.float32)
FACES = np.array(
    [
        *([0, 1, 3], [0, 3, 2], [4, 6, 7], [4, 7, 5], [0, 4, 5], [0, 5, 1]),
        *([2, 3, 7], [2, 7, 6], [0, 2, 6], [0, 6, 4], [1, 5, 7], [1, 7, 3]),
    ]
)
UV = np.linspace(0, 1, 16, dtype=np.float32).reshape(8, 2)
COLORS = np.arange(24, dtype=np.uint8).reshape(8, 3) * 10 + 5
CLOUD = np.random.default_rng(0).normal(size=(40, 3)).astype(np.float32)
TEXTURE = np.arange(4 * 6 * 3, dtype=np.uint8).reshape(4, 6, 3) * 3


def box() -> trimesh.Trimesh:
    return trimesh.Trimesh(VERTICES, FACES, process=False)


def box_with_texture() -> trimesh.Trimesh:
    material = trimesh.visual.material.PBRMaterial(
        baseColorTexture=Image.fromarray(TEXTURE), baseColorFactor=[255, 255, 255, 255]
    )
    mesh = box()
    mesh.visual = trimesh.visual.TextureVisuals(uv=UV, material=material)
    return mesh


def write_off(path: Path) -> None:
    lines = ["OFF", f"{len(VERTICES)} {len(FACES)} 0"]
    lines += [" ".join(map(str, vertex)) for vertex in VERTICES.tolist()]
    lines += [" ".join(map(str, (3, *face))) for face in FACES.tolist()]
    path.write_text("\n".join(lines) + "\n")


def write_coff(path: Path) -> None:
    lines = ["COFF", "4 3 0", "0 0 0 255 0 0 255", "1 0 0 0 255 0 255", "1 1 0 0 0 255 255", "0 1 1 9 9 9 255"]
    lines += ["4 0 1 2 3 0.5 0.5 0.5", "3 0 1 2", "3 0 2 3"]
    path.write_text("\n".join(lines) + "\n")


def write_off_gz(path: Path) -> None:
    write_off(path)
    path.write_bytes(gzip.compress(path.read_bytes(), mtime=0))


def write_obj(path: Path) -> None:
    Image.fromarray(TEXTURE).save(path.parent / "skin.png")
    (path.parent / "box.mtl").write_text("newmtl painted\nKd 1 1 1\nmap_Kd skin.png\nnewmtl red\nKd 1 0 0\nd 0.5\n")
    lines = ["mtllib box.mtl"]
    lines += ["v " + " ".join(map(str, vertex)) for vertex in VERTICES.tolist()]
    lines += ["vt " + " ".join(map(str, uv)) for uv in UV.tolist()]
    for i, face in enumerate((FACES + 1).tolist()):
        lines += ["usemtl painted"] * (i == 0) + ["usemtl red"] * (i == 8)
        lines.append("f " + " ".join(f"{corner}/{corner}" for corner in face))
    path.write_text("\n".join(lines) + "\n")


def write_obj_quads(path: Path) -> None:
    lines = ["v 0 0 0", "v 1 0 0", "v 1 1 0", "v 0 1 0.5", "v 2 2 2", "f -5 -4 -3 -2", "vn 0 0 1", "f 1//1 2//1 5//1"]
    path.write_text("\n".join(lines) + "\n")


def write_ply_text(path: Path) -> None:
    mesh = box()
    mesh.visual.vertex_colors = COLORS
    path.write_bytes(trimesh.exchange.ply.export_ply(mesh, encoding="ascii"))


def write_ply_binary(path: Path) -> None:
    path.write_bytes(trimesh.exchange.ply.export_ply(box()))


def write_ply_mixed(path: Path) -> None:
    header = "ply\nformat binary_big_endian 1.0\nelement vertex 5\nproperty double x\nproperty double y\n"
    header += "property double z\nelement face 2\nproperty list uchar int vertex_indices\nend_header\n"
    vertices = np.array([[0, 0, 0], [1, 0, 0], [1, 1, 0], [0, 1, 0], [0, 0, 2]], dtype=">f8")
    faces = struct.pack(">B4iB3i", 4, 0, 1, 2, 3, 3, 0, 1, 4)
    path.write_bytes(header.encode() + vertices.tobytes() + faces)


def write_ply_cloud(path: Path) -> None:
    path.write_bytes(trimesh.exchange.ply.export_ply(trimesh.PointCloud(CLOUD)))


def _make_exporter(kind: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        path.write_bytes(_as_bytes(box().export(file_type=kind)))

    return write


def _as_bytes(data: str | bytes) -> bytes:
    return data.encode() if isinstance(data, str) else data


def write_glb(path: Path) -> None:
    path.write_bytes(box_with_texture().export(file_type="glb"))


def write_gltf(path: Path) -> None:
    for name, data in trimesh.exchange.gltf.export_gltf(box_with_texture().scene()).items():
        (path if name.endswith(".gltf") else path.parent / name).write_bytes(data)


def write_pcd(style: str) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        header = "# .PCD v0.7\nVERSION 0.7\nFIELDS x y z rgb _\nSIZE 4 4 4 4 1\nTYPE F F F U U\n"
        header += f"COUNT 1 1 1 1 2\nWIDTH {len(CLOUD)}\nHEIGHT 1\nVIEWPOINT 0 0 0 1 0 0 0\n"
        header += f"POINTS {len(CLOUD)}\nDATA {style}\n"
        dtype = np.dtype([("p", "<f4", 3), ("rgb", "<u4"), ("_", "u1", 2)])
        rows = np.zeros(len(CLOUD), dtype)
        rows["p"] = CLOUD
        if style == "ascii":
            body = "\n".join(" ".join(map(str, (*point, 77, 0, 0))) for point in CLOUD.tolist()).encode()
        elif style == "binary":
            body = rows.tobytes()
        else:
            plain = CLOUD.T.tobytes() + rows["rgb"].tobytes() + rows["_"].tobytes()
            packed = lzf_compress(plain)
            body = struct.pack("<II", len(packed), len(plain)) + packed
        path.write_bytes(header.encode() + body)

    return write


def lzf_compress(data: bytes) -> bytes:
    """Compress with LZF: zeros as repeats of the byte before, all else as it is."""
    out = bytearray()
    place = 0
    while place < len(data):
        run = 0
        while place and place + run < len(data) and run < 264 and data[place + run] == data[place - 1]:
            run += 1
        if run >= 9:
            out += bytes([7 << 5, run - 9, 0])
            place += run
        elif run >= 3:
            out += bytes([(run - 2) << 5, 0])
            place += run
        else:
            out += bytes([0, data[place]])
            place += 1
    return bytes(out)


def write_text(delimiter: str, header: str = "", extra: bool = True) -> Callable[[Path], None]:
    def write(path: Path) -> None:
        rows = [(*point, 0.0, 1.0, 0.0) if extra else point for point in CLOUD.tolist()]
        path.write_text(header + "".join(delimiter.join(map(str, row)) + "\n" for row in rows))

    return write


def write_npz(path: Path) -> None:
    np.savez_compressed(path, points=CLOUD, labels=np.arange(3))


def write_las(path: Path) -> None:
    las = laspy.LasData(laspy.LasHeader(point_format=3, version="1.2"))
    las.header.scales, las.header.offsets = [0.001] * 3, [0.0] * 3
    las.x, las.y, las.z = CLOUD.astype(np.float64).T
    las.write(path)


def write_ac3d(path: Path) -> None:
    """The box as two objects, the second in a group that is moved, painted, with a line and a strip of TORCS's."""
    Image.fromarray(TEXTURE).save(path.parent / "skin.png")
    lines = ["AC3Db", 'MATERIAL "red paint" rgb 1 0 0  amb 0 0 0  emis 0 0 0  spec 0 0 0  shi 9  trans 0.25']
    lines += ["OBJECT world", "kids 2"]
    lines += ["OBJECT poly", 'name "half"', "data 13", "kids 9", "SURF ", 'texture "skin.png"', "numvert 8"]
    lines += [" ".join(map(str, vertex)) for vertex in VERTICES.tolist()]
    lines += ["numsurf 6"]
    for face in FACES[:6].tolist():
        lines += ["SURF 0x20", "mat 0", "refs 3", *(f"{i} {UV[i][0]} {UV[i][1]}" for i in face)]
    lines += ["kids 0", "OBJECT group", "loc 0 10 0", "kids 1", "OBJECT poly", "loc 0 -10 0", "numvert 8"]
    lines += [" ".join(map(str, vertex)) for vertex in VERTICES.tolist()]
    lines += ["numsurf 6", "SURF 0x02", "mat 0", "refs 2", "0 0 0", "7 0 0"]
    lines += ["SURF 0x14", "mat 0", "refs 4", *(f"{i} 0 0" for i in (3, 2, 7, 6))]
    for face in FACES[8:].tolist():
        lines += ["SURF 0x10", "mat 0", "refs 3", *(f"{i} 0 0" for i in face)]
    path.write_text("\n".join([*lines, "kids 0", ""]))


#: A file name, and what writes it.
SAMPLES: dict[str, Callable[[Path], None]] = {
    "box.off": write_off,
    "colored.off": write_coff,
    "box.off.gz": write_off_gz,
    "box.obj": write_obj,
    "quads.obj": write_obj_quads,
    "text.ply": write_ply_text,
    "binary.ply": write_ply_binary,
    "mixed.ply": write_ply_mixed,
    "cloud.ply": write_ply_cloud,
    "text.stl": _make_exporter("stl_ascii"),
    "binary.stl": _make_exporter("stl"),
    "box.glb": write_glb,
    "box.gltf": write_gltf,
    "box.dae": _make_exporter("dae"),
    "box.ac": write_ac3d,
    "box.3mf": _make_exporter("3mf"),
    "text.pcd": write_pcd("ascii"),
    "binary.pcd": write_pcd("binary"),
    "compressed.pcd": write_pcd("binary_compressed"),
    "cloud.xyz": write_text(" "),
    "cloud.txt": write_text(","),
    "cloud.csv": write_text(";", "x;y;z;nx;ny;nz\n"),
    "cloud.pts": write_text(" ", f"{len(CLOUD)}\n", extra=False),
    "cloud.npy": lambda path: np.save(path, CLOUD),
    "cloud.npz": write_npz,
    "cloud.las": write_las,
    "cloud.laz": write_las,
}


def write_sample(name: str, folder: Path) -> Path:
    """Write the sample ``name`` into ``folder`` and return its path."""
    path = folder / name
    SAMPLES[name](path)
    return path
