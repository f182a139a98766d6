import pytest
import torch

from clip2point.backbones import precision
from clip2point.core.errors import OptionError

CPU = torch.device("cpu")


@pytest.mark.parametrize(("amx", "expected"), [(True, torch.bfloat16), (False, torch.float32)])
def test_auto_is_bf16_where_the_cpu_multiplies_in_it(monkeypatch, amx, expected):
    monkeypatch.setattr(precision, "has_amx", lambda: amx)
    assert precision.choose_dtype("auto", CPU) == expected
    assert precision.choose_dtype("fp32", CPU) == torch.float32


def test_unknown_names_are_refused():
    with pytest.raises(OptionError, match="unknown dtype 'fp64': expected one of auto, fp32, bf16"):
        precision.choose_dtype("fp64", CPU)
    with pytest.raises(OptionError, match="device 'abacus' cannot be used .*try 'cpu'"):
        precision.choose_device("abacus")
