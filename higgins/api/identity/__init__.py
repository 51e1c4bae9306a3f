"""The login of a standalone Higgins, in the shape of Keystone's API v3."""
