"""A folder of the depth maps that a model saw."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from clip2point.rendering import ViewSet
from clip2point.rendering.image_files import to_pixels, write_array, write_image
from clip2point.report.contact_sheet import Row, contact_sheet, view_headings

#: Rows of one sheet; more shapes go on to further sheets.
_ROWS_PER_SHEET = 30


class ViewFolder:
    """Writer of a sub-folder of views for each shape, and of contact sheets of all shapes.

    A shape ``chair.off`` becomes ``chair/depth.npy`` ([V, S, S] float32 in [0, 1]) and ``chair/depth_00.png`` and so
    on, with ``color_00.png`` and so on where colour images are given.

    Args:
        folder: Output folder, created if need be.
        views: View set of V views, which name the columns.
    """

    def __init__(self, folder: Path, views: ViewSet) -> None:
        self.folder, self.views = folder, views
        self._rows: list[Row] = []
        self._names: set[str] = set()
        self._sheets: list[Path] = []

    def add(
        self,
        source: Path,
        depth: NDArray[np.float32],
        remark: str = "",
        color: NDArray[np.uint8] | None = None,
    ) -> None:
        """Write the images of one shape.

        Args:
            source: Path of the shape, after which the sub-folder is named.
            depth: [V, S, S] depth maps in [0, 1].
            remark: Remark on the contact sheet.
            color: [V, S, S, 3] colour images, or None.
        """
        folder = self.folder / self._unique_name(source)
        write_array(folder / "depth.npy", depth)
        for kind, pictures in (("depth", to_pixels(depth)), ("color", color)):
            if pictures is None:
                continue
            for index, picture in enumerate(pictures):
                write_image(folder / f"{kind}_{index:02d}.png", picture)
            self._rows.append(Row(source.name if kind == "depth" else "", remark * (kind == "depth"), list(pictures)))
        if len(self._rows) >= _ROWS_PER_SHEET:
            self._write_sheet()

    def finish(self) -> Path:
        """Write the last contact sheet and return the path of the first."""
        if self._rows:
            self._write_sheet()
        return self._sheets[0]

    def _write_sheet(self) -> None:
        number = len(self._sheets) + 1
        path = self.folder / ("contact_sheet.png" if number == 1 else f"contact_sheet_{number}.png")
        write_image(path, contact_sheet(self._rows, view_headings(self.views.angles)))
        self._sheets.append(path)
        self._rows = []

    def _unique_name(self, source: Path) -> str:
        """Return the file's name without extensions, with a number if another file has the same one."""
        stem = source.name.split(".")[0] or source.name
        name, number = stem, 2
        while name in self._names:
            name, number = f"{stem}-{number}", number + 1
        self._names.add(name)
        return name
