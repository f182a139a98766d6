"""``python -m clip2point``: the same as the command ``clip2point``."""

import sys

from clip2point.cli.main import main

sys.exit(main())
