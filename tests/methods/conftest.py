import pytest

from reidzoo.models import EmbedderOptions


@pytest.fixture
def network_of_32():
    """The smallest network whose embedding has the 32 features of the goldens."""
    return EmbedderOptions(backbone="small", weights=None, width=4, stripes=1)
