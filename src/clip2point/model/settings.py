"""Rendering and prompt settings of a model: equal settings give equal features."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any

from clip2point.core.errors import OptionError
from clip2point.rendering.cameras import ViewSet
from clip2point.rendering.depth import check_style
from clip2point.rendering.scene import check_radius
from clip2point.rendering.views import name_or_content

#: The prompt of the public code.
PAPER_TEMPLATES = ("image of a {}",)


@dataclass(frozen=True)
class Settings:
    """Rendering and prompt settings of a model; the defaults are those of the paper's zero-shot classification.

    Attributes:
        views: Name of a built-in view set, else the set itself; a file with cameras or the name of a plug-in's set may
            be given, see ``view_set``, and is replaced by what it holds.
        points: Number of points drawn from each shape.
        radius: Radius of the discs, in half image widths.
        style: Style of the depth maps.
        templates: Prompts with one ``{}`` each; a class's text feature is the mean over them.

    Examples:
        >>> settings = Settings(views="ring-12@20", templates=("a photo of a {}", "a {}"))
        >>> Settings.from_dict(settings.to_dict()) == settings
        True
    """

    views: str | ViewSet = "clip2point-6"
    points: int = 1024
    radius: float = 0.02
    style: str = "clip2point"
    templates: tuple[str, ...] = PAPER_TEMPLATES

    def __post_init__(self) -> None:
        object.__setattr__(self, "views", name_or_content(self.views))
        if not 1 <= self.points <= 1_000_000:
            raise OptionError(f"points {self.points}: expected 1 to 1000000")
        check_radius(self.radius)
        check_style(self.style)
        if not self.templates or any(template.count("{}") != 1 for template in self.templates):
            raise OptionError(
                f"templates {list(self.templates)}: expected at least one, each with one {{}} for the name"
            )

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Settings:
        """Read the output of ``to_dict``; other keys are passed over."""
        known = {field.name: values[field.name] for field in fields(cls) if field.name in values}
        if "templates" in known:
            known["templates"] = tuple(known["templates"])
        if isinstance(known.get("views"), Mapping):
            known["views"] = ViewSet.from_dict(known["views"])
        return cls(**known)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as JSON types."""
        views = self.views.to_dict() if isinstance(self.views, ViewSet) else self.views
        return {**asdict(self), "views": views, "templates": list(self.templates)}
