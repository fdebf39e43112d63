"""Every setting of the model, the losses, the data and the training, as frozen dataclasses.

`ModelConfig()` is FTF-Net with half of every layer dynamic, a cut of our own, since the paper gives none;
`ModelConfig.ftfnet()` is the static baseline, and `presets` has settings that train each model. A config travels as a
plain dictionary (`to_dict`, `from_dict`) inside every checkpoint and every file of weights.
"""

from . import presets as presets
from .data import DataConfig as DataConfig
from .data import Variations as Variations
from .model import BLOCKS as BLOCKS
from .model import STAGES as STAGES
from .model import Backbone as Backbone
from .model import ClosedState as ClosedState
from .model import Form as Form
from .model import GateLayout as GateLayout
from .model import Kind as Kind
from .model import ModelConfig as ModelConfig
from .model import PolicyConfig as PolicyConfig
from .model import Share as Share
from .model import Stft as Stft
from .settings import Settings as Settings
from .training import Guide as Guide
from .training import GuideMetric as GuideMetric
from .training import LossConfig as LossConfig
from .training import Optimiser as Optimiser
from .training import RatioLoss as RatioLoss
from .training import TrainConfig as TrainConfig
