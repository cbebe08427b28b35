"""Others' suites against the sandbox, unmodified and not committed: see ``README.md`` here."""
