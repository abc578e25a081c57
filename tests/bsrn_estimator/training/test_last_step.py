"""The last step of a run, as its folder says it."""

import pytest

from bsrn_estimator.errors import UserError
from bsrn_estimator.training import last_step


def test_is_known_once_a_run_has_begun(tmp_path):
    assert last_step.load(str(tmp_path)) is None
    last_step.save(str(tmp_path), 40)
    last_step.save(str(tmp_path), 60)
    assert last_step.load(str(tmp_path)) == 60


@pytest.mark.parametrize("content", ["[]", '{"train_steps": "4"}', '{"train_steps": true}', "{"])
def test_a_damaged_file_is_told(tmp_path, content):
    (tmp_path / "training.json").write_text(content)
    with pytest.raises(UserError, match="training.json"):
        last_step.load(str(tmp_path))
