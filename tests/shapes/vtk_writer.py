"""Writers of VTK's formats for the tests: all ways in which an array can be stored."""

import base64
import struct
import zlib

import numpy as np

NAMES = {"f4": "Float32", "f8": "Float64", "i4": "Int32", "i8": "Int64", "u1": "UInt8"}
LEGACY = {"f4": "float", "f8": "double", "i4": "int", "i8": "vtktypeint64", "u1": "unsigned_char"}


def legacy(dataset, sections, binary=False):
    """Return a legacy file; a section is a line, and arrays that follow it, each with a line of its own or None."""
    data = b"# vtk DataFile Version 4.2\nA title\n" + (b"BINARY" if binary else b"ASCII") + b"\nDATASET " + dataset
    for line, *arrays in sections:
        data += b"\n" + line.encode() + b"\n"
        for array in arrays:
            if isinstance(array, str):
                data += array.encode() + b"\n"
            elif binary:
                data += array.astype(array.dtype.newbyteorder(">")).tobytes() + b"\n"
            else:
                data += b" ".join(str(number).encode() for number in array.ravel().tolist()) + b"\n"
    return data


class Xml:
    """Writer of an XML file."""

    def __init__(self, form="ascii", raw=True, compressed=False, order="<", header="I"):
        self.form, self.raw, self.compressed, self.order, self.header = form, raw, compressed, order, header
        self.appended = b""

    def pack(self, array):
        data = array.astype(array.dtype.newbyteorder(self.order)).tobytes()
        if not self.compressed:
            head = struct.pack(self.order + self.header, len(data))
            return head + data if self.form == "appended" and self.raw else base64.b64encode(head + data)
        block = 64
        blocks = [data[start : start + block] for start in range(0, len(data), block)]
        packed = [zlib.compress(each) for each in blocks]
        numbers = [len(blocks), block, len(data) % block, *map(len, packed)]
        head, body = struct.pack(f"{self.order}{len(numbers)}{self.header}", *numbers), b"".join(packed)
        if self.form == "appended" and self.raw:
            return head + body
        return base64.b64encode(head) + base64.b64encode(body)

    def array(self, values, name="", components=1):
        values = np.asarray(values)
        start = f'<DataArray type="{NAMES[values.dtype.str[1:]]}" Name="{name}" NumberOfComponents="{components}" '
        if self.form == "appended":
            place = len(self.appended)
            self.appended += self.pack(values)
            return start + f'format="appended" offset="{place}"/>'
        body = self.pack(values).decode() if self.form == "binary" else " ".join(map(str, values.ravel().tolist()))
        return start + f'format="{self.form}">\n{body}\n</DataArray>'

    def file(self, kind, body):
        order = "LittleEndian" if self.order == "<" else "BigEndian"
        header = "UInt64" if self.header == "Q" else "UInt32"
        compressor = ' compressor="vtkZLibDataCompressor"' if self.compressed else ""
        data = (
            f'<?xml version="1.0"?>\n<VTKFile type="{kind}" version="1.0" byte_order="{order}" header_type="{header}"'
        )
        data += f"{compressor}><{kind}>{body}</{kind}>"
        tail = b""
        if self.form == "appended":
            encoding = b"raw" if self.raw else b"base64"
            tail = b'<AppendedData encoding="' + encoding + b'">\n _' + self.appended + b"\n</AppendedData>"
        return data.encode() + tail + b"</VTKFile>"

    def polygons(self, points, cells, colors=None):
        """Return a file of polygons."""
        corners, ends = np.concatenate(cells).astype("i8"), np.cumsum([len(cell) for cell in cells]).astype("i4")
        body = f'<Piece NumberOfPoints="{len(points)}" NumberOfPolys="{len(cells)}">'
        if colors is not None:
            body += f"<PointData>{self.array(colors, 'RGB', 3)}</PointData>"
        body += f"<Points>{self.array(points, 'Points', 3)}</Points><Polys>{self.array(corners, 'connectivity')}"
        return self.file("PolyData", body + f"{self.array(ends, 'offsets')}</Polys></Piece>")

    def grid(self, points, cells, kinds):
        """Return a file of cells of any kind."""
        corners, ends = np.concatenate(cells).astype("i4"), np.cumsum([len(cell) for cell in cells]).astype("i4")
        body = f'<Piece NumberOfPoints="{len(points)}"><Points>{self.array(points, "Points", 3)}</Points>'
        body += f"<Cells>{self.array(corners, 'connectivity')}{self.array(ends, 'offsets')}"
        return self.file("UnstructuredGrid", body + f"{self.array(np.array(kinds, 'u1'), 'types')}</Cells></Piece>")
