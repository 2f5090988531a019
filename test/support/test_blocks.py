import numpy as np
import pytest

from posemap_ros.support.blocks import InvalidBlock, in_blocks


def squares(block):
    return {'number': np.array(block), 'square': np.array([[i * i] for i in block])}


def test_arrays_of_all_items_in_order(tmp_path):
    arrays = in_blocks(tmp_path, 'squares', 10, 4, squares, 'squares')
    assert arrays['number'].tolist() == list(range(10))
    assert arrays['square'].shape == (10, 1)


def test_a_stopped_run_goes_on_where_it_was(tmp_path):
    done = []

    def stopping(block):
        if len(done) == 2:
            raise KeyboardInterrupt
        done.append(block)
        return squares(block)

    with pytest.raises(KeyboardInterrupt):
        in_blocks(tmp_path, 'squares', 10, 3, stopping, 'squares')
    assert done == [range(0, 3), range(3, 6)]
    again = []
    arrays = in_blocks(
        tmp_path, 'squares', 10, 3, lambda block: again.append(block) or squares(block), 'squares'
    )
    assert again == [range(6, 9), range(9, 10)]
    assert arrays['square'].ravel().tolist() == [i * i for i in range(10)]


def test_a_damaged_block_is_named(tmp_path):
    in_blocks(tmp_path, 'squares', 10, 5, squares, 'squares')
    (tmp_path / 'squares_000005.safetensors').write_bytes(b'half')
    with pytest.raises(InvalidBlock, match='squares_000005.*remove it'):
        in_blocks(tmp_path, 'squares', 10, 5, squares, 'squares')
