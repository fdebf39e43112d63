"""The gateable layers: grouped GRU, multi-head attention, convolution (both ways) and fully connected.

One rule holds for all: in an open frame the layer is the ordinary layer; in a closed frame it is the smaller layer
made of its static inputs and static outputs, and its dynamic outputs are 0. `gate=None` means open in every frame, so
a layer without a gate is an ordinary layer. Which groups, heads and channels are static is our choice; the paper
states that the four structures exist.

Every layer has two executions of the same weights: dense (the default) computes everything and masks, for training;
`skip_closed=True` computes only what the gates ask for.

A gate's gradient in frame t is what opening does to that frame: the output with the gate open minus the output with it
closed, whichever it is now. In dense execution that derivative is exact for every layer alone, for GRU and fully
connected layer in a row, and for the convolutions of an encoder or decoder, where no path is multiplied by the gate
twice. Between stages that share a gate, and from a block's GRU to its attention, it is one of first order. Effects on
later frames carry a gradient through the past inputs of convolutions, but none through held GRU states or keys.

The work itself is done by plain functions of tensors, which a layer holds as attributes: `DynamicGRU.run`,
`DynamicAttention.attend_bins` and `attend_past`, `DynamicConv.convolve`. Other implementations of the same functions
may take their place; `dsn.kernels.training.accelerate` does so for training on a CPU.
"""

from .attend import AttentionState as AttentionState
from .attention import DynamicAttention as DynamicAttention
from .conv import DynamicConv as DynamicConv
from .conv import DynamicConvTranspose as DynamicConvTranspose
from .conv import DynamicDepthwise as DynamicDepthwise
from .gru import DynamicGRU as DynamicGRU
from .linear import DynamicLinear as DynamicLinear
