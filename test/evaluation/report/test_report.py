"""The whole report, from a small environment that has learned nothing."""

import re
from dataclasses import replace

import numpy as np
import pytest
import torch
from evaluations import make_evaluation
from tiny_environment import make_tiny_dataset

from posemap_ros.dataset import open_dataset
from posemap_ros.environment import Environment
from posemap_ros.evaluation.report import views
from posemap_ros.evaluation.report.report import Beside, pick_apart, rank_frames, write_report
from posemap_ros.evaluation.report.views import view_frames
from posemap_ros.evaluation.run import localize_all
from posemap_ros.localizer import Localizer
from posemap_ros.nerf_p.nerf_p import NeRFP, View
from posemap_ros.verification.verifier import Verification


@pytest.fixture(scope='module')
def dataset(tmp_path_factory):
    return open_dataset(make_tiny_dataset(tmp_path_factory.mktemp('report') / 'room', 12))


@pytest.fixture(autouse=True)
def small_pictures(monkeypatch):
    monkeypatch.setattr(views, '_HEIGHT', 48)


@pytest.fixture
def localizer(environment):
    return Localizer(environment, 'cpu')


@pytest.mark.parametrize('count', [12, 1])
def test_the_report_holds_figures_tables_and_views(dataset, localizer, tmp_path, count):
    dataset = replace(dataset, frames=dataset.frames[:count])
    evaluation = localize_all(localizer, dataset)
    beside = Beside(T_nearest=dataset.poses)
    write_report(tmp_path / 'report.html', evaluation, dataset, localizer, beside)

    page = (tmp_path / 'report.html').read_text(encoding='utf-8')

    assert page.count('data:image/svg+xml') == 4
    shown = re.findall(r'(images/\d{6}) \(frame (\d+)\)', page)
    assert len(page.split('class="row"')) - 1 == 3 + min(count, 5)
    assert {evaluation.frames[int(index)].name for _, index in shown} == {n for n, _ in shown}
    summary = evaluation.summary()
    assert f'>{summary["median_translation_m"]:.3f}<' in page
    assert '>0.000<' in page  # of the nearest image, which was given the true poses
    worst = max(evaluation.translation_m)
    assert f'off by {worst:.3f} m' in page
    assert not re.search(r'(src|href)="(?!data:)', page)


@pytest.mark.parametrize('count', [9, 0])
def test_verified_poses_have_a_table(dataset, localizer, tmp_path, count):
    """Of 12 frames, 9 are verified: 6 at their true poses, 3 of them 0.5 m off."""
    poses = dataset.poses.copy()
    poses[6:, 0, 3] += 0.5
    found = tuple(Verification(i < count, '', T, np.eye(6) * 1e-4) for i, T in enumerate(poses))
    evaluation = replace(localize_all(localizer, dataset), verifications=found)
    landmarks = np.random.default_rng(0).uniform(-1, 1, (50, 3))
    beside = Beside(landmarks=landmarks)
    write_report(tmp_path / 'report.html', evaluation, dataset, localizer, beside)

    page = (tmp_path / 'report.html').read_text(encoding='utf-8')
    cells = re.findall(r'<td[^>]*>(?:verified|wrong|median)[^<]*</td><td[^>]*>([^<]*)<', page)
    verified = cells[2:]  # after the two medians of the network
    assert verified == (['75.0', '0.000', '0.00', '50.0', '3'] if count else ['0.0'])


def test_another_environment_is_shown_side_by_side(dataset, localizer, tmp_path):
    evaluation = localize_all(localizer, dataset)
    other = replace(make_evaluation(np.full(12, 0.2)), frames=evaluation.frames)
    beside = Beside('mine', {'theirs & co': other})
    write_report(tmp_path / 'report.html', evaluation, dataset, localizer, beside)
    page = (tmp_path / 'report.html').read_text(encoding='utf-8')
    assert re.search(r'<th[^>]*>mine</th><th[^>]*>theirs &amp; co</th>', page)
    median, theirs = evaluation.summary()['median_translation_m'], 0.2
    row = re.search(r'median translation error \(m\)(.*)', page)[1]
    assert re.findall(r'>([\d.]+)<', row) == [f'{median:.3f}', f'{theirs:.3f}']
    assert '<h2>Trajectory: mine</h2>' in page and '<h2>Trajectory: theirs &amp; co</h2>' in page
    assert page.count('data:image/svg+xml') == 5


def test_units_of_arbitrary_scale_are_not_called_metres(dataset, localizer, tmp_path):
    evaluation = localize_all(localizer, replace(dataset, metric=False))
    found = tuple(Verification(True, '', T, np.eye(6) * 1e-4) for T in dataset.poses)
    evaluation = replace(evaluation, verifications=found)
    write_report(tmp_path / 'report.html', evaluation, dataset, localizer)
    page = (tmp_path / 'report.html').read_text(encoding='utf-8')
    text = re.sub(r'data:[^"]*', '', page)
    assert 'median translation error (units)' in text and 'within 0.05 units and 5 deg' in text
    assert not re.search(r'\(m\)| cm | m,', text)


def test_views_are_of_the_frame_and_its_estimate(dataset, localizer):
    # All around the circle: what an untrained network estimates may be the same for all frames.
    evaluation = make_evaluation(np.zeros(12))
    seen = view_frames(evaluation, dataset, [2, 7, 2], localizer)
    for name in ('image', 'render', 'image_features', 'render_features', 'posemap'):
        first, other, again = (getattr(view, name) for view in seen)
        assert first.dtype == np.uint8 and first.shape == other.shape and first.shape[2] == 3
        np.testing.assert_array_equal(first, again)
    for name in ('image', 'render', 'posemap'):
        assert not np.array_equal(getattr(seen[0], name), getattr(seen[1], name))
    assert seen[0].image.shape == seen[0].render.shape
    assert seen[0].image_features.shape == seen[0].render_features.shape


def test_what_looks_alike_has_features_of_one_colour(dataset, localizer, monkeypatch):
    """Every render shows frame 7: its features have the colours of that photo's, in all frames."""
    evaluation = localize_all(localizer, dataset)
    load_aprnet = Environment.load_aprnet

    def load_lively(*arguments):
        net = load_aprnet(*arguments)
        for name, parameter in net.adapters.named_parameters():
            if name.endswith('0.bias'):
                parameter.data.zero_()  # drowns what an untrained backbone tells of the image
        return net

    def render_frame_7(nerf, pose, camera, histogram):
        rgb = torch.from_numpy(dataset.load_as(7, camera) / 255.0)
        return View(rgb, rgb[..., 0], rgb[..., 0])

    monkeypatch.setattr(Environment, 'load_aprnet', load_lively)
    monkeypatch.setattr(NeRFP, 'render_view', render_frame_7)

    two, seven = view_frames(evaluation, dataset, [2, 7], localizer)

    np.testing.assert_array_equal(seven.image_features, seven.render_features)
    np.testing.assert_array_equal(seven.image_features, two.render_features)
    assert not np.array_equal(two.image_features, two.render_features)


def test_frames_are_ranked_by_the_error_that_matters_more():
    # 5 cm weigh as much as 5 deg.
    evaluation = make_evaluation(np.array([0.04, 0.01, 0.02]), turn_deg=np.array([0.0, 10.0, 1.0]))
    assert rank_frames(evaluation) == [2, 0, 1]


def test_of_neighbours_only_the_first_is_picked():
    assert pick_apart([7, 8, 6, 9, 1, 2, 4], 3, apart=1) == [7, 9, 1]
    assert pick_apart([3, 2, 1], 5, apart=0) == [3, 2, 1]
