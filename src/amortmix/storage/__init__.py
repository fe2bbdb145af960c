"""Files that appear whole or not at all: JSON, NetCDF trees, network bundles, what comes with the library."""
