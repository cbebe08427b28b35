"""What the kernel sets when it starts; nothing reads it."""
