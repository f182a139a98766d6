"""all-MiniLM-L6-v2, a BERT encoder of six layers, as a module of PyTorch: the text tower of ``pocket``.

It is written out here because importing transformers for it takes longer than all the rest of a cold start. The tests
hold it against transformers' BertModel.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from clip2point.backbones.minilm_files import PADDING, MiniLMFiles


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


def build_minilm(files: MiniLMFiles) -> MiniLM:
    """Build the encoder for inference, with the weights of its files."""
    encoder = MiniLM(files.config)
    encoder.load_state_dict({name: torch.from_numpy(array) for name, array in files.weights.items()})
    return encoder.eval().requires_grad_(False)


@torch.inference_mode()
def embed_tokens(encoder: MiniLM, ids: Tensor) -> Tensor:
    """Return embeddings [B, D], not normalised, of texts given as numbers [B, L] of tokens, padding included."""
    ids = ids.to(encoder.words.weight.device, torch.int64)
    found: Tensor = encoder(ids, ids != PADDING)
    return found
