"""What the tests of the panels share: click, paste a panel's code, and see what the account has."""

from typing import Any

from helpers import certificate, closing, thing
from helpers.account import Account


def click(button: Any) -> None:
    """Click as a browser does: a button that is disabled cannot be clicked."""
    assert not button.disabled, button.description
    button.click()


def paste(code: str, aws: Account) -> None:
    """Run code as a cell of a notebook would."""
    exec(code, {"aws": aws, "iot": aws.iot, "certificate": certificate})


def state(aws: Account) -> list[Any]:
    """All that a learner could tell two accounts apart by, without ids."""
    found = closing.inventory(aws)
    return [
        [(each.name, each.attributes) for each in found.things],
        [(each.name, each.text) for each in found.policies],
        [(each.status, each.policies, each.things) for each in found.certificates],
        [each.folder for each in found.keys],
    ]


def message(panel: Any) -> str:
    """What the panel says came of the last click, HTML."""
    return str(panel.outcome.view.children[0].value)


def everything_shown(panel: Any) -> str:
    """Every state of every widget of a panel, as a saved notebook would hold it."""
    parts = [panel.view]
    for part in parts:
        parts += getattr(part, "children", ())
    return "\n".join(str(part.get_state()) for part in parts)


def shown_before_it_runs(panel: Any) -> str:
    """What stands in a panel's place where no widget can be shown; the same in each run."""
    bundle = panel._repr_mimebundle_()
    assert bundle["text/plain"] == repr(panel)
    assert bundle.keys() > {"text/html", "text/plain"}, "the live one is missing"
    return str(bundle["text/html"])


def make_thing(aws: Account) -> None:
    """What notebook 01 leaves behind."""
    thing.register(aws.iot, aws.name("button"))
