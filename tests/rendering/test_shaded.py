import math
from dataclasses import dataclass, replace

import numpy as np
import pytest

from clip2point.core.errors import OptionError, ShapeError
from clip2point.rendering import triangle_raster as triangles
from clip2point.rendering.shaded import Light, render_color
from clip2point.shapes.shape import Material, Mesh

FRONT = np.diag([-1.0, 1.0, -1.0])  # elevation 0, azimuth 0: from +z, world +x to the right
BACK = np.diag([1.0, 1.0, 1.0])
TOP = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])
FOCAL = math.sqrt(3.0)  # one over the tangent of 30 degrees

#: Every surface in its own colour, unlit.
UNLIT = Light(ambient=1.0, diffuse=0.0, specular=0.0)


@dataclass
class Directions:
    rotations: np.ndarray


def views(*rotations):
    return Directions(np.array(rotations, dtype=np.float32).reshape(-1, 3, 3))


def random_rotation(rng):
    q, _ = np.linalg.qr(rng.normal(size=(3, 3)))
    return q if np.linalg.det(q) > 0 else -q


def draw(mesh, *rotations, **options):
    """Render without lighting, anti-aliasing or normalisation unless the options say otherwise."""
    defaults = {"image_size": 64, "light": UNLIT, "samples": 1, "center": (0, 0, 0), "scale": 1.0}
    return render_color(mesh, views(*(rotations or (FRONT,))), **{**defaults, **options})


def colored(vertices, faces, colors):
    """One material a face."""
    return replace(
        Mesh.plain(np.asarray(vertices), np.asarray(faces)),
        materials=tuple(Material((*map(float, color), 1.0)) for color in colors),
        face_materials=np.arange(len(faces), dtype=np.int32),
    )


def quad(half, z=0.0, material=Material(), uv=((0, 0), (1, 0), (1, 1), (0, 1)), **more):  # noqa: B008
    """A square that faces the front view: corners at the lower left, lower right, upper right, upper left."""
    corners = np.array([[-half, -half, z], [half, -half, z], [half, half, z], [-half, half, z]])
    mesh = Mesh.plain(corners, np.array([[0, 1, 2], [0, 2, 3]]))
    return replace(mesh, materials=(material,), uv=np.array(uv, dtype=np.float32), **more)


def sphere(rings=12, segments=24):
    polar, turn = np.meshgrid(
        np.linspace(0, np.pi, rings + 1), np.linspace(0, 2 * np.pi, segments, endpoint=False), indexing="ij"
    )
    points = np.stack([np.sin(polar) * np.cos(turn), np.cos(polar), np.sin(polar) * np.sin(turn)], axis=-1)
    i, j = np.meshgrid(np.arange(rings), np.arange(segments), indexing="ij")
    a, b = i * segments + j, i * segments + (j + 1) % segments
    faces = np.concatenate(
        [np.stack(f, axis=-1).reshape(-1, 3) for f in ((a, b, a + segments), (b, b + segments, a + segments))]
    )
    return Mesh.plain(points.reshape(-1, 3), faces)


def project(points, rotation, size, distance=2.0):
    """Columns, rows and depths in float64, snapped to the grid that the renderer documents."""
    x, y, z = (points.astype(np.float64) @ rotation + [0, 0, distance]).T
    snapped = [np.floor(((1 - FOCAL * v / z) * size / 2 - 0.5) * 256 + 0.5) / 256 for v in (x, y)]
    return snapped[0], snapped[1], z


