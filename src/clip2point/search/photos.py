"""Photos to search by: untrusted picture files as square colour images."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps

from clip2point.core.errors import OptionError, reason

#: Formats whose decoders are plain (an EPS, for one, would start another program).
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF", "TIFF")
#: Most bytes of a picture file, and most pixels of a picture.
MAX_BYTES, MAX_PIXELS = 256 * 1024**2, 8192 * 8192

#: Longer sides are reduced to this before anything else: no tower reads more.
_SIDE = 1024


def read_photo(source: str | os.PathLike[str] | Image.Image) -> Image.Image:
    """Read a picture as the image tower is to see it: upright, all of it, square.

    The side at which it was taken is turned up as the camera noted, what is transparent becomes white, and the shorter
    side is filled up with the median colour of the border, for towers look at a square and cut off or squeeze the rest.

    Args:
        source: a file, or a picture that was read before.

    Returns:
        RGB, at most 1,024 pixels wide and high.

    Raises:
        OptionError: if the file is missing, too large or no whole picture.
    """
    if isinstance(source, Image.Image):
        return _squared(source)
    path = Path(source)
    try:
        if not path.is_file():
            raise OptionError(f"{path}: no such picture file; expected {', '.join(FORMATS)}")
        if path.stat().st_size > MAX_BYTES:
            raise OptionError(f"{path}: has more than {MAX_BYTES:,} bytes; expected a smaller picture")
        with Image.open(path, formats=FORMATS) as image:
            return _squared(image)
    except OptionError as error:
        raise error if str(error).startswith(str(path)) else OptionError(f"{path}: {error}") from None
    except Exception as error:  # Pillow raises many kinds on damaged data
        raise OptionError(
            f"{path}: cannot be read as a picture ({reason(error)}); expected a whole file of {', '.join(FORMATS)}"
        ) from error


def _squared(image: Image.Image) -> Image.Image:
    if image.width * image.height > MAX_PIXELS:
        raise OptionError(
            f"the picture has {image.width} x {image.height} pixels; expected at most {MAX_PIXELS:,}, so reduce it"
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
