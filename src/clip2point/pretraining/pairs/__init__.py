"""Image-depth pairs for pre-training: models from many sources, rendered into folders of pairs."""

from clip2point.pretraining.pairs.pair_folder import PairFolder, PairSettings, write_pairs
from clip2point.pretraining.pairs.source_model import SourceModel
from clip2point.pretraining.pairs.sources import Source, open_source

__all__ = ["PairFolder", "PairSettings", "Source", "SourceModel", "open_source", "write_pairs"]
