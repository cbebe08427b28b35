"""What the notebooks call, one subject a file. Importing the package itself loads nothing.

Begin with ``thing.py``, ``policy.py``, ``certificate.py`` and ``closing.py``, one for each
notebook. ``account/`` connects, and ``button.py`` presses.
"""
