"""USD and USDZ: scenes of meshes, points and simple solids, read by Pixar's library in a child process."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import ShapeError
from clip2point.core.native import Arrays, Limits, require_package, run_native
from clip2point.shapes.companions import Companions
from clip2point.shapes.guards import MAX_INSTANCES, check_count, check_parts, expansion_limit
from clip2point.shapes.parsed import Parsed, Scene
from clip2point.shapes.polygons import cut_polygons
from clip2point.shapes.shape import Material
from clip2point.shapes.solids import make_box, make_capsule, make_cone, make_cylinder
from clip2point.shapes.units import note_size

_STARTS = {b"PXR-USDC": ".usdc", b"#usda 1.": ".usda", b"PK\x03\x04": ".usdz"}
#: Kinds of parts in what the child gives back.
_POLYGONS, _CLOUD, _BOX, _SPHERE, _CYLINDER, _CONE, _CAPSULE = range(7)
_SOLIDS = {"Cube": _BOX, "Sphere": _SPHERE, "Cylinder": _CYLINDER, "Cone": _CONE, "Capsule": _CAPSULE}
#: Rotations that take z to the axis of a solid.
_AXES = {
    "X": ((0, 0, 1), (1, 0, 0), (0, 1, 0)),
    "Y": ((0, 1, 0), (0, 0, 1), (1, 0, 0)),
    "Z": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
}
_UPS = ("y", "z", "x")
#: Prims above one another that are told apart.
_DEEPEST = 32


def read(data: bytes, companions: Companions) -> Parsed:
    """Read the meshes, or else the points, of a stage's first moment, in their places."""
    ending = next((ending for start, ending in _STARTS.items() if data.startswith(start)), None)
    if ending is None:
        raise ShapeError("begins neither as USDA nor as USDC or USDZ: this is no USD file; check its ending")
    require_package("pxr", "reading USD")
    limit = expansion_limit(len(data))
    limits = Limits(seconds=60 + len(data) / 1e6, memory=2 * 1024**3 + 4 * limit)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "stage" + ending)
        path.write_bytes(data)
        found = run_native(f"{__name__}:read_here", b"", limits, path=str(path))
    return _assemble(found)


def _assemble(found: Arrays) -> Parsed:
    """Make a shape of what the child found: the numbers of all parts one after the other, and how many each has."""
    kinds, counts, places = found["kinds"], found["counts"], found["places"]
    check_parts(len(kinds))
    check_count("points", len(found["points"]))
    scene = Scene()
    nodes = _enter_nodes(scene, found)
    starts = np.cumsum(counts, axis=0) - counts
    for i, kind in enumerate(kinds.tolist()):
        (p, c, s), (points, corners, sizes) = starts[i].tolist(), counts[i].tolist()
        values = found["points"][p : p + points]
        look: dict[str, Any] = {}
        if np.isfinite(found["colors"][i]).all():
            look["materials"] = (Material(tuple(found["colors"][i].tolist())),)
        if kind == _POLYGONS:
            cell = found["corners"][c : c + corners].astype(np.int64)
            size = found["sizes"][s : s + sizes].astype(np.int64)
            if int(size.sum()) != len(cell) or size.min(initial=0) < 0:
                raise ShapeError("has faces whose sizes do not fit their corners: the file is damaged; export it again")
            positions, _ = cut_polygons(values, cell, size)
            scene.add(Parsed(values, cell[positions], **look), places[i], nodes[i])
        elif kind == _CLOUD:
            scene.add(Parsed(values), places[i], nodes[i])
        else:
            solid = _make_solid(kind, values.ravel())
            scene.add(Parsed(solid.vertices, solid.faces, **look), places[i], nodes[i])
    scene.notes += ["positions vary with time: read at the first moment"] * bool(found["moving"])
    metres, up = float(found["metres"]), _UPS[int(found["up"])]
    parsed = scene.join(up=up)
    parsed.notes = (*parsed.notes, note_size(parsed.vertices, metres))
    return parsed


def _enter_nodes(scene: Scene, found: Arrays) -> list[int]:
    """Return the number of the node of each part, entered with the prims above it."""
    paths, above = (found[name].tobytes().decode("utf-8", "replace").split("\n") for name in ("paths", "above"))
    places = dict(zip(above, found["above_places"], strict=False))
    numbers: list[int] = []
    for i, path in enumerate(paths):
        words, number = path.strip("/").split("/"), -1
        for depth in range(max(len(words) - _DEEPEST, 1), len(words)):
            prefix = "/" + "/".join(words[:depth])
            number = scene.nodes.enter(prefix, words[depth - 1], number, places.get(prefix, np.eye(4)))
        numbers.append(scene.nodes.enter((path, i), words[-1], number, found["places"][i]))
    return numbers


