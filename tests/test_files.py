"""Files appear whole or not at all, and damage to any of them is noticed and named."""

import subprocess
from concurrent.futures import ThreadPoolExecutor

import netCDF4
import numpy as np
import pytest
import xarray as xr

from amortmix.storage import files as io


def tree():
    draws = xr.Dataset({"mu": (("chain", "draw"), np.arange(2000.0).reshape(1, -1))}, {"draw": np.arange(2000)})
    states = xr.Dataset({"p": (("unit", "state"), np.eye(2))}, {"unit": ["1", "zwölf"], "state": ["slow", "fast"]})
    groups = {"/": xr.Dataset(attrs={"engine": "abi"}), "posterior": draws, "latent_probabilities": states}
    return xr.DataTree.from_dict(groups)


def dataset():
    return xr.Dataset(
        {"theta": ("parameter", np.arange(3000.0)), "n": 3}, {"parameter": [f"p{i}" for i in range(3000)]}
    )


#: What has a form of its own in a file: no values, flags, text, numbers and coordinates without a dimension.
ODD = xr.Dataset(
    {
        "none": (("i", "unit"), np.zeros((0, 2))),
        "no_text": ("i", np.array([], str)),
        "flag": ("unit", [True, False]),
        "text": "",
        "number": np.float32(np.nan),
        "counts": ("unit", np.array([0, 255], np.uint8)),
    },
    {"unit": [4, 5], "label": ("unit", ["", "ü" * 1000]), "place": 3},
    {"long": "é" * 100_000, "empty": "", "n": 3, "k_hat": 0.5},
)


def contents():
    return [tree(), dataset(), ODD, xr.Dataset(attrs={"not_run": "no compiler"})]


@pytest.mark.parametrize("name", ["x.nc", "a#mode=zarr,b.nc", "https:x?y.nc", "ü [1].nc"])
@pytest.mark.parametrize("content", contents(), ids=["tree", "dataset", "odd", "empty"])
def test_netcdf_round_trip(tmp_path, content, name, monkeypatch):
    """The content, its order and its types; any file that can be has a name that can be."""
    monkeypatch.chdir(tmp_path)
    io.save_netcdf(name, content)
    found = io.load_netcdf(name)
    assert found.identical(content) and found.attrs == content.attrs
    for node, other in zip(getattr(content, "subtree", [content]), getattr(found, "subtree", [found])):
        assert {n: v.dtype for n, v in node.data_vars.items()} == {n: v.dtype for n, v in other.data_vars.items()}
        assert list(node.data_vars) == list(other.data_vars)
    assert [path.name for path in tmp_path.iterdir()] == [name]


@pytest.mark.parametrize("content", contents(), ids=["tree", "dataset", "odd", "empty"])
def test_other_tools_read_and_write_the_same_files(tmp_path, content):
    """Also files without the checksum of the whole, as version 0.2.0 wrote them."""
    opened = xr.open_datatree if isinstance(content, xr.DataTree) else xr.open_dataset
    io.save_netcdf(tmp_path / "ours.nc", content)
    with opened(tmp_path / "ours.nc", engine="netcdf4") as found:
        assert found.identical(content)
    content.to_netcdf(tmp_path / "theirs.nc", engine="netcdf4")
    assert io.load_netcdf(tmp_path / "theirs.nc").identical(content)
    with netCDF4.Dataset(tmp_path / "ours.nc", "a") as file:
        file.setncattr("note", "added")
    assert io.load_netcdf(tmp_path / "ours.nc").attrs["note"] == "added"


def test_a_name_that_no_file_can_keep_is_refused(tmp_path):
    with pytest.raises(ValueError, match="'a/b' cannot be a name in a NetCDF file"):
        io.save_netcdf(tmp_path / "x.nc", xr.Dataset({"a/b": 1}))
    assert not list(tmp_path.iterdir())


def test_many_threads_write_and_read(tmp_path):
    """The C library would end the process."""

    def one(i):
        content = tree()
        content.attrs["number"] = i
        for _ in range(10):
            io.save_netcdf(tmp_path / f"{i}.nc", content)
            assert io.load_netcdf(tmp_path / f"{i}.nc").identical(content)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(one, range(8)))


@pytest.mark.parametrize("content", [tree(), dataset()], ids=["tree", "dataset"])
@pytest.mark.parametrize("damage", ["cut", "one bit of a number", "one bit of a text", "empty", "another file"])
def test_damaged_netcdf_is_named(tmp_path, content, damage):
    path = tmp_path / "fit.nc"
    io.save_netcdf(path, content)
    whole = bytearray(path.read_bytes())
    if damage == "cut":
        whole = whole[: len(whole) // 2]
    elif damage == "empty":
        whole = b""
    elif damage == "another file":
        whole = b"unit,y\n1,2\n"
    else:
        text = "zwölf".encode() if isinstance(content, xr.DataTree) else b"p2999"
        place = whole.index(text if damage == "one bit of a text" else np.arange(700.0, 800.0).tobytes())
        whole[place] ^= 1
    path.write_bytes(whole)
    with pytest.raises(io.BadInput, match=r"fit\.nc: damaged, not the NetCDF file that was written .*; delete it"):
        io.load_netcdf(path)
    io.save_netcdf(path, content)
    assert io.load_netcdf(path).identical(content)


def test_arrays_have_checksums_of_their_own(tmp_path):
    """Damage is noticed where the checksum of the whole is lost, as other tools lose it."""
    path = tmp_path / "fit.nc"
    io.save_netcdf(path, tree())
    whole = bytearray(path.read_bytes())
    whole[whole.index(np.arange(700.0, 800.0).tobytes())] ^= 1
    path.write_bytes(whole[: whole.rindex(b"\ncrc32")])
    with pytest.raises(io.BadInput, match="damaged"):
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


def test_a_copy_inside_another_repository_has_no_commit(tmp_path, monkeypatch):
    """That of the other project would be the wrong one; the top of a repository of its own has one."""
    copy = tmp_path / "copy"
    module = copy / "src" / "amortmix" / "storage" / "files.py"
    module.parent.mkdir(parents=True)
    monkeypatch.setattr(io, "__file__", str(module))
    settings = ["-c", "user.name=x", "-c", "user.email=x@example.org"]
    found = []
    for folder in (tmp_path, copy):
        subprocess.run(["git", "init", "-q", folder], check=True)
        subprocess.run(["git", "-C", folder, *settings, "commit", "-q", "--allow-empty", "-m", "first"], check=True)
        found.append(io.git_commit())
    assert found[0] is None and len(found[1]) == 12, found
