from posemap_ros.dataset.name_order import in_name_order


def test_numbers_count_as_numbers():
    names = ['walk2/10.jpg', 'walk10/1.jpg', 'walk2/009.jpg', 'cover.jpg', '7', 'walk2/8.jpg']
    assert sorted(names, key=in_name_order) == [
        '7',
        'cover.jpg',
        'walk2/8.jpg',
        'walk2/009.jpg',
        'walk2/10.jpg',
        'walk10/1.jpg',
    ]


def test_digits_of_other_scripts_are_letters():
    assert sorted(['\u0662', '\u00b2', '3'], key=in_name_order)[0] == '3'


def test_there_may_be_more_digits_than_python_converts():
    assert sorted(['1' * 5000, '2' * 4999, '0'], key=in_name_order)[0] == '0'
