"""The command line: names, configuration layers, help, one-line errors, run folders."""
