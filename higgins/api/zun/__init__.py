"""The Containers API v1, compatible with Zun's microversions 1.1 to 1.40, with its own from 1.41 on."""
