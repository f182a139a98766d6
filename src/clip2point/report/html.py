"""Self-contained HTML pages."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from PIL import Image

from clip2point.core.files import replacing
from clip2point.core.version import __version__
from clip2point.report.plots import SHARPNESS


def write_html(path: Path, template: str, **values: Any) -> None:
    """Fill a template and write the page.

    Args:
        path: Path of the .html file.
        template: File name in ``report/templates``.
        values: Variables of the template; text is escaped.

    Raises:
        OSError: The page cannot be written.
    """
    environment = Environment(
        loader=PackageLoader("clip2point.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    html = environment.get_template(template).render(version=__version__, **values)
    with replacing(path) as unfinished:
        unfinished.write_text(html, encoding="utf-8")


def data_url(png: bytes) -> str:
    """Return the content of a PNG file as a data URL."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def embed_plots(plots: Mapping[str, bytes]) -> dict[str, tuple[str, int]]:
    """Return data URL and width on the page, in pixels, of plots by name."""
    widths = {name: Image.open(io.BytesIO(png)).width for name, png in plots.items()}
    return {name: (data_url(png), round(widths[name] / SHARPNESS)) for name, png in plots.items()}
