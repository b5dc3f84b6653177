"""Keys of stored things: a chapter's Records must be found again after a change of the code."""

import dataclasses

import pytest

from robustnets.chapters import CHAPTERS, chapter
from robustnets.core import schemas
from robustnets.core.spec import digest, quiet, to_dict
from robustnets.experiments.cell import DatasetRef, Network
from robustnets.training import FixedEpochs, Training

# of the first Cell at demo scale, with data "0123456789abcdef", on TensorFlow
KEYS = {
    "stopping": "5ead652caf574acf",
    "filters": "f79fbb1fab13afd1",
    "regularization": "05d1a4150a558ba5",
    "evasion": "736fa44bb79f2ce4",
    "smoothing": "708dfd11d59122f9",
    "distillation": "c42ff1c0a402a10f",
}


def first_cell(slug):
    return chapter(slug).cells("demo")[0]


@pytest.mark.parametrize("slug", CHAPTERS)
def test_the_key_of_a_chapters_first_cell(slug):
    assert first_cell(slug).key("0123456789abcdef", "tensorflow") == KEYS[slug]


FIELDS = dataclasses.fields(Network)


def test_a_new_quiet_field_keeps_every_key():
    fields = [(f.name, f.type, dataclasses.field(default=f.default)) for f in FIELDS]
    grown = dataclasses.make_dataclass(
        "Network", [*fields, ("poison", object, quiet(None))], frozen=True
    )
    rule = FixedEpochs(3)
    plain = (DatasetRef("digits"), "fc_100_100_10", Training((rule,)), rule, 0)
    assert to_dict(grown(*plain)) == to_dict(Network(*plain))
    assert digest(grown(*plain)) == digest(Network(*plain))
    assert digest(grown(*plain, poison="pixel")) != digest(Network(*plain))


def test_a_producers_new_text_changes_the_keys_of_what_it_makes():
    assert schemas.schemas(schemas.FILTERS, schemas.NETWORKS, schemas.RECORDS) == ("0.1.0",)
    changed = {
        schemas.schemas("0.1.0", "network 2", "0.1.0"),
        schemas.schemas("0.1.0", "0.1.0", "record 2"),
        schemas.schemas("0.1.0", "network 2", "record 2"),
        schemas.schemas("0.1.0", "0.1.0", "0.1.0"),
    }
    assert len(changed) == 4
