"""All pages work for every network family and every layer of Z."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest
from workspaces import make_tiny_workspace

CATEGORY = "001.Ember_capped_Finch"
NETWORKS = {
    "resnet18": ("resnet18", "avgpool"),
    "alexnet-pool": ("alexnet", "pool3-mean"),
    "flat-pool": ("vgg_small", "pool4"),
}


@pytest.fixture(scope="module", params=NETWORKS)
def workspace(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    architecture, z_layer = NETWORKS[request.param]
    folder = tmp_path_factory.mktemp("families") / request.param
    return make_tiny_workspace(folder, architecture=architecture, z_layer=z_layer)


@pytest.mark.parametrize("page", ["overview", "category", "x_feature", "photo", "compare"])
def test_pages_are_shown(workspace: Path, open_app: Callable[..., AppTest], page: str) -> None:
    app = open_app(workspace, page, category=CATEGORY)
    assert not app.exception
    assert not app.error
    assert app.title
