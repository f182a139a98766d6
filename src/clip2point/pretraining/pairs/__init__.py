"""Image-depth pairs for pre-training: models from many sources, rendered into folders of pairs."""

from clip2point.pretraining.pairs.pair_folder import PairFolder, PairSettings, write_pairs
from clip2point.pretraining.pairs.source_model import SourceModel, SourceRequest, name_to_words
from clip2point.pretraining.pairs.sources import Source, open_source, register_source

__all__ = [
    "PairFolder",
    "PairSettings",
    "Source",
    "SourceModel",
    "SourceRequest",
    "name_to_words",
    "open_source",
    "register_source",
    "write_pairs",
]
