"""Model cards: what ``config.json`` says of a model, for people."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from clip2point.backbones.transformers_backbone import ALIASES

#: Settings and kinds that a reader wants to know, by their names in ``config.json``.
_FACTS = {
    "backbone": "backbone",
    "base": "builds on",
    "towers": "towers",
    "activation": "activation",
    "views": "views",
    "points": "points of each shape",
    "radius": "radius of the discs",
    "style": "style of the depth maps",
    "templates": "prompts",
    "trained_steps": "training steps",
    "trained_with": "trained with",
}


def model_card(config: Mapping[str, Any], repository: str) -> str:
    """A model card in Markdown.

    Args:
        config: contents of the model's ``config.json``.
        repository: "ORGANISATION/NAME" on the hub.

    Returns:
        What the model is, how to use it, what it learned from under which licences, and which figures were measured;
        what the config does not say is said to be unknown.
    """
    parts = (
        _header(config),
        f"# {repository.partition('/')[2]}",
        _what(config),
        f"    pip install clip2point\n    clip2point classify chair.off --labels chair,table --model hf:{repository}",
        _table(("", ""), ((words, _text(config[name])) for name, words in _FACTS.items() if name in config)),
        "## What it learned from",
        _data(config),
        "## Figures",
        _figures(config),
        "## Licence",
        _licences(config),
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def _header(config: Mapping[str, Any]) -> str:
    """What the hub reads."""
    lines = ["library_name: clip2point", "tags:", *(f"- {tag}" for tag in ("clip2point", "3d", "point-cloud"))]
    named = str(config.get("base") or "")
    base = ALIASES.get(named, named).removeprefix("hf:").partition("@")[0]
    if base.count("/") == 1 and not base.startswith("."):
        lines.append(f"base_model: {base}")
    return "\n".join(("---", *lines, "---"))


def _what(config: Mapping[str, Any]) -> str:
    """Which kind of model it is, in a sentence or two."""
    source = config.get("converted_from")
    if "head" in config:
        names = config.get("classes", [])
        return (
            f"A head ({config['head'].get('kind')}) of clip2point that learned to name {len(names)} kinds of 3D shapes "
            f"from examples: {', '.join(map(str, names))}."
        )
    if isinstance(source, Mapping):
        return (
            f"A model converted for clip2point from {source.get('file')} ({source.get('kind')}, "
            f"sha256 {source.get('sha256')})."
        )
    return "A model of clip2point: it names 3D shapes, meshes or clouds, by reading depth maps of them."


def _data(config: Mapping[str, Any]) -> str:
    """The training data, with their licences."""
    record = config.get("record")
    if isinstance(record, Mapping):
        return _table(("", ""), ((name, _text(value)) for name, value in record.items() if name != "validation"))
    sources = config.get("training_data_licences")
    if not isinstance(sources, Mapping):
        return "The model does not say."
    rows = ((source, n, licence) for source, counts in sources.items() for licence, n in counts.items())
    return _table(("source", "models", "licence"), rows)


def _figures(config: Mapping[str, Any]) -> str:
    """What was measured."""
    record = config.get("record")
    found = record.get("validation") if isinstance(record, Mapping) else config.get("validation")
    if not isinstance(found, Mapping):
        return "None were measured when the model was made."
    return "On data that were held back:\n\n" + _table(("", ""), ((k, _text(v)) for k, v in found.items()))


def _licences(config: Mapping[str, Any]) -> str:
    """Of the weights, where they are stated."""
    stated = config.get("licences")
    if isinstance(stated, Mapping):
        return _table(("part", "licence"), stated.items())
    return "Not stated yet; whoever publishes the model says it here and as `license:` in the header."


def _table(columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> str:
    """A table in Markdown."""
    lines = [columns, ("---",) * len(columns), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", r"\|") for cell in line) + " |" for line in lines)


def _text(value: Any) -> str:
    """A value of the config in a few words."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return ", ".join(map(_text, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_text(item)}" for name, item in value.items())
    return str(value)
