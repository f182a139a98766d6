"""Loading of the model that embedded a library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from clip2point.core.errors import ModelError
from clip2point.search.library import Library

if TYPE_CHECKING:
    from clip2point.model import Recogniser


def load_library_model(
    library: Library, name: str | None = None, *, device: str = "cpu", dtype: str = "auto"
) -> Recogniser:
    """Load the model of a library.

    Args:
        library: Library that will be searched.
        name: Another name or folder of the model; None for the one that the library names. Whether its vectors can be
            compared is checked when it is used.
        device: Device, as for ``load``.
        dtype: Number format of the towers, as for ``load``.

    Raises:
        ModelError: The model cannot be loaded.
    """
    from clip2point.model import load

    try:
        return load(name or library.model_name, device=device, dtype=dtype)
    except ModelError as error:
        if name:
            raise
        raise ModelError(
            f"{library.path}: was made with the model {library.model_name}, which cannot be loaded ({error}); name "
            "its folder with --model"
        ) from error
