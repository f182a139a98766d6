"""Parts, assemblies and scanned scenes: split, then name."""

from clip2point.scenes.finding import find_parts
from clip2point.scenes.merging import merge_by_names
from clip2point.scenes.naming import cut_part, name_parts
from clip2point.scenes.results import Part, SceneParts, Support
from clip2point.scenes.splitting import Split, split_cloud

__all__ = [
    "Part",
    "SceneParts",
    "Split",
    "Support",
    "cut_part",
    "find_parts",
    "merge_by_names",
    "name_parts",
    "split_cloud",
]
