"""Datasets and trees as NetCDF files, and back.

The netCDF library is called here and not through xarray's backends: they take twice as long for the small arrays of a
fit, and keep a file that could not be read open, which a later garbage collection closes at a time of its own.
"""

import threading
import zlib
from pathlib import Path

import netCDF4
import numpy as np
import xarray as xr

#: The C library serves one thread at a time.
_ALONE = threading.Lock()

#: The line behind the last byte of HDF5, which ends by its own count: HDF5 has no checksums for text and single
#: numbers, and damage to its tables can make it read for ever.
_LAST_LINE = b"\ncrc32 of all before this line %08x\n"


def write(path, content):
    """Write a Dataset or DataTree with a checksum of every array and one of the whole.

    Raises
    ------
    RuntimeError, OSError
        If it cannot be written; the library does not say why.
    """
    nodes = content.subtree if isinstance(content, xr.DataTree) else [content]
    # from its first slash on, the library takes a path for what it is, and not for an address in the network
    path = Path(path).absolute()
    with _ALONE, netCDF4.Dataset(path, "w") as file:
        for node in nodes:
            place = getattr(node, "path", "/")
            group = file if place == "/" else file.createGroup(place)
            _fill(group, node.to_dataset(inherit=False) if isinstance(node, xr.DataTree) else node)
    last = _LAST_LINE % zlib.crc32(path.read_bytes())
    with open(path, "ab") as whole:
        whole.write(last)


def read(path):
    """The Dataset of a file, or its DataTree if it has groups, in memory.

    Raises
    ------
    OSError, RuntimeError, AttributeError, KeyError, ValueError
        If it is damaged: the library has no error of its own for it.
    """
    image = Path(path).read_bytes()
    size = len(image) - len(_LAST_LINE % 0)
    # files of other tools have no such line, nor those that one of them has changed
    if image[size:].startswith(_LAST_LINE.partition(b"%")[0]) and image[size:] != _LAST_LINE % zlib.crc32(image[:size]):
        raise OSError("its checksum is not the one of its content")
    with _ALONE, netCDF4.Dataset("in memory", "r", memory=image) as file:
        found = {place: _dataset(group) for place, group in _groups("/", file)}
    return xr.DataTree.from_dict(found) if len(found) > 1 else found["/"]


def _fill(group, dataset):
    for name, size in dataset.sizes.items():
        group.createDimension(name, size)
    for name, variable in dataset.variables.items():
        if "/" in name:
            raise ValueError(f"{name!r} cannot be a name in a NetCDF file; expected one without slashes")
        values, attrs = variable.values, variable.attrs
        if values.dtype == bool:  # NetCDF has none; xarray knows them by this attribute
            values, attrs = values.astype("int8"), attrs | {"dtype": "bool"}
        numbers = values.dtype.kind in "fiu"
        checked = numbers and values.ndim > 0 and values.size > 0
        kind = values.dtype if numbers else str
        written = group.createVariable(name, kind, variable.dims, fletcher32=checked, fill_value=False)
        written.setncatts(attrs)
        if values.size:
            written[...] = values if numbers else values.astype(object)
    others = [name for name in dataset.coords if name not in dataset.dims]
    group.setncatts(dataset.attrs | ({"coordinates": " ".join(others)} if others else {}))


def _groups(place, group):
    """(path, group) of a group and all in it."""
    yield place, group
    for name, inner in group.groups.items():
        yield from _groups(f"{place.rstrip('/')}/{name}", inner)


def _dataset(group):
    group.set_auto_maskandscale(False)  # values as they are written; attributes are for xarray to follow
    variables = {name: (v.dimensions, _values(v), _attributes(v)) for name, v in group.variables.items()}
    return xr.decode_cf(xr.Dataset(variables, attrs=_attributes(group)))


def _values(variable):
    return np.asarray(variable[...], dtype=str if variable.dtype is str else variable.dtype)


def _attributes(thing):
    return {name: thing.getncattr(name) for name in thing.ncattrs()}
