import pytest
import torch

from clip2point.backbones.minilm import MiniLMTextTower, find_weights
from clip2point.core.errors import ModelError, OptionError

TEXTS = ["image of a chair", "a much longer description of a night stand with two drawers", "x"]


@pytest.fixture(scope="module")
def tower():
    return MiniLMTextTower()


def test_equals_transformers(tower):
    from transformers import AutoTokenizer, BertModel

    folder = find_weights().parent
    model, tokenizer = BertModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    tokens = tokenizer(TEXTS, padding=True, return_tensors="pt")
    with torch.no_grad():
        hidden = model(**tokens).last_hidden_state
    weight = tokens["attention_mask"][..., None]
    torch.testing.assert_close(tower(TEXTS), (hidden * weight).sum(1) / weight.sum(1), atol=1e-5, rtol=0)


def test_tokens_give_the_embeddings_of_their_texts(tower):
    ids = torch.tensor([encoding.ids for encoding in tower.tokenizer.encode_batch(TEXTS)])
    assert torch.equal(tower.encode_tokens(ids), tower(TEXTS))
    with pytest.raises(OptionError, match="tokens of an empty text: expected at least one besides padding"):
        tower.encode_tokens(torch.tensor([[101, 102], [0, 0]]))
    with pytest.raises(OptionError, match=r"expected integers \[B, L\], L from 1 to 256"):
        tower.encode_tokens(torch.ones(1, 257, dtype=int))


def test_company_in_the_batch_does_not_matter(tower):
    torch.testing.assert_close(tower(TEXTS)[2:], tower(TEXTS[2:]), atol=1e-5, rtol=0)


def test_meaning_is_near(tower):
    sofa, couch, airplane = torch.nn.functional.normalize(tower(["sofa", "couch", "airplane"]))
    assert sofa @ couch > sofa @ airplane + 0.3


def test_long_texts_are_cut(tower):
    assert tower(["chair " * 5000]).isfinite().all()


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(ModelError, match="cannot read the text tower .*pip install"):
        MiniLMTextTower(tmp_path)
