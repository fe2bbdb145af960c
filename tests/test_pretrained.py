"""The networks that come with the library: the index tells the truth, and others are refused in one line."""

import pytest

from amortmix.model import registry
from amortmix.model.identity import fingerprint
from amortmix.storage import files, pretrained
from amortmix.storage.files import BadInput
from amortmix_paper.shipping import index_row

ROWS = pretrained.index()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['priors']}-{row['model']}")
def test_the_index_says_what_is_there(row):
    folder = pretrained.folder_of(row["model"], row["priors"])
    assert index_row(folder) == row
    assert row["fingerprint"] == fingerprint(registry.find(row["model"]).with_prior(row["priors"]))
    assert {"bundle.keras", "card.json", "history.csv", "metrics.json", "reference.npz"} <= {
        p.name for p in folder.iterdir()
    }


def test_every_model_of_the_library_has_networks():
    assert {row["model"] for row in ROWS} == set(registry.names())
    assert set(pretrained.models().index) == set(registry.names())


def test_damage_and_unknown_names_are_one_line(tmp_path, monkeypatch):
    with pytest.raises(BadInput, match="no pretrained networks of 'nobody'; expected one of evidence_accumulation"):
        pretrained.folder_of("nobody", None)
    row = ROWS[0]
    folder = tmp_path / row["priors"] / row["model"]
    folder.mkdir(parents=True)
    (folder / "bundle.keras").write_bytes(b"PK")
    files.write_json(tmp_path / "index.json", ROWS)
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path)
    with pytest.raises(BadInput, match=r"bundle\.keras: its checksum is not the one in index\.json"):
        pretrained.folder_of(row["model"], row["priors"])
