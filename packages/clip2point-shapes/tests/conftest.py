"""Settings of all tests of the generators."""

import os

# One thread for each process: what is computed here is small.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")
