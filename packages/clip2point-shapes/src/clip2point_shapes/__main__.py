"""``python -m clip2point_shapes``."""

import sys

from clip2point_shapes.command import main

sys.exit(main())
