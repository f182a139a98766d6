"""A writer of FBX for the tests: nodes as (name, values, children), in binary of both widths or as text."""

import struct
import zlib

import numpy as np

_END = ("", [], [])


def binary(nodes, version=7400, packed=True):
    data = b"Kaydara FBX Binary  \x00\x1a\x00" + struct.pack("<I", version)
    for node in [*nodes, _END]:
        data += _pack(node, len(data), version, packed)
    return data + bytes(160)


def _pack(node, place, version, packed):
    name, values, children = node
    form = "<QQQB" if version >= 7500 else "<IIIB"
    size = struct.calcsize(form)
    if not name:
        return bytes(size)
    properties = b"".join(_value(value, packed) for value in values)
    start = place + size + len(name) + len(properties)
    body = b""
    for child in [*children, _END] if children else []:
        body += _pack(child, start + len(body), version, packed)
    head = struct.pack(form, start + len(body), len(values), len(properties), len(name))
    return head + name.encode() + properties + body


def _value(value, packed):
    if isinstance(value, np.ndarray):
        kind = {"f4": b"f", "f8": b"d", "i4": b"i", "i8": b"l"}[value.dtype.str[1:]]
        data = zlib.compress(value.tobytes()) if packed else value.tobytes()
        return kind + struct.pack("<III", value.size, packed, len(data)) + data
    if isinstance(value, bytes):
        return b"R" + struct.pack("<I", len(value)) + value
    if isinstance(value, str):
        kind, _, name = value.rpartition("::")
        data = f"{name}\x00\x01{kind}".encode() if kind else value.encode()
        return b"S" + struct.pack("<I", len(data)) + data
    return b"L" + struct.pack("<q", value) if isinstance(value, int) else b"D" + struct.pack("<d", value)


def text(nodes):
    return ("; FBX 7.4.0 project file\n; a comment: with a colon\n" + "".join(map(_write, nodes))).encode()


def _write(node):
    name, values, children = node
    if values and isinstance(values[0], np.ndarray):
        return f"{name}: *{values[0].size} {{\n\ta: {','.join(map(str, values[0].tolist()))}\n}}\n"
    shown = ", ".join(f'"{value}"' if isinstance(value, str) else str(value) for value in values)
    return f"{name}: {shown}" + (f" {{\n{''.join(map(_write, children))}}}\n" if children else "\n")


class Scene:
    """Objects and connections of a file."""

    def __init__(self, version=7400, **settings):
        self.objects, self.links, self.next = [], [], 100
        header = ("FBXHeaderExtension", [], [("FBXVersion", [version], [])])
        self.head = [header, ("GlobalSettings", [], [properties(**settings)])]

    def add(self, kind, name, what, children=(), above=None, slot=None):
        self.next += 1
        self.objects.append((kind, [self.next, f"{kind}::{name}", what], list(children)))
        if above is not None:
            self.links.append(("C", ["OP" if slot else "OO", self.next, above, *([slot] if slot else [])], []))
        return self.next

    def link(self, child, above):
        self.links.append(("C", ["OO", child, above], []))

    def model(self, name, above=0, what="Mesh", **values):
        return self.add("Model", name, what, [properties(**values)], above)

    def mesh(self, vertices, polygons, above, *more):
        index = np.concatenate([[*polygon[:-1], ~polygon[-1]] for polygon in polygons]).astype("i4")
        arrays = [("Vertices", [np.asarray(vertices, "f8").ravel()], []), ("PolygonVertexIndex", [index], [])]
        return self.add("Geometry", "mesh", "Mesh", [*arrays, *more], above)

    def nodes(self):
        return [*self.head, ("Objects", [], self.objects), ("Connections", [], self.links)]


def properties(**values):
    """Properties by name, with blanks as two underscores."""
    entries = []
    for name, value in values.items():
        numbers = list(value) if isinstance(value, tuple) else [value]
        entries.append(("P", [name.replace("__", " "), "", "", "A", *numbers], []))
    return ("Properties70", [], entries)


def layer(name, values_name, values, mapping, index=None, index_name=""):
    """A layer of values of a mesh."""
    children = [("MappingInformationType", [mapping], [])]
    children += [("ReferenceInformationType", ["Direct" if index is None else "IndexToDirect"], [])]
    children += [(values_name, [values], [])] + ([] if index is None else [(index_name, [index], [])])
    return (name, [0], children)
