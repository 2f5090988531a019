"""The revision that the node works with: its network and its landmarks, exchanged together."""

from __future__ import annotations

from posemap_ros.environment import Environment
from posemap_ros.localizer import Localizer
from posemap_ros.verification.verifier import Verifier


class RevisionInUse:
    """Outlives activations: what a refine or a reset brought into use stays in use.

    Args:
        localizer: the network.
        wants_landmarks: whether images shall be verified, where the environment has landmarks.

    Attributes:
        verifier: of the environment's landmarks; None: quick poses have to do.

    Raises:
        InvalidLandmarks, InvalidCalibration: with a sentence.
    """

    def __init__(self, localizer: Localizer, wants_landmarks: bool) -> None:
        self.localizer = localizer
        self._wants_landmarks = wants_landmarks
        self.verifier = self._verifier_of(localizer.environment)

    def load(self, number: int) -> None:
        """Switch to another revision; images in flight finish with the one before.

        Raises:
            InvalidEnvironment, InvalidLandmarks, InvalidCalibration: with a sentence; the one
                before stays in use.
        """
        environment = Environment.load(self.localizer.environment.path, number)
        verifier = self._verifier_of(environment)
        self.localizer.use(environment)
        self.verifier = verifier

    def _verifier_of(self, environment: Environment) -> Verifier | None:
        return Verifier.of(environment) if self._wants_landmarks else None
