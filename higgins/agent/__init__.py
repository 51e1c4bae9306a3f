"""The host daemon: a session with the control plane, and one worker for every capsule that is assigned."""
