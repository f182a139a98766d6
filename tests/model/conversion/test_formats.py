"""Every format and its variants, strictly: other sizes, other activations, what is missing and what is too many."""

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import clip2point
from clip2point.core.errors import ModelError, OptionError
from clip2point.model import conversion
from clip2point.model.conversion.reading import read_foreign

DATA = Path(__file__).parent.parent.parent / "data"
CLIP, PRETRAINING, DPA = (
    DATA / f"{name}.pth" for name in ("openai_clip_tiny", "official_pretrain_tiny", "official_dpa_tiny")
)


def images():
    return torch.rand(3, 3, 24, 24, generator=torch.Generator().manual_seed(0))


def tokens():
    return torch.tensor([[48, 3, 4, 49, 0, 0], [48, 7, 49, 49, 49, 49], [48, 1, 2, 3, 4, 49]])


def check_features(backbone, reference):
    """Hold the features against those of transformers."""
    mean = torch.tensor((0.48145466, 0.4578275, 0.40821073))[:, None, None]
    std = torch.tensor((0.26862954, 0.26130258, 0.27577711))[:, None, None]
    with torch.no_grad():
        vision = reference.vision_model(pixel_values=(images() - mean) / std).pooler_output
        text = reference.text_model(input_ids=tokens()).pooler_output
        expected = reference.visual_projection(vision), reference.text_projection(text)
    torch.testing.assert_close(backbone.encode_image(images()), expected[0], atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(backbone.encode_tokens(tokens()), expected[1], atol=1e-4, rtol=1e-4)


def load(out):
    return clip2point.load(out, dtype="fp32")


@pytest.mark.parametrize("form", ["zip", "legacy", "safetensors", "parameters", "half"])
def test_clip_of_any_size_in_any_file(state, reference, activation, form, saved, tmp_path):
    if form == "half" and activation == "gelu":
        pytest.skip("once suffices")
    if form == "safetensors":
        path = tmp_path / "model.safetensors"
        save_file(state, path)
    elif form == "parameters":
        path = saved({name: torch.nn.Parameter(tensor) for name, tensor in state.items()})
    elif form == "half":
        path = saved({name: tensor.half() for name, tensor in state.items()})
    else:
        path = saved(state, _use_new_zipfile_serialization=form == "zip")
    found = clip2point.convert(path, tmp_path / "out", activation=activation)
    assert (found.activation, found.dim, found.image_size) == (activation, 48, 24)
    backbone = load(tmp_path / "out").backbone
    assert backbone.activation == activation
    assert backbone.logit_scale == pytest.approx(float(reference.logit_scale.detach().exp()), rel=1e-3)
    if form == "half":
        assert torch.cosine_similarity(backbone.encode_image(images()), load_full(state, tmp_path, saved)).min() > 0.999
    else:
        check_features(backbone, reference)


def load_full(state, tmp_path, saved):
    clip2point.convert(saved(state, "full.pth"), tmp_path / "full")
    return load(tmp_path / "full").backbone.encode_image(images())


class Named(torch.nn.Module):
    """A module whose parameters have given names, as a TorchScript archive needs one."""

    def __init__(self, state):
        super().__init__()
        for name, tensor in state.items():
            *parents, leaf = name.split(".")
            module = self
            for parent in parents:
                if not hasattr(module, parent):
                    module.add_module(parent, torch.nn.Module())
                module = getattr(module, parent)
            module.register_buffer(leaf, tensor)

    def forward(self, x):
        return x


def torchscript(state, path, **numbers):
    sizes = {"input_resolution": 24, "context_length": 12, "vocab_size": 50, **numbers}
    module = Named({**state, **{name: torch.tensor(number) for name, number in sizes.items()}})
    mask = torch.full((12, 12), float("-inf")).triu(1)
    module.transformer.resblocks.get_submodule("1").register_buffer("attn_mask", mask)
    torch.jit.save(torch.jit.trace(module, torch.zeros(1)), path)
    return path


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torchscript_is_read_without_being_run(state, reference, tmp_path, monkeypatch):
    path = torchscript(state, tmp_path / "ViT.pt")
    for name in ("load", "jit.load"):
        monkeypatch.setattr(f"torch.{name}", lambda *_, **__: pytest.fail("the archive was run"))
    assert "transformer.resblocks.1.attn_mask" in read_foreign(path).tensors
    found = clip2point.convert(path, tmp_path / "out")
    assert (found.kind, found.activation) == ("openai-clip", "quick_gelu")
    assert not any("activation" in remark for remark in found.remarks)
    backbone = load(tmp_path / "out").backbone
    if reference.config.vision_config.hidden_act == "quick_gelu":
        check_features(backbone, reference)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_torchscript_that_contradicts_itself(state, tmp_path):
    path = torchscript(state, tmp_path / "ViT.pt", input_resolution=224)
    with pytest.raises(ModelError, match=r"ViT.pt: the tensor 'input_resolution' says 224, but the others say 24"):
        clip2point.convert(path, tmp_path / "out")


def openclip_files(state):
    """The ways in which a file shows that OpenCLIP wrote it."""
    mask = torch.full((12, 12), float("-inf")).triu(1)
    vision = {name: tensor for name, tensor in state.items() if name.startswith("visual.")}
    text = {f"text.{name}": tensor for name, tensor in state.items() if name not in vision and name != "logit_scale"}
    training = {"epoch": 3, "name": "lr_1-model_ViT", "state_dict": {f"module.{k}": v for k, v in state.items()}}
    return {
        "training": training,
        "mask": {**state, "attn_mask": mask},
        "custom": {**vision, **text, "logit_scale": state["logit_scale"]},
    }


@pytest.mark.parametrize("form", ["training", "mask", "custom"])
def test_openclip_has_gelu(state, reference, form, saved, tmp_path):
    found = clip2point.convert(saved(openclip_files(state)[form]), tmp_path / "out")
    assert (found.kind, found.activation) == ("openclip", "gelu")
    if reference.config.vision_config.hidden_act == "gelu":
        check_features(load(tmp_path / "out").backbone, reference)


def test_openclip_may_say_that_it_has_quick_gelu(state, saved, tmp_path):
    training = {**openclip_files(state)["training"], "name": "lr_1-model_ViT-B-32-quickgelu"}
    assert clip2point.convert(saved(training), tmp_path / "a").activation == "quick_gelu"
    path, beside = saved(state), tmp_path / "open_clip_config.json"
    beside.write_text(json.dumps({"model_cfg": {"quick_gelu": True}}))
    found = clip2point.convert(path, tmp_path / "b")
    assert (found.kind, found.activation) == ("openclip", "quick_gelu")
    beside.write_text(json.dumps({"model_cfg": {}}))
    assert clip2point.convert(path, tmp_path / "c").activation == "gelu"
    beside.write_text("[]")
    with pytest.raises(ModelError, match="open_clip_config.json: not a configuration of OpenCLIP"):
        clip2point.convert(path, tmp_path / "d")


def test_what_is_assumed_is_said(state, saved, tmp_path):
    found = clip2point.convert(saved(state), tmp_path / "out")
    assert "quick_gelu is assumed" in found.remarks[0]
    assert not any("assumed" in remark for remark in clip2point.convert(DPA, tmp_path / "dpa").remarks)


def change(path, remove=(), **add):
    tensors = torch.load(path, weights_only=True)
    return {**{name: tensor for name, tensor in tensors.items() if name not in remove}, **add}


@pytest.mark.parametrize("file", [CLIP, PRETRAINING, DPA])
def test_no_tensor_is_passed_over(file, saved, tmp_path):
    prefix = "module." if file == PRETRAINING else ""
    extra = {f"{prefix}surplus.weight": torch.zeros(2)}
    with pytest.raises(ModelError, match=r"model.pth: the tensor 'surplus.weight' has no place in a model"):
        clip2point.convert(saved(change(file, **extra)), tmp_path / "out")
    for name in torch.load(file, weights_only=True):
        if "attn" not in name or "resblocks.1" in name:
            continue
        with pytest.raises(ModelError, match=r"model.pth, .* tower: the tensor '.*attn.*' is missing"):
            clip2point.convert(saved(change(file, [name])), tmp_path / "out")
        break
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        (
            "visual.proj",
            torch.zeros(64, 31),
            "do not share one embedding space: .* image 31, text 32",
        ),
        ("visual.conv1.weight", torch.zeros(64, 1, 16, 16), "fit no square colour image"),
        ("visual.positional_embedding", torch.zeros(16, 64), "fit no square colour image"),
        ("visual.ln_post.bias", torch.full((64,), float("nan")), "'ln_post.bias' has values that are not finite"),
        ("visual.ln_post.bias", torch.zeros(63), r"'ln_post.bias' has shape \[63\], expected \[64\]"),
        ("visual.ln_post.bias", torch.zeros(64, dtype=torch.int64), "'ln_post.bias' is in torch.int64"),
        ("visual.transformer.resblocks.987654321.ln_1.bias", torch.zeros(64), "resblocks.2.attn.* is missing"),
        ("logit_scale", torch.zeros(2), r"'logit_scale' of shape \[2\]: expected one finite number"),
        ("visual.layer1.0.conv1.weight", torch.zeros(2), "a ResNet; only CLIP models with a vision transformer"),
        ("visual.trunk.norm.weight", torch.zeros(2), "towers of other libraries"),
        ("attn_mask", torch.zeros(77, 77), "'attn_mask' has no place"),
    ],
)
def test_tensors_that_do_not_fit(name, value, message, saved, tmp_path):
    with pytest.raises(ModelError, match=message):
        clip2point.convert(saved(change(CLIP, **{name: value})), tmp_path / "out")


