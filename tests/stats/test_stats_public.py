"""What `robustnets.stats` offers: all of it, each with an example that runs."""

import inspect
import pkgutil
from importlib import import_module

import pytest

from robustnets import stats

# shared by modules of the package, of no use outside of it
HELPERS = {"check_level", "named", "discordant", "shrunk_difference", "check_probabilities"}
HELPERS |= {"predicted_classes"}
FUNCTIONS = [name for name in stats.__all__ if inspect.isfunction(getattr(stats, name))]


def test_everything_is_exported():
    public = set()
    for info in pkgutil.iter_modules(stats.__path__):
        module = import_module(f"robustnets.stats.{info.name}")
        public |= {
            name
            for name, item in vars(module).items()
            if getattr(item, "__module__", None) == module.__name__
            and (inspect.isfunction(item) or inspect.isclass(item))
            and not name.startswith("_")
        }
    assert public - HELPERS == set(stats.__all__)


@pytest.mark.parametrize("name", FUNCTIONS)
def test_every_function_has_an_example(name):
    assert ">>>" in getattr(stats, name).__doc__
