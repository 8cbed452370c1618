"""`raymm config`: settings by section, part and word; for people and for programs."""

import json

import pytest

from raymm.config import load
from tests.cli.calling import call
from tests.guests import guest


def test_all_settings_fit_80_columns(capfd):
    code, out, _ = call(capfd, "config")
    assert code == 0
    assert max(map(len, out.splitlines())) <= 80
    assert "training.epochs" in out
    assert "raymm config method.NAME shows what a part reads: agm, alone" in out


def test_a_part_and_a_word(capfd):
    code, out, _ = call(capfd, "config", "method.sample")
    assert code == 0
    assert out.startswith("method.sample\nsetting ")
    assert "raymm config method.fs.NAME shows what a part reads: linear" in out
    _, out, _ = call(capfd, "config", "--find", "warm")
    assert "optimizer.warmup" in out


def test_programs_read_json(capfd):
    _, out, _ = call(capfd, "config", "optimizer", "--json")
    (section,) = json.loads(out)["sections"]
    assert section["name"] == "optimizer"
    rates = [one for one in section["settings"] if one["key"] == "optimizer.lr"]
    assert rates == [
        {
            "key": "optimizer.lr",
            "default": str(load(None).optimizer.lr),
            "values": "number > 0",
            "meaning": "learning rate, before the schedule changes it",
        }
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["trainin"], "no section or setting 'trainin'; did you mean training?"),
        (["training", "--find", "warm"], "give one of SECTION and --find"),
        (["--find", "zzzz"], "no setting says 'zzzz'"),
    ],
)
def test_mistakes(capfd, words, said):
    code, _, err = call(capfd, "config", *words)
    assert code == 2
    assert said in err


def test_an_option_that_is_a_setting_elsewhere_leads_there(capfd):
    for option, setting in (("--warmup-epochs", "optimizer.warmup"), ("--dropout", "model.encoder.dropout")):
        code, _, err = call(capfd, "train", "--data", "x", "--out", "y", option, "3")
        assert code == 2
        assert f"it is a setting, so write {setting}=VALUE" in err


PLUGIN = """
from pydantic import Field

from raymm.config import Settings
from raymm.methods import METHODS, Joint


class MineSettings(Settings):
    patience: int = Field(default=7, ge=1, description="how long mine waits")


class Mine(Joint):
    Settings = MineSettings


METHODS.register("that_waits", Mine)
"""


def test_parts_of_a_plugin_are_shown(capfd, tmp_path):
    (tmp_path / "that_waits.py").write_text(PLUGIN)
    with guest(tmp_path):
        code, out, _ = call(capfd, "config", "method.that_waits", "--plugins", tmp_path / "that_waits.py")
        assert code == 0
        assert "method.settings.patience  7        whole number >= 1; how long mine waits" in out
    code, _, err = call(capfd, "config", "method.that_waits")
    assert code == 2
    assert "no section or setting 'method.that_waits'" in err
