"""A server of S3 (moto) for the storages of RedisBenchmarks."""

from __future__ import annotations

import logging

import boto3
from moto.server import ThreadedMotoServer

import peer

# A line for every request would be among the results.
logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)


def serve(seconds: float) -> float:
    """Starts it with a bucket, and says its port."""
    server.start()
    host, port = server.get_host_and_port()
    client = boto3.client(
        "s3", endpoint_url=f"http://{host}:{port}", region_name="us-east-1",
        aws_access_key_id="key", aws_secret_access_key="secret")
    client.create_bucket(Bucket="benchmark")
    return float(port)


if __name__ == "__main__":
    peer.serve({"serve": serve})
