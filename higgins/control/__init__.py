"""The loops: place, watch the hosts, enforce deadlines, reap.

Each is a visit without input that looks at the rows and carries on from there, so that it may be killed at any line and the next one, here or in another
replica, takes over.
"""