def _make_solid(kind: int, sizes: NDArray[Any]) -> Parsed:
    radius, length = sizes[:2].tolist()
    if kind == _BOX:
        return make_box((radius, radius, radius))
    if kind == _SPHERE:
        return make_capsule(radius)
    return {_CYLINDER: make_cylinder, _CONE: make_cone, _CAPSULE: make_capsule}[kind](radius, length)


def read_here(payload: bytes, path: str) -> Arrays:
    """Read the parts of a stage; called in the child."""
    from pxr import Usd, UsdGeom

    stage = Usd.Stage.Open(path)
    own = os.path.realpath(path)
    for layer in stage.GetUsedLayers():
        if layer.realPath and not os.path.realpath(layer.realPath).startswith(own):
            raise ShapeError(_elsewhere(layer.identifier))
    for asset in stage.GetRootLayer().GetCompositionAssetDependencies():
        if asset and not path.endswith(".usdz"):
            raise ShapeError(_elsewhere(asset))
    collector = _Collector(stage)
    for prim in _walk(stage):
        collector.add(prim)
    up = {"Y": 0, "Z": 1, "X": 2}.get(str(UsdGeom.GetStageUpAxis(stage)), 0)
    return collector.pack() | {"metres": np.array(UsdGeom.GetStageMetersPerUnit(stage)), "up": np.array(up)}


def _elsewhere(name: str) -> str:
    return f"needs another file, {name[-80:]!r}: put all into one by 'usdcat --flatten FILE -o OUT' or as USDZ"


def _walk(stage: Any) -> Iterator[Any]:
    """Yield the visible prims that are rendered; those of prototypes and point instancers come from these."""
    from pxr import Usd, UsdGeom

    moment = Usd.TimeCode.EarliestTime()
    walk = iter(Usd.PrimRange(stage.GetPseudoRoot(), Usd.TraverseInstanceProxies()))
    for prim in walk:
        image = UsdGeom.Imageable(prim)
        if image and (
            image.ComputePurpose() in (UsdGeom.Tokens.guide, UsdGeom.Tokens.proxy)
            or image.ComputeVisibility(moment) == UsdGeom.Tokens.invisible
        ):
            walk.PruneChildren()
            continue
        if prim.IsA(UsdGeom.PointInstancer):
            walk.PruneChildren()
        yield prim


def _pack_lines(lines: Iterable[str]) -> NDArray[np.uint8]:
    return np.frombuffer("\n".join(lines).encode(), np.uint8)


