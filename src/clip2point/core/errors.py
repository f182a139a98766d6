"""Errors for users. Each message says what is wrong, in which file, what was expected and what to do."""


class Clip2PointError(Exception):
    """Base class of errors in input, files or settings, as opposed to bugs."""


class ShapeError(Clip2PointError):
    """A file or array that cannot be read as a 3D shape."""


class ModelError(Clip2PointError):
    """A model, checkpoint or backbone that cannot be found, read or trusted."""


class OptionError(Clip2PointError):
    """An invalid option or argument."""


class DataError(Clip2PointError):
    """A data set that is missing, incomplete or broken."""


class PluginError(Clip2PointError):
    """A plug-in that cannot be imported, or brings something else than it promises."""


class CacheError(Clip2PointError):
    """A cache that cannot be written to."""


class InterruptedTrainingError(Clip2PointError):
    """An interrupted training, where only a finished one is of use."""


def reason(error: BaseException) -> str:
    """Return the first line of another library's error message, without a full stop."""
    return (str(error).strip() or type(error).__name__).splitlines()[0].rstrip(".")
