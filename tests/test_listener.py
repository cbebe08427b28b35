"""The listener that the button's panel prepares for itself."""

import pytest

from helpers import button, closing
from helpers.account import Account

SERIAL = "G030JF055364XVRB"


def test_it_may_listen_to_one_button_and_nothing_else(inside: Account) -> None:
    ear = button.make_listener(inside, SERIAL, "my-ear")
    assert ear.name == "my-ear"
    with button.listen(ear, f"iotbutton/{SERIAL}") as arrived:
        assert arrived.empty
    with pytest.raises(button.Refused, match="subscribe"), button.listen(ear, "#"):
        pass
    with pytest.raises(button.Refused, match="publish"):
        button.press(ear)


def test_prepared_again_it_is_the_same(inside: Account) -> None:
    ear = button.make_listener(inside, SERIAL, "my-ear")
    assert button.make_listener(inside, SERIAL, "my-ear") == ear
    assert len(closing.inventory(inside).certificates) == 1


def test_clean_up_takes_it_away(inside: Account) -> None:
    button.make_listener(inside, SERIAL, "my-ear")
    closing.clean_up(inside)
    assert closing.inventory(inside).empty
