"""Parts of tests/python/encoders.py."""
