import json

import pytest

from clip2point.adaptation import defaults
from clip2point.adaptation.adapt_settings import AdaptSettings, TowerTuningSettings
from clip2point.adaptation.fine_tuning_settings import FineTuningSettings
from clip2point.core.errors import OptionError
from clip2point.features.augmented_views import AugmentedViewSettings


@pytest.mark.parametrize(
    ("shapes", "epochs", "alpha"), [(10, 200, 0.5), (160, 29, 0.5), (576, 9, 0.5), (577, 8, 1), (4000, 8, 1)]
)
def test_a_few_shapes_are_shown_more_often_and_teach_less(shapes, epochs, alpha):
    settings = TowerTuningSettings(unfreeze="all")
    assert settings.choose_epochs(shapes) == epochs
    assert settings.choose_alpha(shapes) == alpha
    assert settings.plan_fine_tuning(shapes, seed=3).training.epochs == epochs
    batches = -(-shapes // FineTuningSettings().training.batch_size)
    assert epochs * batches >= defaults.MIN_STEPS
    own = TowerTuningSettings(unfreeze="all", epochs=3, wise_ft_alpha=0.2)
    assert own.choose_alpha(shapes) == 0.2
    assert own.plan_fine_tuning(shapes, seed=3).training.epochs == 3


def test_the_plan_is_the_usual_one_but_for_what_was_asked_for():
    plan = TowerTuningSettings(unfreeze="last-2", epochs=8, precision="bf16-mixed").plan_fine_tuning(5000, seed=4)
    usual = FineTuningSettings(unfreeze="last-2")
    assert plan.training.precision == "bf16-mixed"
    assert plan.training.seed == 4
    assert (plan.viewing, plan.optimizer, plan.schedule) == (usual.viewing, usual.optimizer, usual.schedule)
    assert TowerTuningSettings(unfreeze="last-2").plan_fine_tuning(5000, seed=0) == usual
    assert FineTuningSettings().training.epochs == defaults.EPOCHS


def test_nothing_is_trained_unless_a_part_is_named():
    for changes in ({"epochs": 2}, {"wise_ft_alpha": 0.5}, {"precision": "32-true"}):
        with pytest.raises(OptionError, match=f"{next(iter(changes))} is an option of fine-tuning: give unfreeze"):
            TowerTuningSettings(**changes)
    with pytest.raises(OptionError, match="unfreeze is None"):
        TowerTuningSettings().plan_fine_tuning(10, 0)


def test_a_training_begins_with_unrounded_weights():
    assert TowerTuningSettings().choose_dtype() == "auto"
    assert TowerTuningSettings(unfreeze="all").choose_dtype() == "fp32"
    assert TowerTuningSettings(unfreeze="all").choose_dtype("bf16") == "bf16"


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"unfreeze": "toes"}, "unfreeze is 'toes'"),
        ({"unfreeze": "all", "epochs": 0}, "epochs is 0: expected 1 or more"),
        ({"unfreeze": "all", "wise_ft_alpha": 1.5}, "wise_ft_alpha is 1.5: expected 0 to 1"),
        ({"head": "oracle"}, "oracle"),
        ({"head": "linear", "options": {"colour": 1}}, "linear has no option 'colour'"),
        ({"head": "auto", "options": {"c": 1.0}}, "options belong to one head"),
        ({"shots": 0}, "shots is 0: expected 1 or more"),
        ({"seed": -1}, "seed is -1: expected 0 or more"),
        ({"target": 1.1}, "target is 1.1: expected 0 to 1"),
        ({"up": "w"}, "unknown up-axis 'w'"),
        ({"augmented_views": 0}, "count is 0: expected 1 to 100"),
    ],
)
def test_values_out_of_range_are_refused(values, message):
    with pytest.raises(OptionError, match=message):
        AdaptSettings(**values)


def test_settings_are_json():
    settings = AdaptSettings(
        head="linear", options={"c": 1.0}, augmented_views=AugmentedViewSettings(3), unfreeze="all"
    )
    found = json.loads(json.dumps(settings.to_dict()))
    assert found["options"] == {"c": 1.0}
    assert found["augmented_views"]["count"] == 3
    assert AdaptSettings(**{**found, "augmented_views": AugmentedViewSettings(**found["augmented_views"])}) == settings
