"""A check for every exercise that is answered in code.

A check takes the reader's answer, mostly a function, and returns a `Verdict`; it raises nothing.
"""

from .layers import check_dynamic_linear as check_dynamic_linear
from .layers import check_held as check_held
from .layers import check_slim_mask as check_slim_mask
from .layers import check_visible as check_visible
from .measuring import check_interval as check_interval
from .measuring import check_random_gates as check_random_gates
from .measuring import check_rule as check_rule
from .measuring import check_time_line as check_time_line
from .reckoning import check_closed_macs as check_closed_macs
from .reckoning import check_fitted_guide as check_fitted_guide
from .reckoning import check_loophole as check_loophole
from .reckoning import check_mean_mmacs as check_mean_mmacs
from .reckoning import check_sampled_gate as check_sampled_gate
from .reckoning import check_soft_gradient as check_soft_gradient
from .reckoning import check_target as check_target
