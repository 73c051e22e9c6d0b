# Part of swift-dramatiq-workflow, under the MIT License (see LICENSE there).
"""Lets Python's dramatiq-workflow read and write the stored workflows of swift-dramatiq-workflow.

    from dramatiq_workflow_stores import FileStore, StoredCallbackStorage

    storage = StoredCallbackStorage(FileStore("/var/lib/app/workflows"))
    broker.add_middleware(WorkflowMiddleware(backend, callback_storage=storage))

Messages then carry a reference to what remains of their workflow and a position in it, instead of the whole. The
format is described in swift-dramatiq-workflow's Documentation/References.md.

Needs `dramatiq-workflow`; besides, `redis` for a RedisStore, `boto3` for an S3Store and `lz4` for contents that are
compressed with it.
"""

from ._errors import StoreError
from ._files import FileStore
from ._redis import RedisStore
from ._s3 import S3Store
from ._storage import StoredCallbackStorage
from ._store import Store
from ._tiers import TieredStore

__all__ = ["FileStore", "RedisStore", "S3Store", "Store", "StoreError", "StoredCallbackStorage", "TieredStore"]
