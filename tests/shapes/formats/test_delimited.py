"""XYZ, TXT, CSV, PTS."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sample_files import CLOUD, write_sample

from clip2point.core.errors import OptionError, ShapeError
from clip2point.shapes import load_shape


def load(tmp_path, text, name="shape.xyz"):
    path = tmp_path / name
    path.write_bytes(text.encode())
    return load_shape(path)


@pytest.mark.parametrize("name", ["cloud.xyz", "cloud.txt", "cloud.csv", "cloud.pts"])
def test_clouds_of_every_kind_are_read(tmp_path, name):
    np.testing.assert_array_equal(load_shape(write_sample(name, tmp_path)).points, CLOUD)


@pytest.mark.parametrize(
    "text",
    [
        "0 1 2\n3 4 5",
        "0,1,2\r\n3,4,5\r\n",
        "0, 1, 2\n3, 4, 5\n\n",
        "0\t1\t2\n3\t4\t5\n",
        "0;1;2;255;0;0\n3;4;5;255;0;0\n",
        "\ufeff0 1 2 a\n3 4 5 b\n",
        "# a comment\n//and one more\n\n0 1 2 # first\n3 4 5\n",
        "X,Y,Z\n0,1,2\n3,4,5\n",
        '"id","x","y","z"\n7,0,1,2\n8,3,4,5\n',
        "//z y x r\n2 1 0 9\n5 4 3 9\n",
        "2\n0 1 2 0.5\n3 4 5 0.5\n",
        "0e0 1.0 +2\n3 4 5\n",
    ],
)
def test_ways_to_write_two_points(tmp_path, text):
    for name in ("a.xyz", "a.txt", "a.csv", "a.pts"):
        assert load(tmp_path, text, name).points.tolist() == [[0, 1, 2], [3, 4, 5]]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("Dear reader,\nno points here.\n", "has no line with three numbers: expected a cloud"),
        ("1 2\n3 4\n", "has no line with three numbers"),
        ("0 1 2\n3 4\n", "has a line that does not hold a point"),
        ("0 1 2\n3 4 x\n", "has a line that does not hold a point"),
        ("0 1 2\n3 4 inf\n", "has NaN or infinite coordinates in 1 of 2 points"),
        ("0 1 2\n3 4 1e300\n", r"has coordinates up to 1e\+300"),
        ("0 1 2\n", "has 1 point: expected at least 2"),
        ("0 1 2\n0 1 2\n", "has 2 points that are all equal"),
        ("3\n0 1.25 2.25\n3 4 5.5\n", "declares 3 points and has 2: the file is cut off"),
        ("1000000000\n0 1 2\n3 4 5\n", "declares 1,000,000,000 points, but only"),
    ],
)
def test_damaged_files_are_refused(tmp_path, text, message):
    with pytest.raises(ShapeError, match=message):
        load(tmp_path, text)


#: The same two points in the dialects of many programs, and what is said of them.
DIALECTS = {
    "decimal commas": ("x;y;z\n0,5;1;2\n3;4,25;5\n", ()),
    "decimal commas and tabs": ("0,5\t1,0\t2,0\n3,0\t4,25\t5,0\n", ()),
    "decimal commas and blanks": ("0,5 1,0 2,0\n3,0 4,25 5,0\n", ()),
    "pandas": (",x,y,z\n0,0.5,1,2\n1,3,4.25,5\n", ("x, y, z are columns 2 ('x'), 3 ('y'), 4 ('z')",)),
    "R": ('"x" "y" "z"\n"1" 0.5 1 2\n"2" 3 4.25 5\n', ("x, y, z are columns 2 ('x'), 3 ('y'), 4 ('z')",)),
    "ParaView": (
        '"Normals:0","Normals:1","Normals:2","Points:0","Points:1","Points:2"\n1,0,0,0.5,1,2\n1,0,0,3,4.25,5\n',
        ("x, y, z are columns 4 ('Points:0'), 5 ('Points:1'), 6 ('Points:2')",),
    ),
    "VeloView": (
        "intensity,Points_m_XYZ:0,Points_m_XYZ:1,Points_m_XYZ:2\n9,0.5,1,2\n9,3,4.25,5\n",
        ("x, y, z are columns 2 ('Points_m_XYZ:0'), 3 ('Points_m_XYZ:1'), 4 ('Points_m_XYZ:2')",),
    ),
    "units": (
        "t [s],x [m],y [m],z [m]\n7,0.5,1,2\n8,3,4.25,5\n",
        ("x, y, z are columns 2 ('x [m]'), 3 ('y [m]'), 4 ('z [m]')",),
    ),
    "ArcGIS": (
        "OID,POINT_X,POINT_Y,POINT_Z\n7,0.5,1,2\n8,3,4.25,5\n",
        ("x, y, z are columns 2 ('POINT_X'), 3 ('POINT_Y'), 4 ('POINT_Z')",),
    ),
    "German": ("X-Wert;Y-Wert;Z-Wert\n0,5;1;2\n3;4,25;5\n", ()),
    "survey": (
        "Point,Easting,Northing,Elevation\nA1,0.5,1,2\nA2,3,4.25,5\n",
        ("x, y, z are columns 2 ('Easting'), 3 ('Northing'), 4 ('Elevation')",),
    ),
    "Unity": ("posX,posY,posZ,id\n0.5,1,2,7\n3,4.25,5,8\n", ()),
    "CloudCompare": ("//X Y Z R G B\n0.5 1 2 255 0 0\n3 4.25 5 255 0 0\n", ()),
    "a pipe": ("x|y|z\n0.5|1|2\n3|4.25|5\n", ()),
    "old Macintosh": ("x,y,z\r0.5,1,2\r3,4.25,5\r", ()),
    "names with commas": (
        '"name","x","y","z"\n"a, b",0.5,1,2\n"c",3,4.25,5\n',
        ("x, y, z are columns 2 ('x'), 3 ('y'), 4 ('z')",),
    ),
    "empty cells elsewhere": ("i,x,y,z\n,0.5,1,2\n1,3,4.25,5\n", ("x, y, z are columns 2 ('x'), 3 ('y'), 4 ('z')",)),
    "an empty cell of a point": ("x,y,z\n0.5,1,2\n,7,8\n3,4.25,5\n", ("1 rows without x, y or z: left out",)),
    "several tables": ("x,y,z\n0.5,1,2\nx,y,z\n3,4.25,5\n", ("2 tables in one file, joined",)),
    "several scans": ("1\n0.5 1 2 9\n1\n3 4.25 5 9\n", ("2 scans in one file, joined",)),
}


@pytest.mark.parametrize("dialect", DIALECTS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_dialects_are_understood_and_what_was_chosen_is_said(tmp_path, dialect, encoding):
    text, notes = DIALECTS[dialect]
    (tmp_path / "cloud.csv").write_bytes(text.encode(encoding))
    shape = load_shape(tmp_path / "cloud.csv")
    assert shape.points.tolist() == [[0.5, 1, 2], [3, 4.25, 5]]
    assert shape.notes == notes


def write_rows(*columns):
    return "\n".join(
        " ".join(f"{value:.4f}".rstrip("0").rstrip(".") for value in row) for row in np.column_stack(columns)
    )


def test_columns_without_names_are_told_by_what_is_in_them(tmp_path):
    rng = np.random.default_rng(0)
    points = rng.normal(size=(50, 3)).round(4)
    normals = rng.normal(size=(50, 3))
    normals /= np.linalg.norm(normals, axis=1, keepdims=True)
    colours = rng.integers(0, 256, (50, 3))
    first = {
        "a counter": (np.arange(50), points),
        "a counter and more": (np.arange(1, 51), points, rng.random(50)),
        "seconds since 1970": (1.6e9 + np.sort(rng.random(50)), points),
        "seconds in even steps": (np.arange(50) * 0.1, points),
        "colours": (colours, points),
        "normals": (normals, points),
        "a counter and colours": (np.arange(50), colours, points),
    }
    for name, columns in first.items():
        shape = load(tmp_path, write_rows(*columns))
        np.testing.assert_allclose(shape.points, points, atol=1e-4, err_msg=name)
        assert shape.notes[0].startswith("x, y, z are columns "), name
    for columns in (
        (points, normals),
        (points, colours),
        (points, rng.random(50)),
        (normals, colours),
        (normals, rng.random((50, 3))),
    ):
        shape = load(tmp_path, write_rows(*columns))
        np.testing.assert_allclose(shape.points, columns[0], atol=1e-4)
        assert shape.notes == ()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("lat,lon,alt\n52.5,13.4,30\n52.6,13.5,31\n", "longitudes and latitudes, which are angles"),
        ("x,y,z,x,y,z\n0,1,2,3,4,5\n6,7,8,9,1,2\n", "several columns that could be x, y and z .*--columns"),
        ("5 0 1 2\n" * 3 + "5 1 2 4\n5 2 2 1\n5 3 1 7\n", "the same value in column 1 of all rows.*--columns"),
        ("ncols 4\nnrows 2\nxllcorner 0\n1 2 3 4\n5 6 7 8\n", "is a grid of heights"),
        ("x,y,z\n0,1,2\n3,4,wall\n", r"line 3: '3,4,wall'"),
        ("x,y,z\n0,1,2\n3,4\n", r"line 3: '3,4'"),
    ],
)
def test_what_is_not_sure_is_refused(tmp_path, text, message):
    with pytest.raises(ShapeError, match=message):
        load(tmp_path, text, "cloud.csv")


def test_columns_can_be_chosen(tmp_path, monkeypatch):
    path = tmp_path / "cloud.csv"
    path.write_text("a,b,c,d\n9,0.5,1,2\n9,3,4.25,5\n")
    expected = [[0.5, 1, 2], [3, 4.25, 5]]
    for columns in ("x=2,y=3,z=4", "x=b, y=c, z=d", "z=4,x=2,y=c"):
        assert load_shape(path, columns=columns).points.tolist() == expected
    monkeypatch.setenv("CLIP2POINT_COLUMNS", "x=2,y=3,z=4")
    assert load_shape(path).points.tolist() == expected
    assert load_shape(path, columns="x=3,y=4,z=2").points[0].tolist() == [1, 2, 0.5]
    with pytest.raises(ShapeError, match="has no column '7': expected 1 to 4, or one of a, b, c, d"):
        load_shape(path, columns="x=7,y=3,z=4")
    with pytest.raises(OptionError, match="columns 'x=2': expected x=NUMBER,y=NUMBER,z=NUMBER"):
        load_shape(path, columns="x=2")


NUMBERS = st.floats(-100, 100, allow_nan=False).map(lambda value: round(value, 3))
AXES = [
    *(("x", "y", "z"), ("X", "Y", "Z"), ("x [m]", "y [m]", "z [m]")),
    *(("Points:0", "Points:1", "Points:2"), ("east", "north", "height")),
]


@given(
    cloud=st.lists(st.tuples(NUMBERS, NUMBERS, NUMBERS), min_size=6, max_size=20, unique=True),
    delimiter=st.sampled_from([",", ";", "\t", "|", " ", ", "]),
    comma=st.booleans(),
    axes=st.sampled_from([None, *AXES]),
    before=st.sampled_from(["", "counter", "names"]),
    after=st.integers(0, 2),
    encoding=st.sampled_from(["utf-8", "utf-8-sig", "utf-16"]),
    quoted=st.booleans(),
)
def test_a_cloud_in_any_dialect_is_read_back_or_refused(
    tmp_path_factory, cloud, delimiter, comma, axes, before, after, encoding, quoted
):
    comma = comma and "," not in delimiter
    spell = (lambda value: f"{value:.3f}".replace(".", ",")) if comma else (lambda value: f"{value:.3f}")
    rows = []
    for number, point in enumerate(cloud):
        label = {"": [], "counter": [str(number)], "names": [f"p{number}"]}[before]
        rows.append([*label, *map(spell, point), *[spell(number % 3 / 2)] * after])
    if axes and not (delimiter == " " and any(" " in axis for axis in axes)):
        names = [*(["id"] if before else []), *axes, *["extra"] * after]
        rows.insert(0, [f'"{name}"' for name in names] if quoted else names)
    path = tmp_path_factory.mktemp("tables") / "cloud.csv"
    path.write_bytes("\n".join(delimiter.join(row) for row in rows).encode(encoding))
    try:
        found = load_shape(path).points
    except ShapeError:
        return
    assert found.tolist() == np.array(cloud, np.float32).tolist()