def test_adapters_that_do_not_fit(saved, tmp_path):
    ratio, mix = "adapter1.fusion_ratio", "adapter1.global_f.3.weight"
    for add, message in (
        ({ratio: torch.zeros(10**6)}, r"have shapes \[1000000\] and \[32, 320\], expected \[V\] and \[32, V \* 32\]"),
        ({mix: torch.zeros(32, 10)}, r"'adapter1.global_f.3.weight' have shapes \[10\] and \[32, 10\]"),
        ({"adapter2.fusion_ratio": torch.zeros(9)}, r"'adapter2.fusion_ratio' has shape \[9\], expected \[10\]"),
        ({"adapter2.more": torch.zeros(9)}, "'adapter2.more' is not part of this model"),
        ({"selector.view_selector.views_azim": torch.zeros(2, 2)}, "the finite elev, azim or dist of each view"),
    ):
        with pytest.raises(ModelError, match=message):
            clip2point.convert(saved(change(DPA, **add)), tmp_path / "out")
    half = {name: tensor for name, tensor in change(DPA).items() if not name.startswith("adapter2.")}
    with pytest.raises(ModelError, match=r"a DPA model without the tensors adapter2\.\*"):
        clip2point.convert(saved(half), tmp_path / "out")


def test_cameras_are_kept_and_recognised(saved, tmp_path):
    clip2point.convert(PRETRAINING, tmp_path / "pretraining")
    record = json.loads((tmp_path / "pretraining" / "config.json").read_text())["converted_from"]
    assert record["cameras"]["elev"][:3] == [0, 90, 180]
    assert record["sigma"] == pytest.approx(1.2)
    turned = {"selector.view_selector.views_azim": torch.arange(10.0)}
    found = clip2point.convert(saved(change(DPA, **turned)), tmp_path / "out")
    assert any("none of the known view sets" in remark for remark in found.remarks)
    bare = {name: tensor for name, tensor in change(DPA).items() if not name.startswith("selector.")}
    assert clip2point.convert(saved(bare), tmp_path / "bare").views == "clip2point-10"


