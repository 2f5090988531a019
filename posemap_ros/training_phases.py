"""Which frames are trained on when: some are held out until near the end.

What a training says of itself must come from frames that it has not seen. But what only those show
would never be learnt, so once they have told, they join for the last steps.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

# Several, so that no part of a drive decides alone, and each more than one frame, whose neighbours
# would show the same.
_BLOCKS = 4


@dataclass(frozen=True)
class Phases:
    """Of a training on N frames.

    Attributes:
        seen: [S] indices of the frames that are trained on from the start.
        held_out: [N - S] indices of the others.
        everything_from: step from which on all are.
    """

    seen: Tensor
    held_out: Tensor
    everything_from: int

    @classmethod
    def of(cls, count: int, share: float, steps: int, everything_from: float) -> Phases:
        """Hold out a share of so many frames, in blocks along the drive.

        Args:
            count: of frames, five or more.
            share: that is held out; four frames at least.
            steps: of the training.
            everything_from: share of them after which the held-out frames join.
        """
        wanted = max(_BLOCKS, round(share * count))
        edges = torch.linspace(0, wanted, _BLOCKS + 1).round().long()
        held_out = torch.zeros(count, dtype=torch.bool)
        for block, size in enumerate(edges.diff().tolist()):
            middle = (block + 0.5) * count / _BLOCKS
            first = min(max(0, round(middle - size / 2)), count - size)
            held_out[first : first + size] = True
        return cls(
            (~held_out).nonzero()[:, 0],
            held_out.nonzero()[:, 0],
            round(everything_from * steps),
        )

    def frames(self, step: int) -> Tensor:
        """Indices of the frames that are trained on in a step."""
        if step < self.everything_from:
            return self.seen
        return torch.cat([self.seen, self.held_out])
