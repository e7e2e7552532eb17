"""Parts of the command line; `explorer.__main__` puts them together."""
