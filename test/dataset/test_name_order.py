from posemap_ros.dataset.name_order import in_name_order


def test_numbers_count_as_numbers():
    names = ['walk2/10.jpg', 'walk10/1.jpg', 'walk2/9.jpg', 'cover.jpg', '7', 'walk2/09.jpg']
    assert sorted(names, key=in_name_order) == [
        '7',
        'cover.jpg',
        'walk2/09.jpg',
        'walk2/9.jpg',
        'walk2/10.jpg',
        'walk10/1.jpg',
    ]


def test_digits_of_other_scripts_are_letters():
    assert sorted(['\u0662', '\u00b2', '3'], key=in_name_order)[0] == '3'
