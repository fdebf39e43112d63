"""Training: the loop, optimisers and learning rate, training of the policy alone.

>>> from dsn.config import presets
>>> from dsn.training import train
>>> train(presets.mgt_dsn(), mixtures, "runs/mgt-dsn")
"""

from .loop import train as train
from .optim import TrainingSet as TrainingSet
