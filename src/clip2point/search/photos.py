"""Photos as queries: untrusted image files as square colour images."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from clip2point.core.errors import OptionError, reason

#: Formats with plain decoders (EPS, for one, would start another program).
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
#: Most bytes of an image file, and most pixels of an image.
MAX_BYTES, MAX_PIXELS = 256 * 1024**2, 8192 * 8192

#: Longest side after the first reduction: no tower reads more.
_SIDE = 1024


def read_photo(source: str | os.PathLike[str] | Image.Image) -> Image.Image:
    """Read an image for the image tower: upright, whole and square.

    The image is rotated upright by its EXIF orientation, transparency becomes white, and the shorter side is padded
    with the median colour of the border, because towers read a square and crop or squeeze everything else.

    Args:
        source: Path of an image file, or an open image.

    Returns:
        RGB image, at most 1,024 pixels wide and high.

    Raises:
        OptionError: The file is missing, too large or no whole image.

    Examples:
        >>> from PIL import Image
        >>> read_photo(Image.new("RGB", (40, 20), "red")).size
        (40, 40)
    """
    if isinstance(source, Image.Image):
        return _pad_to_square(source)
    path = Path(source)
    try:
        if not path.is_file():
            raise OptionError(f"{path}: no such image file; expected {', '.join(FORMATS)}")
        if path.stat().st_size > MAX_BYTES:
            raise OptionError(f"{path}: has more than {MAX_BYTES:,} bytes; expected a smaller image")
        with Image.open(path, formats=FORMATS) as image:
            return _pad_to_square(image)
    except OptionError as error:
        raise error if str(error).startswith(str(path)) else OptionError(f"{path}: {error}") from None
    except Exception as error:  # Pillow raises many kinds on damaged data
        raise OptionError(
            f"{path}: cannot be read as an image ({reason(error)}); expected a whole file of {', '.join(FORMATS)}"
        ) from error


def _pad_to_square(image: Image.Image) -> Image.Image:
    if image.width * image.height > MAX_PIXELS:
        raise OptionError(
            f"the image has {image.width} x {image.height} pixels; expected at most {MAX_PIXELS:,}, so reduce it"
        )
    image.draft("RGB", (_SIDE, _SIDE))  # lets JPEG's decoder reduce it, where it is one
    upright = ImageOps.exif_transpose(image)
    upright.thumbnail((_SIDE, _SIDE))
    colour = upright.convert("RGBA")
    whole = Image.alpha_composite(Image.new("RGBA", colour.size, "white"), colour).convert("RGB")
    pixels = np.asarray(whole)
    border = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    filling = tuple(int(value) for value in np.median(border, axis=0))
    side = max(whole.size)
    return ImageOps.pad(whole, (side, side), color=filling)
