"""The models that come with the library: a module of this package that defines ``MODEL`` is one."""
