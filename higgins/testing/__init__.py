"""Fakes and contract suites, shipped so that a driver made elsewhere can prove itself."""
