"""The exercises: what each begins with, and the check that says whether it is done."""
