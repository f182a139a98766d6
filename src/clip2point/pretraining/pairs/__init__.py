"""Image-depth pairs for pre-training: models from many sources, rendered into WebDataset shards."""

from clip2point.pretraining.pairs.shard_reading import read_shard
from clip2point.pretraining.pairs.shards import PairFolder
from clip2point.pretraining.pairs.source_model import Model
from clip2point.pretraining.pairs.sources import Source, open_source

__all__ = ["Model", "PairFolder", "Source", "open_source", "read_shard"]
