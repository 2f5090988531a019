"""How the images are changed that APRNet learns from."""

import pytest
import torch

from posemap_ros.aprnet.augmentation import add_noise, brighten, random_gains


def dice(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def test_gains_are_near_one_and_within_their_limits() -> None:
    gains = random_gains(500, 0.2, 0.0, dice())
    assert torch.equal(gains, gains[..., :1, :1].expand(500, 3, 3, 4))
    gains = gains[..., :1, :1]
    assert 0.8 * 0.9 <= gains.min() < 0.8 and 1.2 < gains.max() <= 1.2 * 1.1
    assert gains.mean().item() == pytest.approx(1.0, abs=0.02)
    # The channels of an image differ among themselves by less than images do.
    assert gains.std(1).mean() < gains.mean(1).std()
    assert torch.equal(random_gains(5, 0.0, 0.0, torch.Generator()), torch.ones(5, 3, 3, 4))
    bright = brighten(torch.full((1, 3, 2, 2), 0.9), torch.full((1, 3, 1, 1), 1.2))
    assert torch.equal(bright, torch.ones(1, 3, 2, 2))


def test_light_changes_from_place_to_place_and_smoothly() -> None:
    gains = random_gains(200, 0.0, 0.5, dice())
    assert torch.equal(gains[:, :1].expand_as(gains), gains)  # the same for all channels
    assert 0.5 <= gains.min() < 0.6 and 1.4 < gains.max() <= 1.5
    grey = torch.full((200, 3, 48, 64), 0.5)
    lit = brighten(grey, gains)
    steps = torch.maximum(lit.diff(dim=2).abs().max(), lit.diff(dim=3).abs().max())
    assert lit.std(dim=(2, 3)).mean() > 0.05 and steps < 0.05


def test_noise_is_white_differs_from_image_to_image_and_stays_below_its_limit() -> None:
    grey = torch.full((400, 3, 16, 16), 0.5)
    noise = add_noise(grey, 0.1, dice()) - grey
    spread = noise.std(dim=(1, 2, 3))
    assert spread.max() < 0.11 and spread.min() < 0.01
    assert spread.mean().item() == pytest.approx(0.05, abs=0.005)
    assert noise.mean().abs() < 1e-3
    beside = (noise[..., 1:] * noise[..., :-1]).mean() / noise.square().mean()
    assert beside.abs() < 0.02
    assert add_noise(grey, 0.0, dice()) is grey
    black = add_noise(torch.zeros(4, 3, 8, 8), 0.1, dice())
    assert black.min() == 0 and black.max() > 0
