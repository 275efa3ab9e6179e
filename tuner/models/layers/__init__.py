"""Lane layers: torch's layers with the lane as dimension 0, so that one step trains K models.

Every layer equals torch's own, lane by lane, and draws what is random (weights, dropout masks) from one stream per
lane: what a lane learns does not depend on which lanes stand beside it.
"""

from tuner.models.layers.activation import Activation, activation
from tuner.models.layers.attention import SelfAttention, sinusoids
from tuner.models.layers.convolution import Conv, half, halved
from tuner.models.layers.copies import Copies
from tuner.models.layers.dropout import Dropout, kept
from tuner.models.layers.embedding import Embedding, Head, steps
from tuner.models.layers.initialization import Default, Initialization
from tuner.models.layers.lanes import Lanes, MetaLanes, Shapes
from tuner.models.layers.linear import Linear
from tuner.models.layers.normalization import BatchNorm, LayerNorm, Normalization, normalization
from tuner.models.layers.protocols import Decoder, HasLaneState, ReadsSteps, ReadsWholeBatch
from tuner.models.layers.readout import AdditiveAttention, Lengths, Pool, Pooling, steps_of
from tuner.models.layers.recurrent import Directions, Recurrent, State

__all__ = [
    "Activation",
    "AdditiveAttention",
    "BatchNorm",
    "Conv",
    "Copies",
    "Decoder",
    "Default",
    "Directions",
    "Dropout",
    "Embedding",
    "HasLaneState",
    "Head",
    "Initialization",
    "Lanes",
    "LayerNorm",
    "Lengths",
    "Linear",
    "MetaLanes",
    "Normalization",
    "Pool",
    "Pooling",
    "ReadsSteps",
    "ReadsWholeBatch",
    "Recurrent",
    "SelfAttention",
    "Shapes",
    "State",
    "activation",
    "half",
    "halved",
    "kept",
    "normalization",
    "sinusoids",
    "steps",
    "steps_of",
]
