"""glTF files of the tests, built array by array."""

import base64
import json

import numpy as np

from clip2point.shapes import load_shape

POSITIONS = np.array([[0, 0, 0], [1, 0, 0], [0, 1, 0], [1, 1, 0.5]], np.float32)
CODES = {"u1": 5121, "i1": 5120, "u2": 5123, "i2": 5122, "u4": 5125, "f4": 5126}
KINDS = {1: "SCALAR", 2: "VEC2", 3: "VEC3", 4: "VEC4"}


class Builder:
    """A glTF tree with one embedded buffer, built array by array."""

    def __init__(self):
        self.data = b""
        self.tree = {"asset": {"version": "2.0"}, "accessors": [], "bufferViews": [], "meshes": []}

    def view(self, data: bytes) -> int:
        self.tree["bufferViews"].append({"buffer": 0, "byteOffset": len(self.data), "byteLength": len(data)})
        self.data += data + bytes(-len(data) % 4)
        return len(self.tree["bufferViews"]) - 1

    def accessor(self, array, **more) -> int:
        array = np.asarray(array)
        width = array.shape[1] if array.ndim > 1 else 1
        entry = {"bufferView": self.view(array.tobytes()), "componentType": CODES[array.dtype.str[1:]]}
        self.tree["accessors"].append(entry | {"count": len(array), "type": KINDS[width]} | more)
        return len(self.tree["accessors"]) - 1

    def mesh(self, primitive: dict, **more) -> int:
        self.tree["meshes"].append({"primitives": [primitive | more]})
        return len(self.tree["meshes"]) - 1

    def save(self, path) -> None:
        uri = "data:application/octet-stream;base64," + base64.b64encode(self.data).decode()
        self.tree["buffers"] = [{"byteLength": len(self.data), "uri": uri}]
        path.write_text(json.dumps(self.tree))

    def load(self, folder):
        self.save(folder / "built.gltf")
        return load_shape(folder / "built.gltf")
