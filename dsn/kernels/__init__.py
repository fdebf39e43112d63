"""Compiling, finding and loading the C code in `csrc/`: the streaming kernel and the kernels of training.

It is optional. Without it `available()` is False, `problem()` says what to do, and PyTorch does the work.
"""

from .library import available as available
from .library import load as load
from .library import problem as problem
from .library import variants as variants
