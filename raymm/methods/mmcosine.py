"""MMCosine: joint training with a head of cosines.

Source: Xu et al., "MMCosine: Multi-Modal Cosine Loss Towards Balanced Audio-Visual Fine-Grained Learning",
ICASSP 2023.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from raymm.config.registries import METHODS
from raymm.methods.base import Method
from raymm.methods.unimodal import one_modality

if TYPE_CHECKING:
    from raymm.methods.base import MethodContext

__all__ = ["MMCosine"]


class MMCosine(Method):
    """The joint loss of the fusion `cosine`, whose outputs are s * sum_i cos(f_i, W_i[:, k]).

    All that differs from joint training is the fusion, which other methods can have as well. Defined for two or more
    modalities and every task.
    """

    source = "Xu et al., ICASSP 2023, equation 4"
    cost = "that of joint training"

    @classmethod
    def problems(cls, settings: Any, context: MethodContext) -> list[str]:
        """Refuse a single modality, and every other fusion."""
        del settings
        found = one_modality(context)
        if context.fusion != "cosine":
            found.append(
                f"it is the joint loss of the fusion cosine, and model.fusion={context.fusion} is another; set "
                "model.fusion=cosine (its scale is model.fusion.scale), or use method=joint"
            )
        return found


METHODS.register("mmcosine", MMCosine)
