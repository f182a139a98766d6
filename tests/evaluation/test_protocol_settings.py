import pytest

from clip2point.core.errors import OptionError
from clip2point.evaluation.protocol_settings import ProtocolSettings


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"shots": (1, 0)}, r"shots is \(1, 0\): expected each 1 or more"),
        ({"seeds": 0}, "seeds is 0: expected 1 or more"),
        ({"validation_shots": 0}, "validation_shots is 0: expected 1 or more"),
        ({"augmented_views": 0}, "count is 0: expected 1 to 100"),
        ({"epochs": 2}, "epochs is an option of fine-tuning"),
        ({"unfreeze": "toes"}, "unfreeze is 'toes'"),
    ],
)
def test_values_out_of_range_are_refused(values, message):
    with pytest.raises(OptionError, match=message):
        ProtocolSettings(**values)


def test_the_tuning_of_a_tower_is_that_of_adapt():
    settings = ProtocolSettings(unfreeze="last-2", wise_ft_alpha=0.25)
    assert settings.choose_alpha(10) == 0.25
    assert settings.choose_epochs(10) == 200