class _Collector:
    """Parts as flat arrays."""

    def __init__(self, stage: Any) -> None:
        from pxr import Usd, UsdGeom

        self._stage = stage
        self._moment = Usd.TimeCode.EarliestTime()
        self._cache = UsdGeom.XformCache(self._moment)
        self._arrays: dict[str, list[NDArray[Any]]] = {name: [] for name in ("points", "corners", "sizes")}
        self._kinds: list[int] = []
        self._counts: list[tuple[int, int, int]] = []
        self._places: list[NDArray[np.float64]] = []
        self._colors: list[tuple[float, ...]] = []
        self._moving = False
        self._paths: list[str] = []
        self._above: dict[str, NDArray[np.float64]] = {}

    def add(self, prim: Any, above: NDArray[np.float64] | None = None) -> None:
        """Add a prim if it is a shape; ``above`` is its place if a point instancer put it there."""
        from pxr import UsdGeom

        place = np.array(self._cache.GetLocalToWorldTransform(prim)).T if above is None else above
        if len(self._kinds) > MAX_INSTANCES:
            return
        if prim.IsA(UsdGeom.Mesh):
            mesh = UsdGeom.Mesh(prim)
            corners, sizes = self._get(mesh.GetFaceVertexIndicesAttr()), self._get(mesh.GetFaceVertexCountsAttr())
            holes = self._get(mesh.GetHoleIndicesAttr()).astype(np.int64)
            if len(holes) and holes.min() >= 0 and holes.max() < len(sizes):
                kept = np.ones(len(sizes), bool)
                kept[holes] = False
                corners, sizes = corners[np.repeat(kept, sizes)], sizes[kept]
            self._append(prim, _POLYGONS, place, self._get(mesh.GetPointsAttr()), corners, sizes)
        elif prim.IsA(UsdGeom.Points):
            self._append(prim, _CLOUD, place, self._get(UsdGeom.Points(prim).GetPointsAttr()))
        elif prim.GetTypeName() in _SOLIDS:
            self._add_solid(prim, place)
        elif prim.IsA(UsdGeom.PointInstancer):
            self._add_instances(prim, place)

    def _add_solid(self, prim: Any, place: NDArray[np.float64]) -> None:
        kind = _SOLIDS[prim.GetTypeName()]
        names = ("size", "size") if kind == _BOX else ("radius", "radius") if kind == _SPHERE else ("radius", "height")
        sizes = [float(prim.GetAttribute(name).Get(self._moment)) for name in names]
        if kind in (_CYLINDER, _CONE, _CAPSULE):
            turn = np.eye(4)
            turn[:3, :3] = _AXES[str(prim.GetAttribute("axis").Get(self._moment))]
            place = place @ turn
        self._append(prim, kind, place, np.array([[*sizes, 0]]))

    def _add_instances(self, prim: Any, place: NDArray[np.float64]) -> None:
        from pxr import Usd, UsdGeom

        instancer = UsdGeom.PointInstancer(prim)
        moments = (self._moment, self._moment)
        transforms = np.array(instancer.ComputeInstanceTransformsAtTime(*moments)).reshape(-1, 4, 4)
        targets = instancer.GetPrototypesRel().GetForwardedTargets()
        for transform, index in zip(transforms, self._get(instancer.GetProtoIndicesAttr()).tolist(), strict=False):
            root = self._stage.GetPrimAtPath(targets[index])
            back = np.linalg.inv(np.array(self._cache.GetParentToWorldTransform(root)).T)
            for child in Usd.PrimRange(root, Usd.TraverseInstanceProxies()):
                if not child.IsA(UsdGeom.PointInstancer):  # one within another would need as many passes
                    local = back @ np.array(self._cache.GetLocalToWorldTransform(child)).T
                    own = np.linalg.inv(np.array(self._cache.GetLocalTransformation(root)[0]).T)
                    self.add(child, place @ transform.T @ own @ local)

    def _append(
        self, prim: Any, kind: int, place: NDArray[np.float64], points: Any, corners: Any = (), sizes: Any = ()
    ) -> None:
        if not len(points):
            return
        self._kinds.append(kind)
        self._places.append(place)
        self._note_path(prim)
        self._colors.append(self._color(prim))
        self._counts.append((len(points), len(corners), len(sizes)))
        self._arrays["points"].append(np.asarray(points, np.float64).reshape(-1, 3))
        self._arrays["corners"].append(np.asarray(corners, np.int32).ravel())
        self._arrays["sizes"].append(np.asarray(sizes, np.int32).ravel())

    def _note_path(self, prim: Any) -> None:
        """Keep the path of a prim, and the places of those above it."""
        self._paths.append(str(prim.GetPath()))
        above = prim.GetParent()
        while above and not above.IsPseudoRoot() and str(above.GetPath()) not in self._above:
            self._above[str(above.GetPath())] = np.array(self._cache.GetLocalToWorldTransform(above)).T
            above = above.GetParent()

    def _get(self, attribute: Any) -> NDArray[Any]:
        value = attribute.Get(self._moment)
        self._moving |= attribute.GetNumTimeSamples() > 1
        return np.zeros(0) if value is None else np.asarray(value)

    def _color(self, prim: Any) -> tuple[float, ...]:
        """Return the constant colour of a prim or of its material, or NaN."""
        from pxr import UsdGeom, UsdShade

        values: Any = UsdGeom.Gprim(prim).GetDisplayColorAttr().Get(self._moment)
        color = values[0] if values is not None and len(values) == 1 else None
        material, _ = UsdShade.MaterialBindingAPI(prim).ComputeBoundMaterial()
        shader = material.ComputeSurfaceSource()[0] if material else None
        wanted = shader.GetInput("diffuseColor") if shader else None
        if wanted and not wanted.HasConnectedSource() and wanted.Get() is not None:
            color = wanted.Get()
        return (np.nan,) * 4 if color is None else (*(min(max(float(level), 0.0), 1.0) for level in color[:3]), 1.0)

    def pack(self) -> Arrays:
        """Return all parts as arrays."""
        if not self._kinds:
            raise ShapeError("holds no meshes, points or solids that are shown: expected a scene with some")
        return {
            "kinds": np.array(self._kinds),
            "counts": np.array(self._counts),
            "places": np.array(self._places),
            "colors": np.array(self._colors),
            "moving": np.array(self._moving),
            "paths": _pack_lines(self._paths),
            "above": _pack_lines(self._above),
            "above_places": np.array(list(self._above.values())).reshape(-1, 4, 4),
            **{name: np.concatenate(arrays) for name, arrays in self._arrays.items()},
        }
