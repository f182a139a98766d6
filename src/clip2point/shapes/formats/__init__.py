"""One module for each file format; each has ``read(data, companions) -> Parsed``.

They are written out here rather than taken from a mesh library because files are not trusted: every count is held
against the file's real size before memory is asked for, nothing but the file's neighbours is opened, and instancing
cannot grow without bound. The field's library (trimesh) serves the tests as an independent writer and reader. LAS
and LAZ go through laspy, images through Pillow.
"""