def test_without_the_clip_file_texts_cannot_be_read(tmp_path):
    found = clip2point.convert(DPA, tmp_path / "out")
    assert any("no text tower" in remark for remark in found.remarks)
    backbone = load(tmp_path / "out").backbone
    for ask in (lambda: backbone.encode_text(["chair"]), lambda: backbone.encode_tokens(torch.zeros(1, 3, dtype=int))):
        with pytest.raises(ModelError, match=r"has no text tower.*give the CLIP file too: --clip ViT-B-32.pt"):
            ask()


def test_a_depth_tower_alone(saved, tmp_path):
    alone = {name: t for name, t in change(PRETRAINING).items() if name.startswith("module.point_model.")}
    found = clip2point.convert(saved(alone), tmp_path / "alone")
    assert found.towers == ("depth",)
    backbone = load(tmp_path / "alone").backbone
    assert backbone.encode_depth(torch.rand(1, 2, 64, 64)).shape == (1, 2, 32)
    for ask in (backbone.encode_image, lambda image: backbone.encode_depth(image, path="image")):
        with pytest.raises(ModelError, match=r"has no image tower; .*give the CLIP file too"):
            ask(torch.rand(1, 3, 64, 64))
    clip2point.convert(saved(alone), tmp_path / "both", clip=CLIP)
    assert load(tmp_path / "both").backbone.towers == ("image", "depth", "text")


