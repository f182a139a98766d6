import pytest

from pocket_recipe.properties import parse_properties


@pytest.mark.parametrize(
    ("text", "entries"),
    [
        ("# comment\n! another\n\nname#1=Chair", {"name#1": "Chair"}),
        ("a = 1\nb:2\nc 3\nd", {"a": "1", "b": "2", "c": "3", "d": ""}),
        ("tags=one, \\\n     two, \\\n  three\nnext=1", {"tags": "one, two, three", "next": "1"}),
        (r"note=Bill 10\u20ac", {"note": "Bill 10€"}),
        (r"pair=\ud83d\ude00", {"pair": "😀"}),
        (r"half=\ud83d!", {"half": "\ufffd!"}),
        (r"odd=\u12", {"odd": "u12"}),
        (r"key\=with\ signs=a\tb\\", {"key=with signs": "a\tb\\"}),
        ("path=C:\\\\x\\\\\nlast=1", {"path": "C:\\x\\", "last": "1"}),
        ("x=1\r\ny=2\rz=3", {"x": "1", "y": "2", "z": "3"}),
        ("twice=1\ntwice=2", {"twice": "2"}),
        ("open=1\\", {"open": "1"}),
        ("", {}),
    ],
)
def test_entries_are_read_as_java_reads_them(text, entries):
    assert parse_properties(text.encode()) == entries


def test_both_encodings_are_read():
    assert parse_properties("by=© Hélène".encode("latin-1")) == {"by": "© Hélène"}
    assert parse_properties("by=© Hélène".encode()) == {"by": "© Hélène"}


def test_any_bytes_give_some_entries():
    assert isinstance(parse_properties(bytes(range(256)) * 3), dict)
