"""The network in C: a whole frame, Fourier transform included, in a few tens of microseconds on one core.

Closed gates are branches that are not taken, so they cost nothing. Installation compiles the C files beside this one
if there is a compiler; without one `available()` is False, `problem()` says what to do, and everything else works.
"""

from ..compiled import available as available
from ..compiled import problem as problem
from ..compiled import variants as variants
from .kernel import Kernel as Kernel
from .kernel import Stream as Stream
from .packing import pack as pack
