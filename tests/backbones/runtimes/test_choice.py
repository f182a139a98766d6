import pytest

from clip2point.backbones.runtimes import choice
from clip2point.backbones.runtimes.choice import choose_runtime
from clip2point.core.errors import OptionError


def install(monkeypatch, *names):
    monkeypatch.delenv(choice.VARIABLE, raising=False)
    monkeypatch.setattr(choice, "_is_installed", lambda name: name in names)


def test_the_engine_comes_first_on_a_cpu_and_pytorch_elsewhere(monkeypatch):
    install(monkeypatch, "openvino", "torch")
    assert (choose_runtime(), choose_runtime(device="cuda:1")) == ("openvino", "torch")
    assert choose_runtime("torch") == "torch"
    install(monkeypatch, "torch")
    assert choose_runtime() == "torch"


def test_the_environment_stands_in_for_auto(monkeypatch):
    install(monkeypatch, "openvino", "torch")
    monkeypatch.setenv(choice.VARIABLE, "torch")
    assert (choose_runtime(), choose_runtime("openvino")) == ("torch", "openvino")
    monkeypatch.setenv(choice.VARIABLE, "abacus")
    with pytest.raises(OptionError, match="unknown runtime 'abacus': expected one of auto, openvino, torch"):
        choose_runtime()


def test_what_is_absent_says_how_to_install_it(monkeypatch):
    install(monkeypatch)
    with pytest.raises(OptionError, match="no runtime is installed that computes on 'cpu': pip install openvino"):
        choose_runtime()
    with pytest.raises(OptionError, match=r"the runtime 'torch' is not installed: pip install 'clip2point\[train\]'"):
        choose_runtime("torch")
    with pytest.raises(OptionError, match=r"computes on 'cuda': pip install 'clip2point\[train\]'"):
        choose_runtime(device="cuda")


def test_the_engine_computes_on_the_cpu_alone(monkeypatch):
    install(monkeypatch, "openvino", "torch")
    with pytest.raises(OptionError, match="the runtime 'openvino' computes on the CPU, not on 'cuda'"):
        choose_runtime("openvino", "cuda")
