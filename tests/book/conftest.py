from __future__ import annotations

from pathlib import Path

import pytest

from dsn.kernels import build
from hatch_build import local_tag
from tools import wheels


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this machine, with the kernels that are compiled in place."""
    return wheels.make(build.FOLDER, local_tag().removeprefix("py3-none-"), tmp_path_factory.mktemp("wheel"))
