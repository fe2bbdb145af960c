"""Files appear whole or not at all, and damage to any of them is noticed and named."""

import numpy as np
import pytest
import xarray as xr

from amortmix.storage import files as io


def tree():
    draws = xr.Dataset({"mu": (("chain", "draw"), np.arange(2000.0).reshape(1, -1))}, {"draw": np.arange(2000)})
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs={"engine": "abi"}), "posterior": draws})


def dataset():
    return xr.Dataset(
        {"theta": ("parameter", np.arange(3000.0)), "n": 3}, {"parameter": [f"p{i}" for i in range(3000)]}
    )


@pytest.mark.parametrize("content", [tree(), dataset(), xr.Dataset(attrs={"not_run": "no compiler"})])
def test_netcdf_round_trip(tmp_path, content):
    io.save_netcdf(tmp_path / "x.nc", content)
    found = io.load_netcdf(tmp_path / "x.nc")
    assert found.identical(content) and found.attrs == content.attrs


@pytest.mark.parametrize("content", [tree(), dataset()], ids=["tree", "dataset"])
@pytest.mark.parametrize("damage", ["cut", "one bit of a number"])
def test_damaged_netcdf_is_named(tmp_path, content, damage):
    path = tmp_path / "fit.nc"
    io.save_netcdf(path, content)
    whole = bytearray(path.read_bytes())
    if damage == "cut":
        whole = whole[: len(whole) // 2]
    else:
        place = whole.index(np.arange(700.0, 800.0).tobytes())
        whole[place] ^= 1
    path.write_bytes(whole)
    with pytest.raises(io.BadInput, match=r"fit\.nc: damaged, not the NetCDF file that was written .*; delete it"):
        io.load_netcdf(path)


def test_damaged_json_is_named(tmp_path):
    path = tmp_path / "card.json"
    io.write_json(path, {"a": 1, "b": float("nan")})
    assert io.read_json(path) == {"a": 1, "b": None}
    path.write_text(path.read_text()[:-4])
    with pytest.raises(io.BadInput, match=r"card\.json, line \d+: damaged"):
        io.read_json(path)


def test_an_interrupted_write_keeps_the_old_file(tmp_path):
    path = tmp_path / "x.json"
    io.write_json(path, [1])
    with pytest.raises(TypeError):
        io.write_json(path, [object()])
    with pytest.raises(RuntimeError), io.atomic(path) as temporary:
        temporary.write_text("half")
        raise RuntimeError
    assert io.read_json(path) == [1] and [p.name for p in tmp_path.iterdir()] == ["x.json"]
