"""Compiled kernels behind ``clip2point.rendering.shaded``: normals, visibility and Phong shading of triangles.

Everything here works on plain arrays that ``shaded`` has checked; nothing here checks again. Image positions count
samples (pixels, or parts of pixels): sample (column i, row j) sits at x = i, y = j, with x to the right and y down.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numba import njit, prange
from numpy.typing import NDArray

#: Corners nearer than this to the plane of the camera, or this many samples outside the image, are out of view. Faces
#: with such a corner are dropped; nothing in the unit sphere has one unless the camera almost touches it.
NEAR, FAR_OUTSIDE = 1e-3, 2.0**16

#: Corners snap to 1/256 of a sample. On that grid, and within FAR_OUTSIDE, edge functions are exact in float64: two
#: triangles with a common edge agree on which side of it every sample lies, and no crack can open between them.
SUBSAMPLES = 256.0

#: Back faces count as this much farther away (relative depth): many models hold each face twice, once with either
#: winding, and the one that is meant to be seen from here should win.
BACK_FACE_BIAS = 1e-4

#: A position shared by more faces than this keeps flat normals, which bounds the cost of a hostile mesh.
MAX_FAN = 256

#: What ``face_layers`` says of a face.
OPAQUE, SEE_THROUGH, INVISIBLE = 0, 1, 2


class MeshScene(NamedTuple):
    """A mesh laid out for the kernels: M vertices, F faces, K materials, L texture levels.

    Attributes:
        vertices: [M, 3] float32, in the unit sphere.
        faces: [F, 3] int32.
        face_layers: [F] uint8: OPAQUE, SEE_THROUGH or INVISIBLE.
        normals: [F, 3, 3] float32, unit normal of each corner of each face.
        face_materials: [F] int32.
        uv: [M, 2] float32.
        vertex_colors: [M, 3] uint8, or [0, 3] if there are none.
        material_colors: [K, 4] float64 in [0, 1].
        mips: [K, L, 3] int64: offset in ``texels``, height and width of each level of a material's texture; height 0
            for a level that does not exist.
        texels: uint8 array of all textures, concatenated.
    """

    vertices: NDArray[np.float32]
    faces: NDArray[np.int32]
    face_layers: NDArray[np.uint8]
    normals: NDArray[np.float32]
    face_materials: NDArray[np.int32]
    uv: NDArray[np.float32]
    vertex_colors: NDArray[np.uint8]
    material_colors: NDArray[np.float64]
    mips: NDArray[np.int64]
    texels: NDArray[np.uint8]


@njit(cache=True, error_model="numpy")
def corner_normals(
    vertices: NDArray[np.float32], faces: NDArray[np.int32], positions: NDArray[np.int64], cos_crease: float
) -> NDArray[np.float32]:
    """Compute one normal for each corner of each face: smooth over gentle bends, split at creases.

    A corner's normal is the area-weighted mean over those faces at its position that bend away from its own face by
    less than the crease angle. Neighbours of opposite winding are turned over first.

    Args:
        vertices: [M, 3].
        faces: [F, 3].
        positions: [M] numbers of the vertices' positions, so that split vertices still meet.
        cos_crease: Cosine of the crease angle.

    Returns:
        [F, 3, 3] unit normals (face, corner, axis), zero where a face has no area.
    """
    flat, areas = _face_normals(vertices, faces)
    start, around = _faces_around(faces, positions)
    normals = np.empty((len(faces), 3, 3), np.float32)
    for f in range(len(faces)):
        for c in range(3):
            p = positions[faces[f, c]]
            x, y, z = flat[f, 0], flat[f, 1], flat[f, 2]
            if start[p + 1] - start[p] <= MAX_FAN:
                x = y = z = 0.0
                for i in range(start[p], start[p + 1]):
                    g = around[i]
                    cos = flat[f, 0] * flat[g, 0] + flat[f, 1] * flat[g, 1] + flat[f, 2] * flat[g, 2]
                    weight = math.copysign(areas[g], cos) if abs(cos) >= cos_crease else 0.0
                    x += weight * flat[g, 0]
                    y += weight * flat[g, 1]
                    z += weight * flat[g, 2]
            length = math.sqrt(x * x + y * y + z * z)
            scale = 1.0 / length if length > 0 else 0.0
            normals[f, c, 0], normals[f, c, 1], normals[f, c, 2] = x * scale, y * scale, z * scale
    return normals


@njit(cache=True, error_model="numpy")
def _face_normals(
    vertices: NDArray[np.float32], faces: NDArray[np.int32]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return unit normals [F, 3], zero for faces without area, and twice the areas [F]."""
    normals, areas = np.zeros((len(faces), 3)), np.zeros(len(faces))
    for f in range(len(faces)):
        corner = vertices[faces[f, 0]].astype(np.float64)
        normal = np.cross(vertices[faces[f, 1]] - corner, vertices[faces[f, 2]] - corner)
        areas[f] = np.sqrt(np.sum(normal * normal))
        if areas[f] > 0:
            normals[f] = normal / areas[f]
    return normals, areas


