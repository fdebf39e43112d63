"""Training: the loop and its optimisers, slim training (`sandwich`, `gates`), policies that learn from the ratio loss
(`policy_training`) or from benefit labels (`benefit`, `policy_fitting`).

>>> from dsn.config import presets
>>> from dsn.training import train
>>> train(presets.slim(), mixtures, "runs/slim")
"""

from .loop import train as train
from .optim import TrainingSet as TrainingSet
