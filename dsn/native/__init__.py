"""The network in C: a whole frame, Fourier transform included, in a few tens of microseconds on one core.

Closed gates are branches that are not taken, so they cost nothing. Installation compiles the C files beside this one
if there is a compiler; without one `available()` is False, `problem()` says what to do, and everything else works.
"""

from .kernel import Kernel as Kernel
from .kernel import Stream as Stream
from .library import available as available
from .library import problem as problem
from .library import variants as variants
from .packing import pack as pack
