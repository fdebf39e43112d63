"""Build hooks: the native kernel in the wheel, and the project's addresses from _config.yml.

The kernel is compiled for this machine if there is a C compiler; without one the wheel is pure Python and still
complete. `python -m tools.wheels` compiles for other platforms and names folder and tag in DSN_LIBRARIES and DSN_TAG.
"""

from __future__ import annotations

import importlib.util
import os
import re
import sysconfig
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface
from hatchling.metadata.plugin.interface import MetadataHookInterface

LIBRARIES = "dsn/kernels/csrc"
PLACEHOLDER = "OWNER"


def _builder(root: Path) -> ModuleType:
    """dsn/kernels/build.py without the package around it, whose requirements are not installed yet."""
    spec = importlib.util.spec_from_file_location("native_build", root / "dsn" / "kernels" / "build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def local_tag() -> str:
    """The tag of a wheel for any Python 3 on this platform: the kernel is loaded by ctypes and knows no Python."""
    return f"py3-none-{re.sub('[-.]', '_', sysconfig.get_platform())}"


class NativeKernel(BuildHookInterface[Any]):
    """Takes along the libraries of DSN_LIBRARIES, or compiles those of this machine and says so if it cannot."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile in place, where the wheel takes the libraries from, and an editable installation finds them."""
        if folder := os.environ.get("DSN_LIBRARIES"):
            for path in sorted(Path(folder).glob("kernel_*")):
                build_data["force_include"][str(path)] = f"{LIBRARIES}/{path.name}"
            build_data["tag"] = os.environ["DSN_TAG"]
            return
        try:
            made = _builder(Path(self.root)).build()
        except OSError as error:
            self.app.display_warning(f"dsn is installed without its native kernel: {error}")
            return
        build_data["artifacts"] += [f"/{path.relative_to(self.root).as_posix()}" for path in made]
        build_data["pure_python"], build_data["tag"] = False, local_tag()


class Addresses(MetadataHookInterface):
    """`[project.urls]` from the one place that holds the repository's address; none while it is a placeholder."""

    def update(self, metadata: dict[str, Any]) -> None:
        """Fill in `urls`."""
        text = (Path(self.root) / "_config.yml").read_text(encoding="utf-8")
        found = re.search(r"^  url: https://github\.com/([\w.-]+)/([\w.-]+)$", text, re.MULTILINE)
        branch = re.search(r"^  branch: (\S+)$", text, re.MULTILINE)
        if found is None or branch is None or found[1] == PLACEHOLDER:
            metadata["urls"] = {}
            return
        repository = f"https://github.com/{found[1]}/{found[2]}"
        metadata["urls"] = {
            "Documentation": f"https://{found[1].lower()}.github.io/{found[2]}/",
            "Repository": repository,
            "Issues": f"{repository}/issues",
            "Changelog": f"{repository}/blob/{branch[1]}/CHANGELOG.md",
            "Data": f"https://raw.githubusercontent.com/{found[1]}/{found[2]}/{branch[1]}/data/",
            "Paper": "https://arxiv.org/abs/2510.11395",
        }
