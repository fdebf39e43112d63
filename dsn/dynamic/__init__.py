"""The gateable layers: grouped GRU, multi-head attention, convolution (both ways) and fully connected.

One rule holds for all: in an open frame the layer is the ordinary layer; in a closed frame it is the smaller layer
made of its static inputs and static outputs, and its dynamic outputs are 0. `gate=None` means open in every frame, so
a layer without a gate is an ordinary layer. Which groups, heads and channels are static is our choice; the paper
states that the four structures exist.

Every layer has two executions of the same weights: dense (`skip=False`) computes everything and masks, for training;
`skip=True` computes only what the gates ask for.
"""

from .attention import AttentionState as AttentionState
from .attention import DynamicAttention as DynamicAttention
from .conv import DynamicConv as DynamicConv
from .conv import DynamicConvTranspose as DynamicConvTranspose
from .conv import DynamicDepthwise as DynamicDepthwise
from .gru import DynamicGRU as DynamicGRU
from .linear import DynamicLinear as DynamicLinear
