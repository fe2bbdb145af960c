"""The networks that come with the library: the index tells the truth, and others are refused in one line."""

import numpy as np
import pytest

from amortmix.model import registry
from amortmix.model.identity import fingerprint
from amortmix.storage import files, pretrained
from amortmix.storage.files import BadInput
from amortmix_paper.pretrained import FILES, VALIDATION
from amortmix_paper.shipping import index_row

ROWS = pretrained.index()


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['folder']}-{row['model']}")
def test_the_index_says_what_is_there(row):
    folder = pretrained.folder_of(row["model"], row["priors"], pretrained.design_of(row))
    assert index_row(folder) == row
    assert row["fingerprint"] == fingerprint(registry.find(row["model"]).with_prior(row["priors"]))
    # without a density a fit simulates, which takes JAX
    programs = {"exported.zip"} if registry.find(row["model"]).has_density else set()
    assert {*FILES, *VALIDATION, *programs} <= {p.name for p in folder.iterdir()}


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row['folder']}-{row['model']}")
def test_the_validation_is_of_these_networks_and_its_files_agree(row):
    """The statistics of every held-out data set add up to the metrics, and fit the settings."""
    folder = pretrained.folder_of(row["model"], row["priors"], pretrained.design_of(row))
    metrics, recovery = files.read_json(folder / "metrics.json"), files.load_netcdf(folder / "recovery.nc")
    settings = metrics["settings"]
    assert metrics["sha256"] == row["sha256"]
    assert tuple(recovery.sizes[d] for d in ("dataset", "parameter")) == (settings["datasets"], len(row["parameters"]))
    assert recovery.attrs["draws"] == settings["draws"] and list(recovery["parameter"].values) == row["parameters"]
    theta, median = (recovery[name].values.astype(float) for name in ("theta", "median"))
    np.testing.assert_allclose(np.sqrt(((median - theta) ** 2).mean(0)), metrics["recovery"]["rmse"], rtol=1e-4)
    gap, known = recovery["gap"].values.astype(float), settings["gap_datasets"] if "gap_nats" in metrics else 0
    if known:
        np.testing.assert_allclose(gap[:known].mean(), metrics["gap_nats"]["mean"], atol=1e-5)
    assert np.isnan(gap[known:]).all() and (row["gap"] is None) == (known == 0)


def test_every_model_of_the_library_has_networks():
    assert {row["model"] for row in ROWS} == set(registry.names())
    assert set(pretrained.models().index) == set(registry.names())


def test_damage_and_unknown_names_are_one_line(tmp_path, monkeypatch):
    with pytest.raises(BadInput, match="no pretrained networks of 'nobody'; expected one of evidence_accumulation"):
        pretrained.folder_of("nobody", None)
    row = ROWS[0]
    folder = tmp_path / row["folder"] / row["model"]
    folder.mkdir(parents=True)
    (folder / "bundle.keras").write_bytes(b"PK")
    files.write_json(tmp_path / "index.json", ROWS)
    monkeypatch.setattr(pretrained, "FOLDER", tmp_path)
    with pytest.raises(BadInput, match=r"bundle\.keras: its checksum is not the one in index\.json"):
        pretrained.folder_of(row["model"], row["priors"], pretrained.design_of(row))
