"""Versions of this package and of what its figures depend on."""

from __future__ import annotations

__version__ = "0.2.0"


def software_versions(*packages: str) -> dict[str, str]:
    """Return the versions that a record of measured figures states.

    Args:
        packages: Further distributions, beside those that every figure depends on.

    Returns:
        Version by name: this package, Python, PyTorch, NumPy, numba, ``packages``, and the platform.
    """
    # Both would be half of the time that ``import clip2point`` takes.
    import platform
    from importlib.metadata import version

    return {
        "clip2point": __version__,
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "numpy", "numba")},
        "platform": platform.platform(),
        **{name: version(name) for name in packages},
    }
