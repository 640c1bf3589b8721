"""What pytest leaves alone here: `guided.py` is a program of its own, for those who have atheris."""

collect_ignore = ["guided.py"]
