"""Optional dependencies: which extra of the distribution brings which module."""

from __future__ import annotations

#: Extra by top-level module.
EXTRAS = {
    **dict.fromkeys(
        ("torch", "transformers", "sklearn", "lightning_fabric", "lightning_utilities", "tensorboardX", "peft"), "train"
    ),
    "huggingface_hub": "hub",
    **dict.fromkeys(("DracoPy", "cascadio", "e57", "ufbx", "pxr", "h5py"), "formats"),
}


def explain_absence(module: str | None, purpose: str) -> str | None:
    """Say how to install what a purpose needs; None if no extra brings the module.

    Args:
        module: Name of the module that is not installed.
        purpose: Phrase for what needs it, as the subject of the sentence.

    Examples:
        >>> explain_absence("torch.nn", "pretrain")
        "pretrain needs torch: run pip install 'clip2point[train]'"
    """
    top = (module or "").partition(".")[0]
    return f"{purpose} needs {top}: run pip install 'clip2point[{EXTRAS[top]}]'" if top in EXTRAS else None