def test_an_image_tower_alone(saved, tmp_path):
    alone = {name: tensor for name, tensor in change(CLIP).items() if name.startswith("visual.")}
    path = saved(alone, "alone.pth")
    found = clip2point.convert(path, tmp_path / "alone")
    assert found.towers == ("image",)
    assert any("holds no text tower" in remark for remark in found.remarks)
    assert load(tmp_path / "alone").backbone.encode_image(torch.rand(1, 3, 64, 64)).shape == (1, 32)
    assert clip2point.convert(path, tmp_path / "both", clip=CLIP).towers == ("image", "text")
    with pytest.raises(ModelError, match="expected one of OpenAI's CLIP models .* found openai-clip without a text"):
        clip2point.convert(PRETRAINING, tmp_path / "out", clip=path)
    words = {name: tensor for name, tensor in change(CLIP).items() if name not in alone}
    with pytest.raises(ModelError, match="no vision tower; expected one for images, for depth maps, or both"):
        clip2point.convert(saved(words), tmp_path / "out")


def narrow(vision, text, heads):
    """CLIP of transformers with towers narrower than any published one."""
    from transformers import CLIPConfig, CLIPModel

    torch.manual_seed(0)
    layers = {"num_hidden_layers": 1, "hidden_act": "quick_gelu"}
    words = {"vocab_size": 50, "max_position_embeddings": 12, "bos_token_id": 48, "eos_token_id": 49}
    sizes = (
        {"hidden_size": width, "intermediate_size": 2 * width, "num_attention_heads": number}
        for width, number in zip((vision, text), heads, strict=True)
    )
    images, texts = sizes
    model = CLIPModel(
        CLIPConfig(
            vision_config={**images, **layers, "image_size": 24, "patch_size": 8},
            text_config={**texts, **layers, **words},
            projection_dim=20,
        )
    )
    return model.eval()


@pytest.mark.parametrize(
    ("vision", "text", "heads", "said"),
    [(96, 160, (1, 2), None), (160, 96, (2, 2), "2 (text)"), (48, 80, (1, 2), "1 (vision) and 2 (text)")],
)
def test_widths_that_no_published_model_has(vision, text, heads, said, openai_names, saved, tmp_path):
    reference = narrow(vision, text, heads)
    found = clip2point.convert(saved(openai_names(reference)), tmp_path / "out")
    check_features(load(tmp_path / "out").backbone, reference)
    remarks = [remark for remark in found.remarks if "attention heads" in remark]
    assert len(remarks) == (said is not None)
    assert said is None or f"{said} are assumed" in remarks[0]


def test_the_clip_file_must_be_the_right_one(state, saved, tmp_path):
    with pytest.raises(ModelError, match=r"model.pth: another CLIP model than .*, first at 'class_embedding'"):
        clip2point.convert(PRETRAINING, tmp_path / "out", clip=saved(state))
    with pytest.raises(ModelError, match="expected one of OpenAI's CLIP models .* found authors-dpa"):
        clip2point.convert(PRETRAINING, tmp_path / "out", clip=DPA)
    with pytest.raises(OptionError, match="is a CLIP model itself: leave out --clip"):
        clip2point.convert(CLIP, tmp_path / "out", clip=CLIP)
    rounded = {name: tensor.half() for name, tensor in change(CLIP).items()}
    assert "text" in clip2point.convert(PRETRAINING, tmp_path / "out", clip=saved(rounded)).towers


def test_options_are_checked(tmp_path):
    with pytest.raises(OptionError, match="unknown activation 'relu': expected one of quick_gelu, gelu"):
        clip2point.convert(CLIP, tmp_path / "out", activation="relu")
    with pytest.raises(OptionError, match="expected a folder, or a name on the hub"):
        clip2point.convert(CLIP, tmp_path / "out", tokenizer=tmp_path / "none")
    (tmp_path / "config.json").write_text('{"model_type": "clip"}')
    with pytest.raises(OptionError, match="holds something else already; choose a new folder"):
        clip2point.convert(CLIP, tmp_path)


def test_the_result_is_a_dictionary_too(tmp_path):
    found = clip2point.convert(CLIP, tmp_path / "out")
    assert isinstance(found, conversion.Conversion)
    assert json.loads(json.dumps(found.to_dict()))["towers"] == ["image", "text"]