def reference_faces(mesh, rotation, size):
    """Brute force: test every pixel against every triangle. Returns the nearest face of each pixel, or -1."""
    column, row, z = project(mesh.vertices, rotation, size)
    i, j = np.meshgrid(np.arange(size, dtype=float), np.arange(size, dtype=float), indexing="xy")
    best, nearest = np.zeros((size, size)), np.full((size, size), -1)
    for f, (a, b, c) in enumerate(mesh.faces):
        area = (column[b] - column[a]) * (row[c] - row[a]) - (row[b] - row[a]) * (column[c] - column[a])
        if area == 0:
            continue
        weights = [
            ((column[q] - column[p]) * (j - row[p]) - (row[q] - row[p]) * (i - column[p])) / area
            for p, q in ((b, c), (c, a), (a, b))
        ]
        inside = np.minimum(np.minimum(weights[0], weights[1]), weights[2]) >= 0
        inverse = sum(w / z[k] for w, k in zip(weights, (a, b, c), strict=True))
        closer = inside & (inverse > best)
        best[closer], nearest[closer] = inverse[closer], f
    return nearest


def face_colors(count):
    """Distinct colours that survive rounding to bytes, none of them white."""
    return np.stack([np.arange(count) % 250, np.arange(count) // 250, np.full(count, 77)], axis=1) / 255


def drawn_faces(image):
    return np.where((image == 255).all(axis=-1), -1, image[..., 0].astype(int) + 250 * image[..., 1].astype(int))


class TestCoverage:
    def test_a_known_triangle_covers_exactly_its_pixels(self):
        # At depth 2 the image is 4 / sqrt(3) wide. Corners sit at the centres of three pixels.
        def at(row, column):
            return [(2 * column + 1 - 8) / 8 * 2 / FOCAL, (8 - 2 * row - 1) / 8 * 2 / FOCAL, 0.0]

        mesh = colored([at(1, 1), at(1, 5), at(5, 1)], [[0, 1, 2]], [(1, 0, 0)])
        expected = np.zeros((8, 8), dtype=bool)
        for row in range(1, 6):
            expected[row, 1 : 7 - row] = True
        image = draw(mesh, image_size=8)[0]
        np.testing.assert_array_equal((image == [255, 0, 0]).all(axis=-1), expected)
        assert (image[~expected] == 255).all()

    @pytest.mark.parametrize("seed", range(6))
    def test_triangle_soups_equal_brute_force(self, seed):
        rng = np.random.default_rng(seed)
        size = (0.02, 0.2, 1.0)[seed % 3]
        centers = rng.uniform(-0.6, 0.6, size=(300, 1, 3))
        vertices = (centers + size * rng.uniform(-0.4, 0.4, size=(300, 3, 3))).reshape(-1, 3).astype(np.float32)
        mesh = colored(vertices, np.arange(900).reshape(300, 3), face_colors(300))
        rotation = random_rotation(rng).astype(np.float32)
        drawn = drawn_faces(draw(mesh, rotation)[0])
        expected = reference_faces(mesh, rotation.astype(np.float64), 64)
        # Back faces are set back by a hair, which may decide where faces cut each other.
        assert (drawn == expected).mean() > 0.999
        np.testing.assert_array_equal(drawn < 0, expected < 0)

    def test_the_order_of_faces_does_not_matter(self):
        rng = np.random.default_rng(3)
        vertices = rng.uniform(-0.6, 0.6, size=(300, 3))
        mesh = colored(vertices, np.arange(300).reshape(100, 3), face_colors(100))
        order = rng.permutation(100)
        shuffled = replace(mesh, faces=mesh.faces[order], face_materials=mesh.face_materials[order])
        np.testing.assert_array_equal(draw(mesh, FRONT, TOP), draw(shuffled, FRONT, TOP))

    @pytest.mark.parametrize("seed", range(3))
    def test_no_cracks_in_a_subdivided_square(self, seed):
        rng = np.random.default_rng(seed)
        steps = 60
        x, y = np.meshgrid(np.linspace(-0.7, 0.7, steps + 1), np.linspace(-0.7, 0.7, steps + 1))
        inner = np.zeros((steps + 1, steps + 1), dtype=bool)
        inner[1:-1, 1:-1] = True
        x, y = (v + inner * rng.uniform(-0.008, 0.008, size=v.shape) for v in (x, y))
        i = (np.arange(steps)[:, None] * (steps + 1) + np.arange(steps)).reshape(-1)
        faces = np.concatenate(
            [np.stack(f, axis=1) for f in ((i, i + 1, i + steps + 1), (i + 1, i + steps + 2, i + steps + 1))]
        )
        fine = Mesh.plain(np.stack([x.ravel(), y.ravel(), 0 * x.ravel()], axis=1), faces)
        options = {"image_size": 224, "background": 0.0}
        rotation = random_rotation(rng)
        inside = draw(quad(0.698), FRONT, rotation, **options) > 0
        assert inside.mean() > 0.1
        assert (draw(fine, FRONT, rotation, **options)[inside] > 0).all()

    def test_degenerate_and_outlying_triangles_are_harmless(self):
        vertices = [[0, 0, 0], [0, 0, 0], [0.5, 0, 0], [1, 0, 0], [0, 0, 5], [0, 1, 5], [1e30, 1, 0], [-1e30, 1e30, 0]]
        faces = [[0, 1, 2], [0, 2, 3], [4, 5, 3], [0, 0, 0]]
        assert (draw(colored(vertices, faces, face_colors(4))) == 255).all()
        far = colored(vertices, [[0, 6, 7]], face_colors(1))
        assert draw(far).shape == (1, 64, 64, 3)
        tilted = draw(far, random_rotation(np.random.default_rng(0)), TOP)
        assert tilted.shape == (2, 64, 64, 3)

    def test_no_faces_make_a_white_image(self):
        empty = Mesh.plain(np.zeros((0, 3)), np.zeros((0, 3), dtype=int))
        image = render_color(empty, views(FRONT, TOP))
        assert image.shape == (2, 224, 224, 3)
        assert image.dtype == np.uint8
        assert (image == 255).all()

    def test_no_views_make_no_images(self):
        assert render_color(quad(0.5), views()).shape == (0, 224, 224, 3)


class TestCamera:
    def test_right_and_up_and_near(self):
        red, green, blue = (1, 0, 0), (0, 1, 0), (0, 0, 1)
        spot = np.array([[-0.1, -0.1, 0], [0.1, -0.1, 0], [0, 0.1, 0]])
        vertices = np.concatenate([*(spot + 0.5 * axis for axis in np.eye(3)), 3 * spot])
        mesh = colored(vertices, np.arange(12).reshape(4, 3), [red, green, blue, (0, 0, 0)])
        front, back = draw(mesh, FRONT, BACK)
        # From the front +x is to the right, +y up, and +z near.
        np.testing.assert_array_equal(front[32, 32 + 13], [255, 0, 0])
        np.testing.assert_array_equal(front[32 - 13, 32], [0, 255, 0])
        np.testing.assert_array_equal(front[32, 32], [0, 0, 255])
        np.testing.assert_array_equal(back[32, 32 - 14], [255, 0, 0])
        np.testing.assert_array_equal(back[32, 32], [0, 0, 0])

    def test_the_unit_sphere_fills_the_image(self):
        covered = (render_color(sphere(40, 80), views(FRONT), samples=1) < 255).any(axis=(0, 3))
        assert covered[:, [1, -2]].any(axis=0).all()
        assert covered[[1, -2]].any(axis=1).all()
        assert covered.mean() == pytest.approx(np.pi / 4, abs=0.01)

    def test_nearer_is_larger(self):
        area = [(draw(quad(0.3), distance=d) < 255).any(axis=-1).sum() for d in (1.5, 2.0, 4.0)]
        assert area[0] > area[1] > 3 * area[2]

    def test_mirrored_shape_gives_mirrored_image(self):
        rng = np.random.default_rng(5)
        vertices = rng.uniform(-0.5, 0.5, size=(60, 3))
        mesh = colored(vertices, np.arange(60).reshape(20, 3), face_colors(20))
        # A mirror turns the winding over, so it is turned back.
        mirrored = replace(mesh, vertices=mesh.vertices * np.float32([-1, 1, 1]), faces=mesh.faces[:, ::-1].copy())
        light = Light(direction=(0, 0.5, -1))
        left, right = (draw(m, image_size=65, light=light)[0].astype(int) for m in (mesh, mirrored))
        assert (np.abs(left - right[:, ::-1]).max(axis=-1) > 1).mean() < 0.005

    def test_normalisation_ignores_unit_place_and_tessellation(self):
        rng = np.random.default_rng(2)
        base = sphere()
        base = replace(base, vertices=base.vertices * np.float32([1, 0.5, 0.25]))
        moved = replace(base, vertices=base.vertices * 1000 + np.float32([5000, -3000, 70]))
        # Split every face on one side of the shape at its centroid, twice.
        vertices, faces = base.vertices, base.faces
        for _ in range(2):
            chosen = vertices[faces].mean(axis=1)[:, 0] > 0
            middle = len(vertices) + np.arange(chosen.sum())
            vertices = np.concatenate([vertices, vertices[faces[chosen]].mean(axis=1)])
            a, b, c = faces[chosen].T
            parts = [np.stack(p, axis=1) for p in ((a, b, middle), (b, c, middle), (c, a, middle))]
            faces = np.concatenate([faces[~chosen], *parts])
        dense = Mesh.plain(vertices, faces)
        view = views(random_rotation(rng))
        images = [(render_color(m, view, samples=1) < 255).any(axis=-1) for m in (base, moved, dense)]
        assert (images[0] != images[1]).mean() < 1e-3
        assert (images[0] != images[2]).mean() < 1e-3

    def test_given_center_and_scale_are_used(self):
        mesh = quad(0.25, z=0.1)
        moved = replace(mesh, vertices=mesh.vertices * 8 + np.float32([1, 2, 3]))
        np.testing.assert_array_equal(draw(mesh), draw(moved, center=(1, 2, 3), scale=8.0))


class TestColor:
    def test_a_textured_square_shows_its_texture_upright(self):
        # A texture of one texel a pixel: the square spans 32 of the 64 pixels.
        texture = np.random.default_rng(0).integers(0, 250, size=(32, 32, 3), dtype=np.uint8)
        half = 0.5 * 2 / FOCAL
        image = draw(quad(half, material=Material((1, 1, 1, 1), texture)))[0]
        np.testing.assert_allclose(image[16:48, 16:48].astype(int), texture, atol=1)
        assert (image[:15] == 255).all()
        assert (image[:, 49:] == 255).all()

    def test_textures_repeat(self):
        texture = np.zeros((2, 2, 3), dtype=np.uint8)
        texture[0, 0] = texture[1, 1] = 200
        half = 0.5 * 2 / FOCAL
        uv = np.array([[-2, 3], [6, 3], [6, 11], [-2, 11]])
        image = draw(quad(half, material=Material((1, 1, 1, 1), texture), uv=uv))[0, 16:48, 16:48, 0]
        # 8 repeats over 32 pixels: 2 pixels a texel, so the pattern returns every 4 pixels, turned over every 2.
        np.testing.assert_allclose(image[4:, :].astype(int), image[:-4, :], atol=1)
        np.testing.assert_allclose(image[2:, :].astype(int), 200 - image[:-2, :].astype(int), atol=1)
        assert image.max() > 100

    def test_texture_coordinates_may_be_huge(self):
        texture = np.full((3, 5, 3), 60, dtype=np.uint8)
        for size in (1e10, 1e24, 3e38):
            image = draw(
                quad(
                    0.5,
                    material=Material((1, 1, 1, 1), texture),
                    uv=size * np.array([[-1, 0], [1, 0.3], [1, 1], [0, -1]]),
                )
            )
            assert image[0, 32, 32] == pytest.approx([60, 60, 60], abs=1)

    def test_texture_coordinates_are_perspective_correct(self):
        # A square that lies flat, seen at a slant: texture rows must meet the pixels of their place in space.
        ramp = np.repeat(np.arange(256, dtype=np.uint8)[::-1, None, None], 256, axis=1).repeat(3, axis=2)
        mesh = quad(0.6, material=Material((1, 1, 1, 1), ramp), uv=[[0, 0.1], [1, 0.1], [1, 0.9], [0, 0.9]])
        angle = np.radians(50)
        tilt = np.array([[1, 0, 0], [0, np.cos(angle), np.sin(angle)], [0, -np.sin(angle), np.cos(angle)]])
        rotation = tilt @ FRONT
        image = draw(mesh, rotation, image_size=128)[0]
        for y in (-0.4, -0.1, 0.2, 0.5):
            column, row, _ = project(np.array([[0.1, y, 0.0]]), rotation, 128)
            v = 0.1 + 0.8 * (y + 0.6) / 1.2
            assert image[round(row[0]), round(column[0]), 0] == pytest.approx(256 * v - 0.5, abs=3)

    def test_fine_textures_are_averaged(self):
        rng = np.random.default_rng(0)
        noise = rng.integers(0, 2, size=(512, 512, 1), dtype=np.uint8).repeat(3, axis=2) * 200
        image = draw(quad(0.5, material=Material((1, 1, 1, 1), noise)), image_size=32)[0]
        inside = image[12:20, 12:20].astype(float)
        assert inside.mean() == pytest.approx(100, abs=8)
        assert inside.std() < 25

    def test_each_material_has_its_own_texture_and_colors_multiply(self):
        rng = np.random.default_rng(1)
        textures = [
            np.full((h, w, 3), rng.integers(60, 200, size=3), dtype=np.uint8) for h, w in ((5, 3), (1, 1), (2, 9))
        ]
        materials = (
            Material((0.5, 1.0, 0.25, 1.0), textures[0]),
            Material((0.2, 0.4, 0.6, 1.0)),
            Material((1.0, 1.0, 1.0, 1.0), textures[1]),
            Material((1.0, 0.5, 1.0, 1.0), textures[2]),
            Material((1.0, 1.0, 0.5, 1.0), textures[0]),
        )
        tile = np.array([[-0.1, -0.1, 0], [0.1, -0.1, 0], [0, 0.1, 0]])
        places = [(-0.4, 0.4, 0), (0.4, 0.4, 0), (0, 0, 0), (-0.4, -0.4, 0), (0.4, -0.4, 0)]
        mesh = Mesh.plain(np.concatenate([tile + p for p in places]), np.arange(15).reshape(5, 3))
        tint = np.array([1.0, 0.8, 0.4])
        mesh = replace(
            mesh,
            materials=materials,
            face_materials=np.arange(5, dtype=np.int32),
            uv=rng.uniform(-3, 3, size=(15, 2)).astype(np.float32),
            vertex_colors=np.tile(np.uint8([255, 204, 102]), (15, 1)),
        )
        image = draw(mesh)[0]
        for place, material in zip(places, materials, strict=True):
            column, row, _ = project(np.array([place]), FRONT, 64)
            texture = 255.0 if material.texture is None else material.texture[0, 0]
            expected = np.array(material.color[:3]) * tint * texture
            np.testing.assert_allclose(image[round(row[0]), round(column[0])], expected, atol=1)

    def test_vertex_colors_blend(self):
        mesh = quad(0.5, material=Material((1, 1, 1, 1)))
        mesh = replace(mesh, vertex_colors=np.uint8([[0, 0, 0], [200, 0, 0], [200, 0, 200], [0, 0, 200]]))
        image = draw(mesh)[0, 20:44, 20:44].astype(int)
        assert (np.diff(image[:, :, 0], axis=1) > 0).all()
        assert (np.diff(image[:, :, 2], axis=0) < 0).all()

    def test_see_through_faces_blend_over_what_is_solid_whatever_their_order(self):
        pane, wall = quad(0.5, z=0.3).vertices, quad(0.5, z=-0.3).vertices
        faces = np.array([[0, 1, 2], [0, 2, 3], [4, 5, 6], [4, 6, 7]])
        mesh = replace(
            Mesh.plain(np.concatenate([pane, wall]), faces),
            materials=(Material((0, 0, 1, 0.4)), Material((1, 0, 0, 1))),
            face_materials=np.int32([0, 0, 1, 1]),
        )
        turned = replace(mesh, faces=faces[::-1].astype(np.int32), face_materials=mesh.face_materials[::-1])
        front, back = draw(mesh, FRONT, BACK)[:, 32, 32]
        np.testing.assert_array_equal(front, [153, 0, 102])
        np.testing.assert_array_equal(back, [255, 0, 0])
        np.testing.assert_array_equal(draw(mesh, FRONT, BACK), draw(turned, FRONT, BACK))

    @pytest.mark.parametrize(("alpha", "seen"), [(0.0, 255), (0.04, 255), (0.1, 179), (0.3, 179), (0.5, 128), (1.0, 0)])
    def test_faint_glass_is_drawn_and_invisible_faces_are_not(self, alpha, seen):
        assert draw(quad(0.5, material=Material((0, 0, 0, alpha))))[0, 32, 32, 0] == pytest.approx(seen, abs=1)

    def test_background(self):
        assert (draw(quad(0.3), background=0.2)[0, 0] == 51).all()

    def test_supersampling_is_the_mean_of_a_larger_image(self):
        mesh = quad(0.37, material=Material((0.2, 0.5, 0.1, 1)))
        rotation = random_rotation(np.random.default_rng(8))
        large = draw(mesh, rotation, image_size=96).astype(float)
        mean = large.reshape(1, 32, 3, 32, 3, 3).mean(axis=(2, 4))
        np.testing.assert_allclose(draw(mesh, rotation, image_size=32, samples=3), mean, atol=1)


class TestLight:
    def test_both_sides_are_lit_alike(self):
        mesh = quad(0.5, material=Material((0.6, 0.6, 0.6, 1)))
        turned = replace(mesh, faces=mesh.faces[:, ::-1].copy())
        light = Light(direction=(0, 0, -1), specular=0)
        front, back = draw(mesh, FRONT, BACK, light=light)
        np.testing.assert_array_equal(front, back)
        np.testing.assert_array_equal(front, draw(turned, light=light)[0])

    def test_front_face_wins_over_its_own_back(self):
        mesh = quad(0.5)
        doubled = colored(
            mesh.vertices, [[0, 2, 1], [0, 3, 2], [0, 1, 2], [0, 2, 3]], [(1, 0, 0)] * 2 + [(0, 0, 1)] * 2
        )
        front, back = draw(doubled, FRONT, BACK, random_rotation(np.random.default_rng(1)))[:2]
        assert (front[32, 20:44] == [0, 0, 255]).all()
        assert (back[32, 20:44] == [255, 0, 0]).all()

    def test_lambert_and_ambient(self):
        mesh = quad(0.5, material=Material((1, 0.5, 0.25, 1)))
        for degrees in (0, 30, 60, 80):
            direction = (math.sin(math.radians(degrees)), 0, -math.cos(math.radians(degrees)))
            light = Light(direction=direction, ambient=0.2, diffuse=0.6, specular=0)
            expected = (0.2 + 0.6 * math.cos(math.radians(degrees))) * np.array([255, 127.5, 63.75])
            np.testing.assert_allclose(draw(mesh, light=light)[0, 30, 30], expected, atol=1)
        behind = Light(direction=(0, 0.1, 1), ambient=0.2, diffuse=0.6, specular=0)
        np.testing.assert_allclose(draw(mesh, light=behind)[0, 30, 30], [51, 25.5, 12.75], atol=1)

    def test_highlight_sits_where_the_mirrored_light_meets_the_camera(self):
        light = Light(direction=(0, 0, -1), ambient=0, diffuse=0, specular=1, shininess=50)
        image = draw(quad(0.9), light=light, image_size=65)[0, :, :, 0].astype(int)
        assert image[32, 32] == 255
        assert np.unravel_index(np.argmax(np.where(image == 255, 0, image)), image.shape) != (32, 32)
        np.testing.assert_array_equal(image[:, :32], image[:, :32:-1])
        assert image[32, 20] < image[32, 26] < 255

    def test_light_moves_with_the_camera(self):
        ball = sphere(30, 60)
        light = Light(direction=(1, 0, 0), ambient=0.1, diffuse=0.8, specular=0)
        for image in draw(ball, FRONT, BACK, TOP, light=light)[..., 0].astype(int):
            assert image[32, 8] > image[32, 32] + 60
            assert image[32, 56] < image[32, 8] - 60

    def test_gentle_bends_are_smooth_and_creases_are_crisp(self):
        light = Light(direction=(0.6, 0, -0.8), ambient=0, diffuse=1, specular=0)
        ball = draw(sphere(), light=light)[0, 32, 8:56, 0].astype(int)
        assert np.abs(np.diff(ball)).max() < 16
        # A roof whose two sides meet at a right angle.
        roof = Mesh.plain(
            np.array([[0, -0.5, 0.3], [0, 0.5, 0.3], [0.3, -0.5, 0], [0.3, 0.5, 0], [-0.3, -0.5, 0], [-0.3, 0.5, 0]]),
            np.array([[0, 2, 3], [0, 3, 1], [0, 1, 5], [0, 5, 4]]),
        )
        row = draw(roof, light=light)[0, 32, :, 0]
        assert len(np.unique(row[row < 255])) == 2

    def test_normals_ignore_mixed_winding_and_split_vertices(self):
        ball = sphere()
        positions = np.arange(len(ball.vertices))
        rng = np.random.default_rng(0)
        turned = np.where(rng.random((len(ball.faces), 1)) < 0.5, ball.faces[:, ::-1], ball.faces)
        split = Mesh.plain(ball.vertices[turned.reshape(-1)], np.arange(turned.size).reshape(-1, 3))
        light = Light(specular=0)
        difference = np.abs(draw(ball, light=light).astype(int) - draw(split, light=light))
        assert (difference.max(axis=-1) > 2).mean() < 0.01
        normals = triangles.corner_normals(ball.vertices, ball.faces, positions, math.cos(math.radians(40)))
        lengths = np.linalg.norm(normals, axis=-1)
        np.testing.assert_allclose(lengths[lengths > 0], 1, atol=1e-6)

    def test_wide_fans_stay_flat(self):
        count = triangles.MAX_FAN + 1
        turn = np.linspace(0, 2 * np.pi, count, endpoint=False)
        rim = np.stack([np.cos(turn), np.full(count, -1.0), np.sin(turn)], axis=1)
        vertices = np.concatenate([np.zeros((1, 3)), rim]).astype(np.float32)
        i = 1 + np.arange(count)
        faces = np.stack([np.zeros(count, int), i, 1 + i % count], axis=1).astype(np.int32)
        normals = triangles.corner_normals(vertices, faces, np.arange(len(vertices)), 0.5)
        edges = vertices[faces[:, 1:]] - vertices[faces[:, :1]]
        flat = np.cross(edges[:, 0], edges[:, 1])
        flat /= np.linalg.norm(flat, axis=1, keepdims=True)
        np.testing.assert_allclose(normals[:, 0], flat, atol=1e-5)


class TestContract:
    def test_same_answer_twice_and_for_each_view_alone(self):
        rng = np.random.default_rng(4)
        rotations = [random_rotation(rng) for _ in range(4)]
        mesh = sphere()
        images = render_color(mesh, views(*rotations), image_size=40)
        np.testing.assert_array_equal(images, render_color(mesh, views(*rotations), image_size=40))
        for image, rotation in zip(images, rotations, strict=True):
            np.testing.assert_array_equal(image, render_color(mesh, views(rotation), image_size=40)[0])

    def test_the_mesh_is_left_alone(self):
        mesh = sphere()
        before = mesh.vertices.copy()
        render_color(mesh, views(FRONT), image_size=16)
        np.testing.assert_array_equal(mesh.vertices, before)

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"image_size": 0}, "image_size must be 1 to"),
            ({"image_size": 4000, "samples": 2}, "image_size must be 1 to 2048"),
            ({"samples": 0}, "samples must be 1 to 4"),
            ({"samples": 5}, "samples must be 1 to 4"),
            ({"distance": 0.0}, "distance must be a number above 0"),
            ({"distance": math.nan}, "distance must be a number above 0"),
            ({"background": 1.5}, "background must be a gray level"),
            ({"center": (0, 0)}, "center must be three finite numbers"),
            ({"center": (0, math.nan, 0)}, "center must be three finite numbers"),
            ({"scale": 0.0}, "scale must be a number above 0"),
            ({"scale": 1e-60}, "scale 1e-60 is too small"),
        ],
    )
    def test_bad_options(self, options, message):
        with pytest.raises(OptionError, match=message):
            draw(quad(0.5), **options)

    @pytest.mark.parametrize("rotations", [np.eye(3), np.zeros((2, 3, 4)), np.full((1, 3, 3), np.nan)])
    def test_bad_views(self, rotations):
        with pytest.raises(OptionError, match=r"rotations \[V, 3, 3\]"):
            render_color(quad(0.5), Directions(rotations.astype(np.float32)))

    @pytest.mark.parametrize(
        ("options", "message"),
        [
            ({"direction": (0, 0, 0)}, "light direction"),
            ({"direction": (0, 1)}, "light direction"),
            ({"direction": (0, math.nan, 1)}, "light direction"),
            ({"ambient": -0.1}, "light ambient"),
            ({"shininess": math.inf}, "light shininess"),
        ],
    )
    def test_bad_lights(self, options, message):
        with pytest.raises(OptionError, match=message):
            Light(**options)

    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"faces": np.int32([[0, 1, 4], [0, 2, 3]])}, "faces must be from 0 to 3, got 0 to 4"),
            ({"faces": np.int32([[0, 1, -1], [0, 2, 3]])}, "faces must be from 0 to 3, got -1"),
            ({"faces": np.float32([[0, 1, 2], [0, 2, 3]])}, "faces must be integers"),
            ({"faces": np.int32([[0, 1], [0, 2]])}, r"faces must be \[2, 3\]"),
            ({"face_materials": np.int32([0, 1])}, "face_materials must be from 0 to 0, got 0 to 1"),
            ({"face_materials": np.int32([0])}, r"face_materials must be \[2\], got \[1\]"),
            ({"vertices": np.full((4, 3), np.nan, np.float32)}, "vertices must be finite"),
            ({"uv": np.full((4, 2), np.inf, np.float32)}, "uv must be finite"),
            ({"uv": np.zeros((3, 2), np.float32)}, r"uv must be \[4, 2\]"),
            ({"vertex_colors": np.zeros((4, 4), np.uint8)}, r"vertex_colors must be \[4, 3\]"),
            ({"materials": (Material((1, 1, math.nan, 1)),)}, "material color must be finite"),
            ({"materials": (Material(texture=np.zeros((4, 4, 4), np.uint8)),)}, "a texture must be"),
            ({"materials": (Material(texture=np.zeros((4, 4, 3), np.float32)),)}, "a texture must be"),
            ({"materials": (Material(texture=np.zeros((0, 4, 3), np.uint8)),)}, "a texture must be"),
            ({"materials": (Material(texture=np.zeros((4, 4, 3), np.uint8)),), "uv": None}, "has no uv"),
        ],
    )
    def test_bad_meshes(self, change, message):
        with pytest.raises(ShapeError, match=message):
            draw(replace(quad(0.5), **change))

    def test_no_material(self):
        empty = Mesh.plain(np.zeros((0, 3)), np.zeros((0, 3), dtype=int))
        with pytest.raises(ShapeError, match="at least one material"):
            draw(replace(empty, materials=()))
