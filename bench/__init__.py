"""What is measured: how fast and how big, against what."""
