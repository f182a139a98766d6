import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from clip2point.core.errors import OptionError
from clip2point.training.distributed import DeviceSettings, gather, make_fabric, sync_batch_norm

pytestmark = pytest.mark.slow

pytest.importorskip("lightning_fabric")
SCRIPT = Path(__file__).with_name("two_ranks.py")


def script():
    spec = importlib.util.spec_from_file_location("two_ranks", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_two_processes_have_the_loss_and_gradients_of_one(tmp_path):
    run = subprocess.run([sys.executable, SCRIPT, tmp_path, "2"], capture_output=True, text=True, timeout=300)
    assert run.returncode == 0, run.stderr
    names = script()
    model = names.make_model()
    losses = model.losses(model(names.make_batch(slice(None))))
    losses["total"].backward()
    for rank in range(2):
        found = torch.load(tmp_path / f"{rank}.pt", weights_only=True)
        for name, value in losses.items():
            torch.testing.assert_close(found["losses"][name], value.detach(), atol=1e-6, rtol=0)
        for name, weight in model.named_parameters():
            torch.testing.assert_close(found["gradients"][name], weight.grad, atol=1e-6, rtol=0)
            assert weight.grad.abs().max() > 1e-4


def test_one_process_gathers_nothing():
    fabric = make_fabric(DeviceSettings("cpu:0"))
    features = (torch.ones(2, 3),)
    assert gather(fabric, features) is features
    model = torch.nn.BatchNorm1d(2)
    assert sync_batch_norm(fabric, model) is model


@pytest.mark.parametrize(
    ("arguments", "message"),
    [({"device": "cuda:99"}, "cannot be used"), ({"device": "cpu:0", "devices": 2}, "expected a kind alone, cpu")],
)
def test_devices_that_do_not_fit(arguments, message):
    with pytest.raises(OptionError, match=message):
        make_fabric(DeviceSettings(**arguments))
