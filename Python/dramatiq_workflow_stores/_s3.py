"""Contents in a bucket of S3, or of a server that speaks its protocol."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import time
from collections.abc import Mapping
from typing import Any

from ._contents import MAX_HEADER_SIZE
from ._errors import StoreError
from ._store import Store


class S3Store(Store):
    """Keeps contents as objects of a bucket, as Swift's `S3WorkflowStore`.

    Parameters:
      bucket: the bucket's name.
      prefix: what the keys begin with.
      client: a `boto3.client("s3", …)`. Defaults to one with boto3's own configuration.
      put_options: more parameters for `put_object` and `copy_object`, such as `ServerSideEncryption`.
    """

    name = "s3"
    #: An age up to which an object's date is not worth renewing, in seconds.
    _RENEWAL_INTERVAL = 3600
    _ATTEMPTS = 5

    def __init__(
        self,
        bucket: str,
        prefix: str = "workflows/",
        *,
        client: Any = None,
        put_options: Mapping[str, Any] | None = None,
        **options: Any,
    ) -> None:
        super().__init__(**options)
        if client is None:
            import boto3

            client = boto3.client("s3")
        self.bucket = bucket
        self.prefix = prefix
        self.client = client
        self.put_options = dict(put_options or {})

    def describe(self, name: str) -> str:
        return f"the object {self.prefix}{name} in the bucket {self.bucket}"

    def _put(self, name: str, kept: bytes) -> None:
        checksum = base64.b64encode(hashlib.sha256(kept).digest()).decode("ascii")
        for attempt in range(self._ATTEMPTS):
            try:
                self.client.put_object(
                    **self._object(name),
                    Body=kept,
                    IfNoneMatch="*",
                    ChecksumAlgorithm="SHA256",
                    ChecksumSHA256=checksum,
                    ContentType="application/json",
                    **self.put_options,
                )
                return
            except Exception as error:
                status = self._status(error)
                if status == 412:
                    return self._keep_same(name, checksum)
                # Another one stores it at this moment.
                if status != 409 or attempt == self._ATTEMPTS - 1:
                    raise
                time.sleep(0.05 * 2**attempt)

    def _keep_same(self, name: str, checksum: str) -> None:
        """Keeps what is there if it is the same content, perhaps compressed in another way."""
        if self._head(name).get("ChecksumSHA256") != checksum:
            self._verified(name, self._get(name, self.max_size + MAX_HEADER_SIZE))
        self._keep(name)

    def _get(self, name: str, limit: int) -> bytes:
        try:
            answer = self.client.get_object(**self._object(name), ChecksumMode="ENABLED")
        except Exception as error:
            raise self._missing(error) from error
        with contextlib.closing(answer["Body"]) as body:
            if answer["ContentLength"] > limit:
                raise StoreError("too_large", f"It has {answer['ContentLength']} bytes, the limit is {limit}")
            return body.read()

    def _keep(self, name: str) -> None:
        """Copies an object onto itself, which makes it as young as if it was stored now."""
        found = self._head(name)
        if time.time() - found["LastModified"].timestamp() > self._RENEWAL_INTERVAL:
            self.client.copy_object(
                **self._object(name),
                CopySource={"Bucket": self.bucket, "Key": self.prefix + name},
                # Without this nothing would change, and S3 refuse it. What Swift has noted there stays.
                MetadataDirective="REPLACE",
                Metadata=found["Metadata"],
                ContentType=found["ContentType"],
                ChecksumAlgorithm="SHA256",
                **self.put_options,
            )

    def _head(self, name: str) -> dict[str, Any]:
        try:
            return self.client.head_object(**self._object(name), ChecksumMode="ENABLED")
        except Exception as error:
            raise self._missing(error) from error

    def _object(self, name: str) -> dict[str, str]:
        return {"Bucket": self.bucket, "Key": self.prefix + name}

    def _missing(self, error: Exception) -> Exception:
        return StoreError("missing", "There is no such object") if self._status(error) == 404 else error

    @staticmethod
    def _status(error: Exception) -> int | None:
        return getattr(error, "response", {}).get("ResponseMetadata", {}).get("HTTPStatusCode")
