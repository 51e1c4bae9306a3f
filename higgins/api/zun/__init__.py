"""The Containers API v1, compatible with Zun's microversions 1.1 to 1.40."""
