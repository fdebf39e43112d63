"""Training: the loop, optimisers and learning rate, training of the policy alone.

>>> from dsn.config import presets
>>> from dsn.training import train
>>> train(presets.slim(), mixtures, "runs/slim")
"""

from .loop import train as train
from .optim import TrainingSet as TrainingSet
