"""The parameters, and the file that explains them."""

from pathlib import Path

import pytest
import rclpy
import yaml
from rclpy.context import Context
from rclpy.node import Node
from rclpy.parameter import Parameter

from posemap_ros.node.parameters import InvalidParameter, Parameters

CONFIG = Path(__file__).parents[2] / 'config' / 'localize.yaml'


@pytest.fixture
def make_node():
    """A bare node that was started with some parameters."""
    context = Context()
    rclpy.init(context=context)
    nodes = []

    def make(**overrides) -> Node:
        values = [Parameter(name, value=value) for name, value in overrides.items()]
        nodes.append(Node('test_parameters', context=context, parameter_overrides=values))
        return nodes[-1]

    yield make
    for node in nodes:
        node.destroy_node()
    rclpy.shutdown(context=context)


def test_the_file_lists_every_parameter_with_its_default(make_node):
    node = make_node()
    before = set(node.get_parameters_by_prefix(''))
    Parameters(node)
    declared = {
        name: parameter.value
        for name, parameter in node.get_parameters_by_prefix('').items()
        if name not in before
    }
    assert yaml.safe_load(CONFIG.read_text())['/**']['ros__parameters'] == declared


def test_the_file_marks_what_can_be_changed_live(make_node):
    node = make_node()
    Parameters(node)
    written = CONFIG.read_text()
    for name in yaml.safe_load(written)['/**']['ros__parameters']:
        comment = []
        for line in reversed(written[: written.index(f'\n    {name}:')].splitlines()):
            if not line.strip().startswith('#'):
                break
            comment.append(line)
        live = any('(live)' in line for line in comment)
        assert live != node.describe_parameter(name).read_only, name


def test_values_are_attributes_and_live(make_node):
    node = make_node(fix_timeout=5.0)
    parameters = Parameters(node)
    assert parameters.fix_timeout == 5.0
    node.set_parameters([Parameter('fix_timeout', value=6.0)])
    assert parameters.fix_timeout == 6.0
    with pytest.raises(AttributeError, match='fix_tiemout'):
        _ = parameters.fix_tiemout


@pytest.mark.parametrize(
    ('name', 'value', 'sentence'),
    [
        ('tf_mode', 'map_to_moon', 'one of map_to_odom, map_to_base, map_to_camera, none'),
        ('tf_rate', 20, 'with a point'),
        ('fix_timeout', -1.0, 'fix_timeout'),
        ('map_frame', '', 'without a leading slash'),
        ('base_frame', '/base_link', 'without a leading slash'),
    ],
)
def test_a_start_with_a_bad_value_is_refused_in_words(make_node, name, value, sentence):
    with pytest.raises(InvalidParameter, match=sentence):
        Parameters(make_node(**{name: value}))


@pytest.mark.parametrize(
    ('name', 'value', 'reason'),
    [
        ('max_image_age', -1.0, 'max_image_age'),
        ('max_image_age', 'old', 'type'),
        ('tf_mode', 'none', 'read-only'),
    ],
)
def test_a_bad_set_is_refused_with_a_reason_and_changes_nothing(make_node, name, value, reason):
    node = make_node()
    parameters = Parameters(node)
    before = getattr(parameters, name)
    [result] = node.set_parameters([Parameter(name, value=value)])
    assert not result.successful
    assert reason in result.reason
    assert getattr(parameters, name) == before


def test_every_parameter_is_described(make_node):
    node = make_node()
    before = set(node.get_parameters_by_prefix(''))
    Parameters(node)
    for name in set(node.get_parameters_by_prefix('')) - before:
        assert node.describe_parameter(name).description.endswith('.'), name


@pytest.mark.parametrize('off', ['off', False])
def test_off_is_what_yaml_reads_as_false(make_node, off):
    assert Parameters(make_node(verification=off)).verification == 'off'


@pytest.mark.parametrize('value', [True, 'sometimes', 1])
def test_verification_takes_its_choices_only(make_node, value):
    with pytest.raises(InvalidParameter, match='verification must be one of off, as_able, always'):
        Parameters(make_node(verification=value))
