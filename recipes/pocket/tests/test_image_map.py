from importlib import metadata

import pytest
import torch

from clip2point.model import load
from clip2point_shapes import generate
from pocket_recipe import image_map

pytestmark = pytest.mark.slow


def ridge(rows, targets, strength):
    """Ridge regression by the textbook formula."""
    return torch.linalg.inv(rows.T @ rows + strength * torch.eye(rows.shape[1]).double()) @ rows.T @ targets


def find_by_leaving_out(rows, targets, strength, rank):
    """Fraction of rows whose own target is among the nearest ones when the map is fitted without that row."""
    hits = 0
    for index in range(len(rows)):
        kept = torch.arange(len(rows)) != index
        predicted = rows[index] @ ridge(rows[kept], targets[kept], strength)
        similarity = torch.cosine_similarity(targets, predicted[None], dim=-1)
        hits += int((similarity > similarity[index]).sum() < rank)
    return hits / len(rows)


def test_the_map_is_ridge_regression_with_the_strength_that_finds_most(monkeypatch, capsys):
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(30, 8, generator=generator).double()
    targets = rows @ torch.randn(8, 5, generator=generator).double() + torch.randn(30, 5, generator=generator)
    monkeypatch.setattr(image_map, "RANK", 3)
    fractions = {strength: find_by_leaving_out(rows, targets, strength, 3) for strength in image_map.STRENGTHS}
    best = max(fractions, key=lambda strength: fractions[strength])
    torch.testing.assert_close(image_map.fit_ridge_map(rows, targets), ridge(rows, targets, best))
    printed = capsys.readouterr().out
    for strength, fraction in fractions.items():
        assert f"strength {strength:6g}: {fraction:.1%}" in printed


def test_missing_class_names_say_what_to_install(monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(image_map, "distribution", missing)
    with pytest.raises(SystemExit, match="pip install --no-deps timm"):
        image_map.read_class_names()


@pytest.mark.slow
def test_the_checkpoint_can_be_loaded_and_names_shapes(monkeypatch, tmp_path, capsys):
    """Names and meshes are few; towers and everything between them are the real ones."""
    shapes = [(name, generate(name, seed=1)) for name in ("chair", "airplane")]
    monkeypatch.setattr(image_map, "read_class_names", lambda: [[f"thing {number}"] for number in range(1000)])
    monkeypatch.setattr(image_map, "embed_names", lambda names: torch.eye(1000, 384) + torch.rand(1000, 384) / 10)
    monkeypatch.setattr(image_map, "generate_meshes", lambda: shapes)
    monkeypatch.setattr(image_map, "STRENGTHS", (1, 10))
    image_map.main(tmp_path / "pocket")
    assert "2 generated shapes" in capsys.readouterr().out
    model = load(tmp_path / "pocket")
    assert model.classify(shapes[0][1].vertices, labels=["chair", "airplane"]).label in ("chair", "airplane")
