"""The features of a record: the names and values that the format promises."""

from bsrn_estimator.data import records


def test_features_are_those_of_the_format():
    """By name, as docs/data.md and the docstring of the module have them."""
    features = records.image_features(
        key="0801_y0012_x0006",
        name="caf\u00e9",
        encoding="raw",
        origin=(12, 6),
        hr=(b"hr", 18, 30),
        lr={2: (b"two", 9, 15), 3: (b"three", 6, 10)},
    )
    assert features == {
        "image/key": b"0801_y0012_x0006",
        "image/name": b"caf\xc3\xa9",
        "image/format": b"raw",
        "image/height": 18,
        "image/width": 30,
        "image/y": 12,
        "image/x": 6,
        "image/hr/encoded": b"hr",
        "image/lr_x2/encoded": b"two",
        "image/lr_x2/height": 9,
        "image/lr_x2/width": 15,
        "image/lr_x3/encoded": b"three",
        "image/lr_x3/height": 6,
        "image/lr_x3/width": 10,
    }


def test_the_channels_of_a_file_stand_there_where_they_are_not_three():
    """So that data without grey files are the same bytes as before there was this feature."""
    values = dict(key="a", name="a", encoding="raw", origin=(0, 0), hr=(b"hr", 2, 2), lr={})
    plain = records.image_features(**values)
    assert records.image_features(channels=3, **values) == plain
    grey = records.image_features(channels=1, **values)
    assert grey == dict(plain, **{"image/channels": 1})
