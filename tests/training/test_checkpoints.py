import pytest

from clip2point.core.errors import OptionError
from clip2point.training.checkpoints import CheckpointFolder, check_folder, has_checkpoint


def test_a_folder_is_either_new_or_resumed(tmp_path):
    check_folder(tmp_path, resume=False)
    with pytest.raises(OptionError, match="holds no checkpoint to resume from: leave out --resume"):
        check_folder(tmp_path, resume=True)
    assert not has_checkpoint(tmp_path)
    CheckpointFolder(tmp_path, {}).save({"step": 1})
    assert has_checkpoint(tmp_path)
    check_folder(tmp_path, resume=True)
    with pytest.raises(OptionError, match="holds a training that was started: give --resume"):
        check_folder(tmp_path, resume=False)


def test_parts_of_a_recipe_that_may_change_are_not_compared(tmp_path):
    recipe = {
        "description": "one",
        "data": {"pairs": ["a"], "balance": 0.0},
        "training": {"epochs": 2, "checkpoint_steps": 1, "checkpoint_minutes": 1.0},
    }
    CheckpointFolder(tmp_path, recipe, "pairs").save({"step": 1})
    free = {
        "description": "two",
        "data": {"pairs": ["b"], "balance": 0.0},
        "training": {"epochs": 2, "checkpoint_steps": 5, "checkpoint_minutes": 9.0},
    }
    assert CheckpointFolder(tmp_path, free, "pairs").load()["step"] == 1
    with pytest.raises(OptionError, match="data.balance was 0.0 and is now 1.0"):
        CheckpointFolder(tmp_path, {**free, "data": {"balance": 1.0}}, "pairs").load()
    with pytest.raises(OptionError, match="training.epochs was 2 and is now 3"):
        CheckpointFolder(tmp_path, {**free, "training": {"epochs": 3}}, "pairs").load()


def test_the_best_weights_are_there_once_saved(tmp_path):
    folder = CheckpointFolder(tmp_path, {})
    assert folder.load_best() is None
    folder.save_best({"step": 3})
    assert folder.load_best()["step"] == 3


def test_a_checkpoint_with_former_names_of_keys_can_be_resumed(tmp_path):
    recipe = {"captions": {"name_share": 0.4}, "seed": 1}
    CheckpointFolder(tmp_path, recipe).save({"step": 3})
    renamed = {"captions.name_share": "captions.name_probability"}
    now = {"captions": {"name_probability": 0.4}, "seed": 1}
    assert CheckpointFolder(tmp_path, now, renamed=renamed).load()["step"] == 3
    now["captions"]["name_probability"] = 0.5
    with pytest.raises(OptionError, match="captions.name_probability was 0.4 and is now 0.5"):
        CheckpointFolder(tmp_path, now, renamed=renamed).load()
