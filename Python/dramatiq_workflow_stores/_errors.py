"""What can go wrong."""

from __future__ import annotations


class StoreError(Exception):
    """What can't be stored or had, and why.

    `code` is the sort of error: `invalid` (a reference, position or content that is none), `foreign` (made by a storage
    that is not known here), `missing`, `corrupt` (not what was stored), `too_large`, `too_deep`, `unknown_codec`,
    `unknown_version`, `permission_denied`, `read_only`, `no_space`, `locked`, `unusable` (something else is where a
    file should be), `unavailable` (everything else that a system or server reports; it is the error's cause).
    """

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason

    def __str__(self) -> str:
        return self.reason
