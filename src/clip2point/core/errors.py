"""The errors that a user can meet. Each message says what is wrong, where, what was expected and what to do."""


class Clip2PointError(Exception):
    """Base of all errors that stem from input, files or settings rather than from a bug."""


class ShapeError(Clip2PointError):
    """A file or array that cannot be read as a 3D shape."""


class ModelError(Clip2PointError):
    """A model, checkpoint or backbone that cannot be found, read or trusted."""


class OptionError(Clip2PointError):
    """An option or argument with a value that makes no sense."""


class DataError(Clip2PointError):
    """A data set that is missing, incomplete or broken."""


class CacheError(Clip2PointError):
    """A cache that cannot be written to."""


def reason(error: BaseException) -> str:
    """What an error of another library says, in one line."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
