"""What the notebooks call: module N serves notebook N, and importing this package loads nothing."""
