"""What the network learns from images whose poses were verified."""

from dataclasses import replace
from pathlib import Path

import torch
from tiny_environment import CAMERA, RECIPE, circle_of_poses, photograph

from posemap_ros.alignment.labelled import LabelledAligner
from posemap_ros.alignment.rehearsal import Rehearsal
from posemap_ros.aprnet.renders import PosedViews
from posemap_ros.environment import Environment

POSES = torch.from_numpy(circle_of_poses(8)).float()
PHOTOS = PosedViews(
    torch.stack([torch.from_numpy(photograph(p.double().numpy())) for p in POSES]), POSES
)


def aligner(environment: Path, turned: float) -> LabelledAligner:
    loaded, dice = Environment.load(environment), torch.Generator().manual_seed(0)
    nerf, net = loaded.load_nerf_p(), loaded.load_aprnet()
    labelled = replace(RECIPE.alignment.labelled, views=6)
    recipe = replace(
        RECIPE,
        aprnet=replace(RECIPE.aprnet, turned=turned, turn_deg=20.0),
        alignment=replace(RECIPE.alignment, labelled=labelled),
    )
    rehearsal = Rehearsal(nerf, CAMERA, recipe.aprnet.views, dice)
    return LabelledAligner(net, nerf, PHOTOS, torch.arange(6), POSES, rehearsal, recipe, dice)


def test_changed_copies_are_turned_and_taught_what_is_seen_then(
    pristine_environment: Path,
) -> None:
    made = aligner(pristine_environment, turned=1.0)
    for seen in (made._photos, made._views):
        as_it_is, changed = seen.T_world_cam[:2]
        assert torch.equal(as_it_is[:, :3, 3], changed[:, :3, 3])
        assert (as_it_is[:, :3, :3] - changed[:, :3, :3]).abs().amax((1, 2)).min() > 0.01
        assert torch.isfinite(seen.depth[0]).all() and not torch.isfinite(seen.depth[1]).all()
        known = seen.known(torch.tensor([0, 1]), torch.tensor([4, 4]))
        there = made._nerf.grid_depth(known.T_world_cam, CAMERA)
        shown = torch.isfinite(known.depth)
        assert torch.allclose(known.depth[shown], there[shown], rtol=1e-4)
    assert torch.equal(made._photos.T_world_cam[0], POSES)


def test_without_turns_all_copies_are_of_one_pose(pristine_environment: Path) -> None:
    seen = aligner(pristine_environment, turned=0.0)._photos
    assert (seen.T_world_cam == POSES).all() and len(seen.T_world_cam) == 4
