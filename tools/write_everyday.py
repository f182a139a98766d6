"""Writes the text features of the default labels that the package carries: python tools/write_everyday.py.

To be run whenever the names (``core/everyday.py``), the templates or the text tower of pocket change; a test says so.
"""

import numpy as np

from clip2point import load
from clip2point.core.everyday import EVERYDAY
from clip2point.model.everyday_features import FILE
from clip2point.model.zero_shot import class_features

model = load("pocket")
templates = model.settings.templates
np.savez_compressed(
    FILE,
    tower=model.backbone.text_fingerprint(),
    templates=np.array(templates),
    labels=np.array(EVERYDAY),
    features=class_features(model.backbone, EVERYDAY, templates),
)
print(f"{FILE}: {len(EVERYDAY)} labels, {FILE.stat().st_size:,} bytes")
