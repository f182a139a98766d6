import numpy as np
import pytest

from clip2point.backbones.minilm_files import MAX_TOKENS, check_not_empty, read_minilm, tokenize
from clip2point.core.errors import ModelError, OptionError


def test_texts_become_padded_tokens_and_long_ones_are_cut():
    tokenizer = read_minilm().tokenizer
    ids = tokenize(tokenizer, ["chair", "a night stand with two drawers", "chair " * 5000])
    assert ids.shape == (3, MAX_TOKENS)
    assert ids.dtype == np.int64
    assert ids[0, :4].tolist() == [101, 3242, 102, 0]
    assert not ids[0, 3:].any()
    assert ids[2, -1] == 102
    assert tokenize(tokenizer, ["chair"]).tolist() == [[101, 3242, 102]]


def test_tokens_of_nothing_are_refused():
    check_not_empty(np.array([[101, 102], [101, 0]]))
    with pytest.raises(OptionError, match="tokens of an empty text: expected at least one besides padding"):
        check_not_empty(np.array([[101, 102], [0, 0]]))


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(ModelError, match="cannot read the text tower .*pip install"):
        read_minilm(tmp_path)
