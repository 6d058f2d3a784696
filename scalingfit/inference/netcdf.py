"""Trees of arrays as bytes of NetCDF, and back; of what comes back nothing is believed.

HDF5 works on memory alone: it crashes where a disk is full, and what it reads may name other files.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import h5py

from scalingfit._files import sealed, unsealed

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["Unsound", "packed", "unpacked"]

LARGEST = 2**32  # bytes of all arrays: a small file may declare any number


class Unsound(ValueError):
    """What is wrong with a file, in words."""


def packed(tree: xr.DataTree) -> bytes:
    """A tree as NetCDF, with a digest behind it.

    Bytes that follow are no part of a NetCDF file: other programs read it as if they were not
    there.
    """
    return sealed(bytes(tree.to_netcdf(engine="h5netcdf")))


def unpacked(content: bytes) -> xr.DataTree:
    """What `packed` wrote.

    Raises
    ------
    Unsound
        The content is not what was written, or holds what was never written by `packed`. HDF5 and
        xarray raise errors of their own.
    """
    import xarray as xr

    if (whole := unsealed(content)) is None:
        raise Unsound("its content does not match its digest, or it has none")
    with h5py.File(io.BytesIO(whole), "r") as file:
        _check(file)
    with xr.open_datatree(io.BytesIO(whole), engine="h5netcdf", phony_dims="access") as opened:
        tree: xr.DataTree = opened.load()
    return tree


def _check(file: h5py.File) -> None:
    """Refuse what reaches out of the file, and what would fill the memory."""
    size = 0
    for name in file:
        group = _hard(file, name)
        if not isinstance(group, h5py.Group):
            raise Unsound(f"{name!r} is not a group")
        for inner in group:
            data = _hard(group, inner)
            if not isinstance(data, h5py.Dataset):
                raise Unsound(f"'{name}/{inner}' is not an array")
            if data.external or data.is_virtual:
                raise Unsound(f"'{name}/{inner}' lies in another file")
            size += data.nbytes
    if not size <= LARGEST:
        raise Unsound(f"its arrays take {size:.2g} bytes")


def _hard(group: h5py.Group, name: str) -> object:
    """What a name stands for, where it stands in the group itself."""
    if not isinstance(group.get(name, getlink=True), h5py.HardLink):
        raise Unsound(f"{name!r} is a link to another place")
    return group[name]
