"""How the lesson recognises what it made, and so what its clean-up may remove."""

MARKER = ("madeBy", "iot-button-tutorial")
"""Attribute of each Thing and tag of each policy that the lesson makes: key and value.

A certificate can hold neither. It is the lesson's where its key files are in the lesson's folder,
or where all that it is attached to is the lesson's.
"""
