import pytest

from clip2point.backbones import precision
from clip2point.core.errors import OptionError


@pytest.mark.parametrize(("amx", "expected"), [(True, "bfloat16"), (False, "float32")])
def test_auto_is_bf16_where_the_cpu_multiplies_in_it(monkeypatch, amx, expected):
    monkeypatch.setattr(precision, "has_amx", lambda: amx)
    assert precision.choose_dtype("auto", "cpu") == expected
    assert precision.choose_dtype("fp32", "cpu") == "float32"


def test_unknown_names_are_refused():
    with pytest.raises(OptionError, match="unknown dtype 'fp64': expected one of auto, fp32, bf16"):
        precision.choose_dtype("fp64", "cpu")
    with pytest.raises(OptionError, match="device 'abacus' cannot be used .*try 'cpu'"):
        precision.choose_device("abacus")
