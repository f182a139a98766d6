from importlib import metadata

import pytest
import torch


@pytest.fixture(scope="module")
def recipe(load_script):
    return load_script("pocket_image_map")


def ridge(rows, targets, strength):
    """The textbook formula."""
    return torch.linalg.inv(rows.T @ rows + strength * torch.eye(rows.shape[1]).double()) @ rows.T @ targets


def found_by_leaving_out(rows, targets, strength, rank):
    """Share of rows whose own target is among the nearest ones when the map is fitted without that row."""
    hits = 0
    for index in range(len(rows)):
        kept = torch.arange(len(rows)) != index
        predicted = rows[index] @ ridge(rows[kept], targets[kept], strength)
        similarity = torch.cosine_similarity(targets, predicted[None], dim=-1)
        hits += int((similarity > similarity[index]).sum() < rank)
    return hits / len(rows)


def test_the_map_is_ridge_regression_with_the_strength_that_finds_most(recipe, monkeypatch, capsys):
    generator = torch.Generator().manual_seed(0)
    rows = torch.randn(30, 8, generator=generator).double()
    targets = rows @ torch.randn(8, 5, generator=generator).double() + torch.randn(30, 5, generator=generator)
    monkeypatch.setattr(recipe, "RANK", 3)
    shares = {strength: found_by_leaving_out(rows, targets, strength, 3) for strength in recipe.STRENGTHS}
    best = max(shares, key=lambda strength: shares[strength])
    torch.testing.assert_close(recipe.ridge_map(rows, targets), ridge(rows, targets, best))
    printed = capsys.readouterr().out
    for strength, share in shares.items():
        assert f"strength {strength:6g}: {share:.1%}" in printed


def test_missing_class_names_say_what_to_install(recipe, monkeypatch):
    def missing(name):
        raise metadata.PackageNotFoundError(name)

    monkeypatch.setattr(recipe, "distribution", missing)
    with pytest.raises(SystemExit, match="pip install --no-deps timm"):
        recipe.class_names()
