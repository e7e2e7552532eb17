"""The commands of the command line, which `explorer.__main__` assembles."""
