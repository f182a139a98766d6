"""Model cards in Markdown, from ``config.json``."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from clip2point.core.registries import BACKBONES

#: Facts in the table of a card: their names there, by their names in ``config.json``.
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


def write_model_card(config: Mapping[str, Any], repository: str) -> str:
    """Write a model card in Markdown.

    Args:
        config: Contents of the model's ``config.json``.
        repository: "ORGANISATION/NAME" on the hub.

    Returns:
        Markdown text: description, usage, training data with licences, and measured figures; facts that are missing in
        the config are said to be unknown.
    """
    parts = (
        _write_header(config),
        f"# {repository.partition('/')[2]}",
        _describe_model(config),
        f"    pip install clip2point\n    clip2point classify chair.off --labels chair,table --model hf:{repository}",
        _format_table(
            ("", ""), ((words, _format_value(config[name])) for name, words in _FACTS.items() if name in config)
        ),
        "## What it learned from",
        _describe_data(config),
        "## Figures",
        _describe_figures(config),
        "## Licence",
        _describe_licences(config),
    )
    return "\n\n".join(part for part in parts if part) + "\n"


def _write_header(config: Mapping[str, Any]) -> str:
    """Return the metadata that the hub reads."""
    lines = ["library_name: clip2point", "tags:", *(f"- {tag}" for tag in ("clip2point", "3d", "point-cloud"))]
    named = str(config.get("base") or "")
    entry = BACKBONES.built_in.get(named)
    base = ((entry and entry.repository) or named).removeprefix("hf:").partition("@")[0]
    if base.count("/") == 1 and not base.startswith("."):
        lines.append(f"base_model: {base}")
    return "\n".join(("---", *lines, "---"))


def _describe_model(config: Mapping[str, Any]) -> str:
    """Describe the kind of model in a sentence or two."""
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


def _describe_data(config: Mapping[str, Any]) -> str:
    """Describe the training data, with their licences."""
    record = config.get("record")
    if isinstance(record, Mapping):
        return _format_table(
            ("", ""), ((name, _format_value(value)) for name, value in record.items() if name != "validation")
        )
    sources = config.get("training_data_licences")
    if not isinstance(sources, Mapping):
        return "The model does not say."
    rows = ((source, n, licence) for source, counts in sources.items() for licence, n in counts.items())
    return _format_table(("source", "models", "licence"), rows)


def _describe_figures(config: Mapping[str, Any]) -> str:
    """Return the measured figures."""
    record = config.get("record")
    found = record.get("validation") if isinstance(record, Mapping) else config.get("validation")
    if not isinstance(found, Mapping):
        return "None were measured when the model was made."
    return "On data that were held back:\n\n" + _format_table(
        ("", ""), ((k, _format_value(v)) for k, v in found.items())
    )


def _describe_licences(config: Mapping[str, Any]) -> str:
    """Return the licences of the weights, where they are stated."""
    stated = config.get("licences")
    if isinstance(stated, Mapping):
        return _format_table(("part", "licence"), stated.items())
    return "Not stated yet; whoever publishes the model says it here and as `license:` in the header."


def _format_table(columns: tuple[str, ...], rows: Iterable[tuple[Any, ...]]) -> str:
    """Return a table in Markdown."""
    lines = [columns, ("---",) * len(columns), *rows]
    return "\n".join("| " + " | ".join(str(cell).replace("|", r"\|") for cell in line) + " |" for line in lines)


def _format_value(value: Any) -> str:
    """Return a value of the config in a few words."""
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, list):
        return ", ".join(map(_format_value, value))
    if isinstance(value, Mapping):
        return ", ".join(f"{name}: {_format_value(item)}" for name, item in value.items())
    return str(value)
