"""Aligning an environment, for the node's refine and offline alike."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from posemap_ros.alignment.judge import (
    Change,
    Gaps,
    PoseErrors,
    hold_out_places,
    share_shown,
)
from posemap_ros.alignment.labelled import LabelledAligner
from posemap_ros.alignment.rehearsal import Rehearsal
from posemap_ros.alignment.schedule import Progress, Schedule
from posemap_ros.alignment.self_supervised import SelfSupervisedAligner
from posemap_ros.alignment.sightings import Sightings, look_at
from posemap_ros.alignment.todays_landmarks import todays_landmarks
from posemap_ros.aprnet.network import APRNet
from posemap_ros.aprnet.renders import PosedViews
from posemap_ros.dataset import PosedImages
from posemap_ros.environment import TODAYS_LANDMARKS_FILE
from posemap_ros.localizer import Localizer
from posemap_ros.nerf_p.exposure import luma_histogram
from posemap_ros.nerf_p.nerf_p import NeRFP
from posemap_ros.recipe import Recipe
from posemap_ros.verification.verifier import Verifier

MIN_IMAGES = 8
# Views all over the map that judge, half of them in today's exposure.
_JUDGING_VIEWS = 32
# Images that show less of the map than this teach the network nothing: it is one for all of it.
_LEAST_SHOWN = 1 / 3
# No more than this share of the time goes into rendering what is rehearsed.
_RENDERING_SHARE = 0.3


class TooFewImages(ValueError):
    """Too few images to align on and to judge by."""


class Aligner(Protocol):
    """Something that fits a copy of a network, step by step."""

    net: APRNet
    default_steps: int
    judged_after: float  # share of the steps; 1: at the end

    def step(self, fraction: float) -> None:
        """One step, when this fraction of the training is done."""
        ...

    def measure(self, unseen: PosedViews) -> PoseErrors | Gaps:
        """How well the copy does on images that are held out."""
        ...

    def learn_all(self) -> None:
        """From now on also learn the images that were held out, and have judged."""
        ...


@dataclass(frozen=True)
class Outcome:
    """What an alignment did to a network, before anybody decides whether to keep it."""

    net: APRNet
    trained: Tensor  # indices of the images that were trained on
    judges: Tensor  # and of those that were held out
    held_out: Change  # on images of other places
    map_views: Change  # on views all over the map
    shown: float = 1.0  # share of the map that the images show

    @property
    def objection(self) -> str:
        """Why the network should not be kept; '' if it should."""
        if self.shown < _LEAST_SHOWN:
            return f'the images show only {100 * self.shown:.0f} % of the map'
        if self.map_views.is_worse:
            return 'the rest of the map would be forgotten'
        if not self.held_out.is_better:
            return 'it did not help in places that were not trained on'
        return ''

    @property
    def figures(self) -> str:
        """What changed, in a phrase; '' if nothing was tried."""
        if not len(self.held_out):
            return ''
        by = ', by their verified poses,' if isinstance(self.held_out.before, PoseErrors) else ''
        text = f'{len(self.held_out)} held-out images{by} {self.held_out}'
        if len(self.map_views):
            text += f', {len(self.map_views)} views all over the map {self.map_views}'
        return f': {text}'


@dataclass(frozen=True)
class AlignmentResult:
    """What became of an environment."""

    accepted: bool
    reason: str  # one sentence, with figures
    revision: int  # the new one if accepted, else the one there was
    frames_verified: int
    frames_used: int
    frames_held_out: int
    seconds: float


def align(
    net: APRNet,
    nerf: NeRFP,
    sightings: Sightings,
    mapped: Tensor,
    recipe: Recipe,
    *,
    seconds: float | None = None,
    steps: int | None = None,
    seed: int = 0,
    progress: Progress = lambda fraction, text: None,
) -> Outcome:
    """Fit a copy of a network to images, except some that are held out.

    Args:
        net, nerf: the trained networks.
        sightings: N >= 8. Where all are verified, their poses are labels; else NeRF-P teaches.
        mapped: [M, 4, 4] poses of the mapping photos; M is 0 where they are not known.
        recipe: of the training and of the alignment.
        seconds: stop after this long, if given.
        steps: stop after so many steps; by default as many epochs as the recipe says.
        seed: of every random choice.
        progress: told the fraction done and what is going on.
    """
    started = time.monotonic()
    device = next(net.parameters()).device
    generator = torch.Generator().manual_seed(seed)
    labelled = bool(sightings.verified.all())
    photos = sightings.photos
    views = recipe.aprnet.views
    steps_apart = (views.reach_m(nerf.scene.middle_m), views.max_rotation_deg)
    trained, held_out = hold_out_places(photos.T_world_cam, *steps_apart)
    shown = share_shown(photos.T_world_cam, mapped, *steps_apart)
    if shown < _LEAST_SHOWN:
        untried = Change(PoseErrors.none(), PoseErrors.none())
        return Outcome(net, trained, held_out, untried, untried, shown)
    learned, unseen = photos.part(trained), photos.part(held_out)

    progress(0.0, 'rendering views all over the map')
    rehearsal = Rehearsal(nerf, net.camera, views, generator)
    mapped = mapped[torch.randperm(len(mapped), generator=generator)]
    asked, known = mapped[:_JUDGING_VIEWS], mapped[_JUDGING_VIEWS:]
    today = luma_histogram(photos.images)
    judging = PosedViews.cat([rehearsal.views(asked[::2]), rehearsal.views(asked[1::2], today)])
    aligner: Aligner
    if labelled:
        until = float('inf') if seconds is None else started + _RENDERING_SHARE * seconds
        aligner = LabelledAligner(
            net, nerf, photos, trained, known, rehearsal, recipe, generator, until
        )
    else:
        aligner = SelfSupervisedAligner(
            net, nerf, learned.images.to(device), recipe.alignment, generator
        )

    def measure() -> tuple[PoseErrors | Gaps, PoseErrors]:
        return aligner.measure(unseen), PoseErrors.of(aligner.net, judging)

    progress(0.0, f'measuring on {len(unseen)} held-out images')
    measuring = time.monotonic()
    before = measure()
    # Judging again takes as long as it did now, and once more where it is not the end.
    judging_seconds = (1 + (aligner.judged_after < 1.0)) * (time.monotonic() - measuring)
    schedule = Schedule(
        aligner.default_steps if steps is None else steps,
        None if seconds is None else started + seconds - judging_seconds,
        progress,
    )
    schedule.run(aligner.step, 0.0, aligner.judged_after)
    outcome = Outcome(aligner.net, trained, held_out, *map(Change, before, measure()))
    if aligner.judged_after < 1.0 and not outcome.objection:
        # Having shown that it helps where nothing was learned, it learns that, too.
        aligner.learn_all()
        schedule.run(aligner.step, aligner.judged_after, 1.0)
        views_after = PoseErrors.of(aligner.net, judging)
        outcome = replace(outcome, map_views=Change(before[1], views_after))
    progress(1.0, 'done')
    return outcome


def align_environment(
    environment: Path | str,
    frames: PosedImages,
    *,
    verify: bool = True,
    revision: int | None = None,
    seconds: float | None = None,
    steps: int | None = None,
    device: str = 'auto',
    seed: int = 0,
    progress: Progress = lambda fraction, text: None,
) -> AlignmentResult:
    """Align an environment. The network is kept only if it helps in places held out and forgets
    nothing; landmarks of today only if frames that they do not come from are verified as before.

    Args:
        environment: folder; what is kept is written into it as a new revision.
        frames: at least 8, in the order in which they were taken; their own poses are not used.
            If so many of them can be verified by the environment's landmarks, the poses found
            that way are learned.
        verify: whether to do that, rather than what the paper did.
        revision: to start from; 0 is the base, None the newest.
        seconds: for all of it, if given.
        steps, seed, progress: see `align`.
        device: 'auto', 'cpu', 'cuda', ...

    Raises:
        InvalidEnvironment: the folder cannot be used.
        TooFewImages: fewer than 8 images.
        CameraMismatch: a camera sees too little of what the network needs.
    """
    started = time.monotonic()
    if len(frames) < MIN_IMAGES:
        raise TooFewImages(f'alignment needs at least {MIN_IMAGES} images, and got {len(frames)}')
    localizer = Localizer(environment, device, revision)
    loaded = localizer.environment
    recipe = loaded.recipe
    verifier = Verifier.of(loaded)
    mapped = torch.empty(0, 4, 4)
    if verifier is not None:
        mapped = torch.from_numpy(verifier.landmarks.T_world_cam).float()
    sightings = look_at(
        frames,
        localizer,
        verifier if verify and recipe.alignment.labels == 'verified' else None,
        lambda done: progress(0.0, f'looking at image {done + 1} of {len(frames)}'),
    )
    verified = int(sightings.verified.sum())
    labelled = verified >= MIN_IMAGES
    if labelled:
        kept = np.flatnonzero(sightings.verified)
        frames = replace(frames, frames=tuple(frames.frames[i] for i in kept))
        sightings = sightings.select(kept)
    nerf = loaded.load_nerf_p(localizer.device)
    net = loaded.load_aprnet(localizer.device)
    outcome = align(
        net,
        nerf,
        sightings,
        mapped,
        recipe,
        seconds=None if seconds is None else seconds - (time.monotonic() - started),
        steps=steps,
        seed=seed,
        progress=progress,
    )
    objection, today = outcome.objection, None
    if labelled:
        progress(1.0, 'mapping the landmarks of today')
        described_by = net if objection else outcome.net
        judges = outcome.judges.numpy()
        today = todays_landmarks(loaded, frames, sightings, judges, nerf, described_by)
    if not objection:
        reason = f'aligned{outcome.figures}'
    elif today is not None:
        reason = f'the network stays as it was, because {objection}{outcome.figures}'
    else:
        reason = f'rolled back, because {objection}{outcome.figures}'
    if today is not None:
        reason += f'; {len(today)} landmarks of today join the map'
    result = AlignmentResult(
        accepted=not objection or today is not None,
        reason=reason,
        revision=loaded.revision,
        frames_verified=verified,
        frames_used=len(outcome.trained),
        frames_held_out=len(outcome.judges),
        seconds=time.monotonic() - started,
    )
    if not result.accepted:
        return result
    if today is not None:
        content = today.to_bytes()
    else:
        content = loaded.read(TODAYS_LANDMARKS_FILE) if loaded.todays_landmarks else None
    kept = net if objection else outcome.net
    return replace(result, revision=loaded.add_revision(kept, asdict(result), content))
