"""Build hook: compile the native kernel into the wheel if there is a C compiler, and say so if there is none."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


def _builder(root: Path) -> ModuleType:
    """dsn/kernels/build.py without the package around it, whose requirements are not installed yet."""
    spec = importlib.util.spec_from_file_location("native_build", root / "dsn" / "kernels" / "build.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class NativeKernel(BuildHookInterface[Any]):
    """The compiled kernel is optional: without it the wheel is pure Python and still complete."""

    def initialize(self, version: str, build_data: dict[str, Any]) -> None:
        """Compile in place, where the wheel takes the libraries from, and an editable installation finds them."""
        try:
            made = _builder(Path(self.root)).build()
        except OSError as error:
            self.app.display_warning(f"dsn is installed without its native kernel: {error}")
            return
        build_data["artifacts"] += [f"/{path.relative_to(self.root).as_posix()}" for path in made]
        build_data["pure_python"], build_data["infer_tag"] = False, True
