"""A rehearsal: the lesson run from end to end, all that it asks and is told written down."""
