"""Images and arrays as files."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from clip2point.core.files import replacing


def write_image(path: Path, pixels: NDArray[np.uint8] | Image.Image) -> None:
    """Write a PNG of [H, W] grayscale or [H, W, 3] colour pixels, or of an image."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    with replacing(path) as unfinished:
        image.save(unfinished, format="PNG")


def png_bytes(image: Image.Image) -> bytes:
    """Encode an image as a small PNG file."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return buffer.getvalue()


def write_array(path: Path, array: NDArray[np.generic]) -> None:
    """Write a .npy file."""
    with replacing(path) as unfinished, unfinished.open("wb") as file:
        np.save(file, array, allow_pickle=False)


def to_pixels(depth: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Convert depth maps in [0, 1] to gray levels 0 to 255 of the same shape.

    Examples:
        >>> to_pixels(np.array([0.0, 0.5, 1.0], dtype=np.float32))
        array([  0, 128, 255], dtype=uint8)
    """
    return np.round(np.clip(depth, 0, 1) * 255).astype(np.uint8)


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file."""
    with replacing(path) as unfinished:
        unfinished.write_bytes(content)