@njit(cache=True, error_model="numpy")
def _faces_around(
    faces: NDArray[np.int32], positions: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """List the faces at each position p: ``around[start[p]:start[p + 1]]``."""
    start = np.zeros(len(positions) + 1, np.int64)
    for f in range(len(faces)):
        for c in range(3):
            start[positions[faces[f, c]] + 1] += 1
    start = np.cumsum(start)
    around, filled = np.empty(3 * len(faces), np.int64), start.copy()
    for f in range(len(faces)):
        for c in range(3):
            p = positions[faces[f, c]]
            around[filled[p]] = f
            filled[p] += 1
    return start, around


@njit(cache=True, error_model="numpy")
def _project(
    vertices: NDArray[np.float32], rotation: NDArray[np.float32], distance: float, focal: float, size: int
) -> NDArray[np.float64]:
    """Return [M, 3]: column and row in samples and one over the view depth, all 0 where out of view."""
    screen = np.zeros((len(vertices), 3), np.float64)
    half = 0.5 * size
    for i in range(len(vertices)):
        x, y, z = 0.0, 0.0, distance
        for k in range(3):
            x += vertices[i, k] * rotation[k, 0]
            y += vertices[i, k] * rotation[k, 1]
            z += vertices[i, k] * rotation[k, 2]
        if z > NEAR:
            column = (1.0 - focal * x / z) * half - 0.5
            row = (1.0 - focal * y / z) * half - 0.5
            if abs(column) < FAR_OUTSIDE and abs(row) < FAR_OUTSIDE:
                screen[i, 0] = math.floor(column * SUBSAMPLES + 0.5) / SUBSAMPLES
                screen[i, 1] = math.floor(row * SUBSAMPLES + 0.5) / SUBSAMPLES
                screen[i, 2] = 1.0 / z
    return screen


@njit(cache=True, error_model="numpy")
def _edges(screen: NDArray[np.float64], a: int, b: int, c: int, out: NDArray[np.float64]) -> tuple[float, bool]:
    """Fill ``out`` [3, 3] with a triangle's edge functions; return twice its area and whether its back is seen.

    Edge function k, out[k] . (x, y, 1), is zero on the edge opposite to corner k, positive inside, and at corner k
    equals twice the area: divided by that it is the barycentric weight of corner k.
    """
    for k, i, j in ((0, b, c), (1, c, a), (2, a, b)):
        out[k, 0] = screen[i, 1] - screen[j, 1]
        out[k, 1] = screen[j, 0] - screen[i, 0]
        out[k, 2] = -(out[k, 0] * screen[i, 0] + out[k, 1] * screen[i, 1])
    area = out[2, 0] * screen[c, 0] + out[2, 1] * screen[c, 1] + out[2, 2]
    # Rows run downwards, so a counter-clockwise (front) face comes out negative.
    if area < 0:
        for k in range(3):
            out[k, 0], out[k, 1], out[k, 2] = -out[k, 0], -out[k, 1], -out[k, 2]
        return -area, False
    return area, True


@njit(cache=True, error_model="numpy")
def _whole_between(x: float, y: float, z: float, size: int) -> tuple[int, int]:
    """Return the first and last of the samples 0 ... size - 1 between the least and the greatest of three numbers."""
    return max(math.ceil(min(x, y, z)), 0), min(math.floor(max(x, y, z)), size - 1)


@njit(cache=True, error_model="numpy")
def _span(edges: NDArray[np.float64], row: int, left: int, right: int) -> tuple[int, int]:
    """Return the first and last of a row's samples, from left to right, that lie in a triangle or on its edge.

    On the grid of corners a quotient that is not whole cannot round to an integer, so this is exact.
    """
    first, last = float(left), float(right)
    for k in range(3):
        slope, at_zero = edges[k, 0], edges[k, 1] * row + edges[k, 2]
        if slope > 0:
            first = max(first, np.ceil(-at_zero / slope))
        elif slope < 0:
            last = min(last, np.floor(-at_zero / slope))
        elif at_zero < 0:
            return 0, -1
    return (int(first), int(last)) if first <= last else (0, -1)


@njit(cache=True, error_model="numpy")
def _rasterise(
    screen: NDArray[np.float64],
    faces: NDArray[np.int32],
    face_layers: NDArray[np.uint8],
    layer: int,
    inverse_depth: NDArray[np.float32],
    nearest: NDArray[np.int32],
) -> None:
    """Write a layer's nearest face into ``nearest`` [S, S] wherever it is nearer than ``inverse_depth`` [S, S]."""
    size = len(nearest)
    edges = np.empty((3, 3), np.float64)
    for f in range(len(faces)):
        a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
        if face_layers[f] != layer or min(screen[a, 2], screen[b, 2], screen[c, 2]) == 0:
            continue
        left, right = _whole_between(screen[a, 0], screen[b, 0], screen[c, 0], size)
        top, bottom = _whole_between(screen[a, 1], screen[b, 1], screen[c, 1], size)
        if left > right or top > bottom:
            continue
        area, back = _edges(screen, a, b, c, edges)
        if area == 0:
            continue
        # One over the depth is linear in the image.
        wa, wb, wc = screen[a, 2] / area, screen[b, 2] / area, screen[c, 2] / area
        if back:
            wa, wb, wc = wa * (1 - BACK_FACE_BIAS), wb * (1 - BACK_FACE_BIAS), wc * (1 - BACK_FACE_BIAS)
        by_column = wa * edges[0, 0] + wb * edges[1, 0] + wc * edges[2, 0]
        by_row = wa * edges[0, 1] + wb * edges[1, 1] + wc * edges[2, 1]
        at_origin = wa * edges[0, 2] + wb * edges[1, 2] + wc * edges[2, 2]
        for row in range(top, bottom + 1):
            first, last = _span(edges, row, left, right)
            at_row = by_row * row + at_origin
            for column in range(first, last + 1):
                value = np.float32(by_column * column + at_row)
                if value > inverse_depth[row, column]:
                    inverse_depth[row, column] = value
                    nearest[row, column] = f


@njit(cache=True, error_model="numpy")
def _texel(
    texels: NDArray[np.uint8], offset: int, height: int, width: int, u: float, v: float
) -> tuple[float, float, float]:
    """Return a texture's red, green and blue at (u, v), in [0, 1]: bilinear, repeating, row 0 at v = 1."""
    x = (u - np.floor(u)) * width - 0.5
    y = (1.0 - (v - np.floor(v))) * height - 0.5
    column, row = math.floor(x), math.floor(y)
    right, low = x - column, y - row
    # Columns and rows are -1 at least and the size less one at most.
    x0, x1 = column if column >= 0 else width - 1, column + 1 if column + 1 < width else 0
    y0, y1 = row if row >= 0 else height - 1, row + 1 if row + 1 < height else 0
    a, b = offset + 3 * (y0 * width + x0), offset + 3 * (y0 * width + x1)
    c, d = offset + 3 * (y1 * width + x0), offset + 3 * (y1 * width + x1)
    wa, wb = (1 - right) * (1 - low) / 255.0, right * (1 - low) / 255.0
    wc, wd = (1 - right) * low / 255.0, right * low / 255.0
    return (
        wa * texels[a] + wb * texels[b] + wc * texels[c] + wd * texels[d],
        wa * texels[a + 1] + wb * texels[b + 1] + wc * texels[c + 1] + wd * texels[d + 1],
        wa * texels[a + 2] + wb * texels[b + 2] + wc * texels[c + 2] + wd * texels[d + 2],
    )


@njit(cache=True, error_model="numpy")
def _phong(
    normal: tuple[float, float, float],
    point: tuple[float, float, float],
    to_light: tuple[float, float, float],
    ambient: float,
    diffuse: float,
    specular: float,
    shininess: float,
) -> tuple[float, float]:
    """Return brightness and white highlight of a point as seen from the origin; the normal may have any length."""
    nx, ny, nz = normal
    px, py, pz = point
    lx, ly, lz = to_light
    length = math.sqrt(nx * nx + ny * ny + nz * nz)
    facing = nx * lx + ny * ly + nz * lz
    if length == 0 or facing <= 0:
        return ambient, 0.0
    facing /= length
    # Cosine between the way to the camera, -point, and the mirrored light, 2 * facing * normal - to_light.
    mirrored = px * lx + py * ly + pz * lz - 2 * facing * (px * nx + py * ny + pz * nz) / length
    highlight = 0.0
    if mirrored > 0:
        highlight = specular * (mirrored / math.sqrt(px * px + py * py + pz * pz)) ** shininess
    return ambient + diffuse * facing, highlight


@njit(cache=True, error_model="numpy")
def _mip_level(
    uv: NDArray[np.float32], mips: NDArray[np.int64], a: int, b: int, c: int, material: int, area: float
) -> int:
    """Return the texture level at which a face that covers ``area``/2 samples meets about one texel a sample."""
    across = (np.float64(uv[b, 0]) - uv[a, 0]) * (np.float64(uv[c, 1]) - uv[a, 1])
    across -= (np.float64(uv[b, 1]) - uv[a, 1]) * (np.float64(uv[c, 0]) - uv[a, 0])
    texels = abs(across) * mips[material, 0, 1] * mips[material, 0, 2]
    level = 0
    while texels > 2 * area and level + 1 < mips.shape[1] and mips[material, level + 1, 1] > 0:
        texels /= 4
        level += 1
    return level


@njit(cache=True, error_model="numpy")
def _turn_normals(
    normals: NDArray[np.float32], f: int, rotation: NDArray[np.float32], side: float, out: NDArray[np.float64]
) -> None:
    """Write a face's corner normals, in the view's frame and times ``side``, into ``out`` [3, 3]."""
    for c in range(3):
        for k in range(3):
            out[c, k] = 0.0
            for j in range(3):
                out[c, k] += side * normals[f, c, j] * rotation[j, k]


@njit(cache=True, error_model="numpy")
def _shade(
    scene: MeshScene,
    nearest: NDArray[np.int32],
    screen: NDArray[np.float64],
    rotation: NDArray[np.float32],
    focal: float,
    light: NDArray[np.float64],
    image: NDArray[np.float32],
) -> None:
    """Blend the faces ``nearest`` [S, S] (-1: none), shaded, over ``image`` [S, S, 3].

    Arrays are taken out of the scene once, and the functions called for each sample take numbers: handing arrays
    around would cost more (in reference counts) than the shading.
    """
    faces, face_materials, normals, uv = scene.faces, scene.face_materials, scene.normals, scene.uv
    vertex_colors, material_colors = scene.vertex_colors, scene.material_colors
    mips, texels = scene.mips, scene.texels
    size = len(nearest)
    lx, ly, lz = light[0], light[1], light[2]
    ambient, diffuse, specular, shininess = light[3], light[4], light[5], light[6]
    edges, corners = np.empty((3, 3)), np.empty((3, 3))
    current, a, b, c, material, level, area, textured = -1, 0, 0, 0, 0, 0, 0.0, False
    for row in range(size):
        for column in range(size):
            f = nearest[row, column]
            if f < 0:
                continue
            if f != current:
                current = f
                a, b, c = faces[f, 0], faces[f, 1], faces[f, 2]
                material = face_materials[f]
                area, back = _edges(screen, a, b, c, edges)
                _turn_normals(normals, f, rotation, -1.0 if back else 1.0, corners)
                textured = mips[material, 0, 1] > 0
                if textured:
                    level = _mip_level(uv, mips, a, b, c, material, area)

            # Perspective-correct: barycentric weights on the surface, not in the image.
            wa = (edges[0, 0] * column + edges[0, 1] * row + edges[0, 2]) * screen[a, 2]
            wb = (edges[1, 0] * column + edges[1, 1] * row + edges[1, 2]) * screen[b, 2]
            wc = (edges[2, 0] * column + edges[2, 1] * row + edges[2, 2]) * screen[c, 2]
            scale = 1.0 / (wa + wb + wc)
            z = area * scale
            wa, wb, wc = wa * scale, wb * scale, wc * scale

            red, green = material_colors[material, 0], material_colors[material, 1]
            blue, alpha = material_colors[material, 2], material_colors[material, 3]
            if len(vertex_colors) > 0:
                red *= (wa * vertex_colors[a, 0] + wb * vertex_colors[b, 0] + wc * vertex_colors[c, 0]) / 255.0
                green *= (wa * vertex_colors[a, 1] + wb * vertex_colors[b, 1] + wc * vertex_colors[c, 1]) / 255.0
                blue *= (wa * vertex_colors[a, 2] + wb * vertex_colors[b, 2] + wc * vertex_colors[c, 2]) / 255.0
            if textured:
                u = wa * uv[a, 0] + wb * uv[b, 0] + wc * uv[c, 0]
                v = wa * uv[a, 1] + wb * uv[b, 1] + wc * uv[c, 1]
                tr, tg, tb = _texel(
                    texels, mips[material, level, 0], mips[material, level, 1], mips[material, level, 2], u, v
                )
                red, green, blue = red * tr, green * tg, blue * tb

            normal = (
                wa * corners[0, 0] + wb * corners[1, 0] + wc * corners[2, 0],
                wa * corners[0, 1] + wb * corners[1, 1] + wc * corners[2, 1],
                wa * corners[0, 2] + wb * corners[1, 2] + wc * corners[2, 2],
            )
            left = (1.0 - (2 * column + 1) / size) * z / focal
            up = (1.0 - (2 * row + 1) / size) * z / focal
            brightness, highlight = _phong(normal, (left, up, z), (lx, ly, lz), ambient, diffuse, specular, shininess)
            image[row, column, 0] += alpha * (min(red * brightness + highlight, 1.0) - image[row, column, 0])
            image[row, column, 1] += alpha * (min(green * brightness + highlight, 1.0) - image[row, column, 1])
            image[row, column, 2] += alpha * (min(blue * brightness + highlight, 1.0) - image[row, column, 2])


@njit(parallel=True, cache=True, error_model="numpy")
def render_views(
    scene: MeshScene,
    rotations: NDArray[np.float32],
    distance: float,
    focal: float,
    light: NDArray[np.float64],
    background: float,
    samples: int,
    images: NDArray[np.uint8],
) -> None:
    """Draw every view of a scene; views run in parallel.

    Args:
        scene: Mesh laid out for the kernels.
        rotations: [V, 3, 3] rotations of the views.
        distance: Distance of the camera from the origin.
        focal: Reciprocal of the tangent of half the field of view.
        light: [7] unit direction to the light in the view's frame, ambient, diffuse, specular, shininess.
        background: Gray level in [0, 1].
        samples: Samples per pixel along each axis.
        images: [V, S, S, 3] output.
    """
    side = images.shape[1]
    size = side * samples
    for view in prange(len(rotations)):
        rotation = rotations[view]
        screen = _project(scene.vertices, rotation, distance, focal, size)
        inverse_depth = np.zeros((size, size), np.float32)
        image = np.full((size, size, 3), background, np.float32)
        # What is see-through comes second, and only where it is nearer than what is solid.
        for layer in (OPAQUE, SEE_THROUGH):
            if np.any(scene.face_layers == layer):
                nearest = np.full((size, size), -1, np.int32)
                _rasterise(screen, scene.faces, scene.face_layers, layer, inverse_depth, nearest)
                _shade(scene, nearest, screen, rotation, focal, light, image)
        for row in range(side):
            for column in range(side):
                for k in range(3):
                    total = 0.0
                    for i in range(row * samples, (row + 1) * samples):
                        for j in range(column * samples, (column + 1) * samples):
                            total += image[i, j, k]
                    images[view, row, column, k] = np.uint8(total * 255.0 / (samples * samples) + 0.5)
