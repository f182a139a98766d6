import pytest
import torch

from clip2point.backbones.minilm import build_minilm, embed_tokens
from clip2point.backbones.minilm_files import find_weights, read_minilm, tokenize

TEXTS = ["image of a chair", "a much longer description of a night stand with two drawers", "x"]


@pytest.fixture(scope="module")
def tower():
    files = read_minilm()
    encoder = build_minilm(files)
    return lambda texts: embed_tokens(encoder, torch.from_numpy(tokenize(files.tokenizer, texts)))


def test_equals_transformers(tower):
    from transformers import AutoTokenizer, BertModel

    folder = find_weights().parent
    model, tokenizer = BertModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)
    tokens = tokenizer(TEXTS, padding=True, return_tensors="pt")
    with torch.no_grad():
        hidden = model(**tokens).last_hidden_state
    weight = tokens["attention_mask"][..., None]
    torch.testing.assert_close(tower(TEXTS), (hidden * weight).sum(1) / weight.sum(1), atol=1e-5, rtol=0)


def test_company_in_the_batch_does_not_matter(tower):
    torch.testing.assert_close(tower(TEXTS)[2:], tower(TEXTS[2:]), atol=1e-5, rtol=0)


def test_meaning_is_near(tower):
    sofa, couch, airplane = torch.nn.functional.normalize(tower(["sofa", "couch", "airplane"]))
    assert sofa @ couch > sofa @ airplane + 0.3


def test_long_texts_are_cut(tower):
    assert tower(["chair " * 5000]).isfinite().all()
