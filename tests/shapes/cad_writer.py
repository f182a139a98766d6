"""Writers of a STEP box and an IGES patch for the tests."""

import itertools


class Step:
    """A STEP file, entity by entity."""

    def __init__(self):
        self.lines = []

    def add(self, text):
        self.lines.append(f"#{len(self.lines) + 100}={text};")
        return f"#{len(self.lines) + 99}"

    def direction(self, vector):
        return self.add("DIRECTION('',({:.1f},{:.1f},{:.1f}))".format(*vector))


_HEAD = """ISO-10303-21;
HEADER;
FILE_DESCRIPTION((''),'2;1');
FILE_NAME('box','2026-01-01T00:00:00',(''),(''),'','','');
FILE_SCHEMA(('AUTOMOTIVE_DESIGN { 1 0 10303 214 1 1 1 1 }'));
ENDSEC;
DATA;
#1=APPLICATION_CONTEXT('automotive design');
#2=APPLICATION_PROTOCOL_DEFINITION('international standard','automotive_design',2000,#1);
#3=PRODUCT_CONTEXT('',#1,'mechanical');
#4=PRODUCT('box','box','',(#3));
#5=PRODUCT_DEFINITION_FORMATION('','',#4);
#6=PRODUCT_DEFINITION_CONTEXT('part definition',#1,'design');
#7=PRODUCT_DEFINITION('design','',#5,#6);
#8=PRODUCT_DEFINITION_SHAPE('','',#7);
#9=(LENGTH_UNIT()NAMED_UNIT(*)SI_UNIT(UNIT,.METRE.));
#10=(NAMED_UNIT(*)PLANE_ANGLE_UNIT()SI_UNIT($,.RADIAN.));
#11=(NAMED_UNIT(*)SI_UNIT($,.STERADIAN.)SOLID_ANGLE_UNIT());
#12=UNCERTAINTY_MEASURE_WITH_UNIT(LENGTH_MEASURE(1.E-5),#9,'distance_accuracy_value','');
#13=(GEOMETRIC_REPRESENTATION_CONTEXT(3)GLOBAL_UNCERTAINTY_ASSIGNED_CONTEXT((#12))
GLOBAL_UNIT_ASSIGNED_CONTEXT((#9,#10,#11))REPRESENTATION_CONTEXT('',''));
"""


def write_box(sizes, unit=".MILLI."):
    """Return a box from the origin on as STEP; the unit is a prefix of the metre, or $."""
    step = Step()
    points, vertices, edges = {}, {}, {}
    for corner in itertools.product((0, 1), repeat=3):
        x, y, z = (size * side for size, side in zip(sizes, corner, strict=True))
        points[corner] = step.add(f"CARTESIAN_POINT('',({x:.6f},{y:.6f},{z:.6f}))")
        vertices[corner] = step.add(f"VERTEX_POINT('',{points[corner]})")

    def edge(a, b):
        if (b, a) in edges:
            return edges[b, a], ".F."
        vector = step.add(f"VECTOR('',{step.direction([q - p for p, q in zip(a, b, strict=True)])},1.)")
        line = step.add(f"LINE('',{points[a]},{vector})")
        edges[a, b] = step.add(f"EDGE_CURVE('',{vertices[a]},{vertices[b]},{line},.T.)")
        return edges[a, b], ".T."

    faces = []
    for axis, side in itertools.product(range(3), (0, 1)):
        loop = []
        for u, v in ((0, 0), (1, 0), (1, 1), (0, 1)):
            corner = [0, 0, 0]
            corner[axis], corner[(axis + 1) % 3], corner[(axis + 2) % 3] = side, u, v
            loop.append(tuple(corner))
        loop = loop if side else loop[::-1]
        sides = [edge(a, b) for a, b in zip(loop, loop[1:] + loop[:1], strict=True)]
        oriented = ",".join(step.add(f"ORIENTED_EDGE('',*,*,{name},{way})") for name, way in sides)
        ring = step.add(f"EDGE_LOOP('',({oriented}))")
        bound = step.add(f"FACE_OUTER_BOUND('',{ring},.T.)")
        normal, across = [0, 0, 0], [0, 0, 0]
        normal[axis], across[(axis + 1) % 3] = (1 if side else -1), 1
        frame = f"AXIS2_PLACEMENT_3D('',{points[loop[0]]},{step.direction(normal)},{step.direction(across)})"
        plane = step.add("PLANE(''," + step.add(frame) + ")")
        faces.append(step.add(f"ADVANCED_FACE('',({bound}),{plane},.T.)"))
    solid = step.add("MANIFOLD_SOLID_BREP('box'," + step.add(f"CLOSED_SHELL('',({','.join(faces)}))") + ")")
    frame = f"AXIS2_PLACEMENT_3D('',{points[0, 0, 0]},{step.direction((0, 0, 1))},{step.direction((1, 0, 0))})"
    shape = step.add(f"ADVANCED_BREP_SHAPE_REPRESENTATION('',({step.add(frame)},{solid}),#13)")
    step.add(f"SHAPE_DEFINITION_REPRESENTATION(#8,{shape})")
    return _HEAD.replace("UNIT,", f"{unit},", 1) + "\n".join(step.lines) + "\nENDSEC;\nEND-ISO-10303-21;\n"


def write_patch(width, height):
    """Return a flat rectangle, in millimetres, as IGES."""
    fixed = "1H,,1H;,4Htest,4Htest,4Htest,4Htest,32,38,6,308,15,4Htest,1.,2,2HMM,1,1.,15H20260101.000000,"
    fixed += "1.E-06,1000.,4Htest,4Htest,11,0,15H20260101.000000;"
    corners = "".join(f"{x}.,{y}.,0.," for y in (0, height) for x in (0, width))
    patch = f"128,1,1,1,1,0,0,1,0,0,0.,0.,1.,1.,0.,0.,1.,1.,1.,1.,1.,1.,{corners}0.,1.,0.,1.;"
    lines = [f"{'a flat patch':72}S{1:7}"]
    starts = [fixed[i : i + 72] for i in range(0, len(fixed), 72)]
    lines += [f"{text:72}G{i + 1:7}" for i, text in enumerate(starts)]
    rows = [patch[i : i + 64] for i in range(0, len(patch), 64)]
    lines.append("".join(f"{n:8}" for n in (128, 1, 0, 0, 0, 0, 0, 0)) + f"{'00000000':8}D{1:7}")
    lines.append("".join(f"{n:8}" for n in (128, 0, 0, len(rows), 0)) + " " * 32 + f"D{2:7}")
    lines += [f"{text:64}{1:8}P{i + 1:7}" for i, text in enumerate(rows)]
    lines.append(f"S{1:7}G{len(starts):7}D{2:7}P{len(rows):7}{'':40}T{1:7}")
    return "\n".join(lines) + "\n"
