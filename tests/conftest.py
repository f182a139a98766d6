"""Settings and tiny models that many tests share."""

import json
import os
import tempfile
from concurrent.futures import ThreadPoolExecutor

# Before PyTorch and numba are imported: processes with a thread for every core each wait for one another, and most of
# what is computed here is small. Both share the threads of OpenMP, so that numba's number holds for PyTorch as well.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")
# No test reads or writes the cache of whoever runs it.
os.environ["CLIP2POINT_CACHE"] = tempfile.mkdtemp(prefix="clip2point-cache-")

import pytest
import torch
from hypothesis import settings
from tokenizers import Tokenizer, models, pre_tokenizers, processors

from plugin_fixtures import plugins  # noqa: F401

# The same examples in every run, and no test that fails because the machine is busy.
settings.register_profile("suite", deadline=None, derandomize=True)
settings.load_profile("suite")


@pytest.fixture(scope="session")
def in_threads():
    """Lets one worker of a pair folder be a thread until a patch is undone: a process takes seconds to begin."""
    from clip2point.core import workers

    def patched(patch, make=workers._start_pool):
        patch.setattr(workers, "_start_pool", lambda count: ThreadPoolExecutor(1) if count == 1 else make(count))

    return patched


WORDS = ["image", "of", "a", "an", "the", "chair", "table", "lamp", "depth", "map", "airplane", "night", "stand"]


def write_tokenizer(folder, length):
    """A word tokenizer in the manner of CLIP's: begin and end tokens, end used as padding."""
    specials = ["<unk>", "<bos>", "<eos>"]
    vocabulary = {word: index for index, word in enumerate([*specials, *WORDS])}
    tokenizer = Tokenizer(models.WordLevel(vocabulary, unk_token="<unk>"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<bos> $A <eos>", special_tokens=[("<bos>", 1), ("<eos>", 2)]
    )
    tokenizer.save(str(folder / "tokenizer.json"))
    settings = {"tokenizer_class": "PreTrainedTokenizerFast", "model_max_length": length}
    settings |= {"unk_token": "<unk>", "bos_token": "<bos>", "eos_token": "<eos>", "pad_token": "<eos>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(settings))
    return len(vocabulary)


@pytest.fixture(scope="session")
def tiny_clip(tmp_path_factory):
    """Folder of a CLIP model with random weights: 32 px, patch 8, two layers."""
    from transformers import CLIPConfig, CLIPModel

    folder = tmp_path_factory.mktemp("tiny-clip")
    words = write_tokenizer(folder, 16)
    torch.manual_seed(0)
    text = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = CLIPConfig(
        text_config={**text, "vocab_size": words, "max_position_embeddings": 16, "bos_token_id": 1, "eos_token_id": 2},
        vision_config={**text, "image_size": 32, "patch_size": 8},
        projection_dim=24,
    )
    CLIPModel(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def untrained_pocket(tmp_path_factory):
    """Folder of the embedded model without its depth tower, under the paper's settings."""
    from clip2point.backbones.pocket import TENSORS
    from clip2point.model.checkpoint import read_checkpoint, write_checkpoint
    from clip2point.model.folders import POCKET
    from clip2point.model.settings import Settings

    folder = tmp_path_factory.mktemp("untrained-pocket")
    tensors = read_checkpoint(POCKET).tensors
    config = {"backbone": "pocket", "logit_scale": 10, **Settings().to_dict()}
    write_checkpoint(folder, {name: tensors[name] for name in TENSORS}, config)
    return folder


@pytest.fixture(scope="session")
def tiny_siglip(tmp_path_factory):
    """Folder of a SigLIP model with random weights: 32 px, patch 8, two layers."""
    from transformers import SiglipConfig, SiglipModel

    folder = tmp_path_factory.mktemp("tiny-siglip")
    words = write_tokenizer(folder, 16)
    torch.manual_seed(0)
    tower = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    config = SiglipConfig(
        text_config={**tower, "vocab_size": words, "max_position_embeddings": 16},
        vision_config={**tower, "image_size": 32, "patch_size": 8},
    )
    SiglipModel(config).save_pretrained(folder)
    return folder
