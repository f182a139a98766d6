import numpy as np
import pytest

from clip2point.core.errors import DataError
from clip2point.data import open_dataset
from clip2point.shapes import farthest_points

pytestmark = pytest.mark.filterwarnings("ignore:scanobjectnn")

#: Where the public archive has each variant.
FILES = {
    "scanobjectnn-obj-only": "main_split_nobg/{}_objectdataset.h5",
    "scanobjectnn-obj-bg": "main_split/{}_objectdataset.h5",
    "scanobjectnn-pb-t50-rs": "main_split/{}_objectdataset_augmentedrot_scale75.h5",
}


@pytest.fixture
def root(tmp_path, write):
    """All variants, with another label each."""
    for label, file in enumerate(FILES.values()):
        write.h5(tmp_path / "h5_files" / file.format("test"), [label, 14], points=64)
        write.h5(tmp_path / "h5_files" / file.format("training"), [label, 3, 3], points=64)
    return tmp_path


@pytest.mark.parametrize("above", [True, False])
@pytest.mark.parametrize(("label", "name"), list(enumerate(FILES)))
def test_each_variant_is_read_from_its_own_file(root, label, name, above):
    folder = root if above else root / "h5_files"
    test, train = (open_dataset(name, root=folder, split=split) for split in ("test", "train"))
    assert test.up == "y"
    assert test.labels.tolist() == [label, 14]
    assert train.labels.tolist() == [label, 3, 3]
    assert len(test.classes) == 15
    assert (test.classes[0], test.classes[6], test.classes[14]) == ("bag", "display", "toilet")
    assert not set(test.names) & set(train.names)


def test_points_are_the_farthest_of_the_cloud(root, write):
    drawn = open_dataset("scanobjectnn-obj-bg", root=root).sample(0, 16)
    whole = write.cloud(0, 64)
    start = int(np.flatnonzero((whole == drawn[0]).all(1))[0])
    assert np.array_equal(drawn, whole[farthest_points(whole, 16, start)])


def test_a_missing_variant(root):
    (root / "h5_files" / "main_split_nobg" / "test_objectdataset.h5").unlink()
    with pytest.raises(
        DataError, match=r"main_split_nobg/test_objectdataset\.h5: no such file; expected h5_files/main"
    ):
        open_dataset("scanobjectnn-obj-only", root=root)


def test_a_folder_of_another_layout_is_refused(tmp_path):
    with pytest.raises(DataError, match=r"ScanObjectNN is neither here nor below it.*hkust-vgd\.github\.io"):
        open_dataset("scanobjectnn-obj-bg", root=tmp_path)


def test_labels_of_another_data_set(root, write):
    write.h5(root / "h5_files" / "main_split" / "test_objectdataset.h5", [0, 15])
    with pytest.raises(DataError, match="has the label 15: expected 0 to 14"):
        open_dataset("scanobjectnn-obj-bg", root=root)
