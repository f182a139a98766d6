"""Image-depth pairs on disk: the one place where their format is written, read and checked.

A folder of pairs holds ``index.json`` and shards ``pairs-000000.tar``, ``pairs-000001.tar`` ... in WebDataset's format,
which are not compressed. A pair is the files of a shard that are named alike up to the first dot:

    KEY.json          key, caption, captions, category, licence, creator, source, views, seed, version
    KEY.points.npy    [P, 3] float32, points of the surface in the unit sphere, y up, front towards -z
    KEY.view0.png     [S, S] RGB, the first view of the set that "views" names; then KEY.view1.png ...

The index says by which recipe the folder is filled, how many models it is to have, and, for each shard that is whole,
its size in bytes, the keys in it and the models that could not be rendered.
"""

from clip2point.data.pairs.pair_files import PairInfo, encode_pair, is_key, make_keys
from clip2point.data.pairs.pair_set import PairSet
from clip2point.data.pairs.shard_files import StoredPair, read_shard, write_shard
from clip2point.data.pairs.shard_index import INDEX, PairIndex, ShardEntry, read_index

__all__ = [
    "INDEX",
    "PairIndex",
    "PairInfo",
    "PairSet",
    "ShardEntry",
    "StoredPair",
    "encode_pair",
    "is_key",
    "make_keys",
    "read_index",
    "read_shard",
    "write_shard",
]
