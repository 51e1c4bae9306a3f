"""Settings into running objects; the only place that names concrete drivers.

The control plane and the host are wired in files of their own: what only one of them needs is not even imported by the other.
"""
