"""What an export says of itself."""

import json

from bsrn_estimator.export import about


def test_what_an_export_says_of_itself(golden, folder):
    with open(about.path_of(folder)) as file:
        info = json.load(file)
    assert info["scales"] == [2, 3, 4, 8]
    assert info["step"] == 0
    assert info["hyper_parameters"]["recursions"] == 4
    assert info["hyper_parameters"]["rgb_mean"] == [127.5] * 3
    assert info["pictures"]["colour_order"] == "RGB"
    assert info["pictures"]["value_range"] == [0, 255]
    assert info["pictures"]["max_pixels_of_bytes"] == 2000
