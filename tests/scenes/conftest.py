import pytest

from scene_fixtures import scan


@pytest.fixture(scope="session")
def table():
    """Points and instances (0 for the table) of three blocks."""
    return scan()
