"""S3 as moto has it, on a loopback port, which takes only what botocore would have signed in the same way.

Usage: s3_server.py PORT. Signatures are those of the access key "AKIDTEST" with the secret "secret/of+the-test".
POST /test/clock/SECONDS sets how far the server's clock is ahead; POST /test/reset forgets all but the clock;
POST /test/bucket/NAME makes a bucket. STS is there, too, and gives credentials for the token "a.web/identity+token".
"""

import datetime
import hashlib
import io
import logging
import re
import sys
from time import time

import moto.core.utils
import moto.s3.models
import moto.s3.responses
from botocore.auth import S3SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from moto.server import DomainDispatcherApplication, create_backend_app
from werkzeug.serving import WSGIRequestHandler, make_server
from werkzeug.test import Client
from werkzeug.wrappers import Request, Response

# By access key: the secret, and the token of the session.
KEYS = {"AKIDTEST": ("secret/of+the-test", None)}
WEB_IDENTITY_TOKEN = "a.web/identity+token"
AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/\d{8}/([^/]+)/s3/aws4_request, SignedHeaders=([^,]+), Signature=([0-9a-f]{64})")


class Clock:
    ahead = 0

    @classmethod
    def now(cls):
        return datetime.datetime.fromtimestamp(time() + cls.ahead, datetime.timezone.utc).replace(tzinfo=None)


for module in moto.core.utils, moto.s3.models, moto.s3.responses:
    if hasattr(module, "utcnow"):
        module.utcnow = Clock.now


class Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"

    def date_time_string(self, timestamp=None):
        return super().date_time_string(time() + Clock.ahead if timestamp is None else timestamp)


def refusal(request):
    """Why botocore wouldn't have signed the request so."""
    parts = AUTHORIZATION.fullmatch(request.headers.get("Authorization", ""))
    if not parts:
        return "AccessDenied"
    access_key, region, names, signature = parts.groups()
    if access_key not in KEYS:
        return "InvalidAccessKeyId"
    secret, token = KEYS[access_key]
    if token and request.headers.get("x-amz-security-token") != token:
        return "InvalidToken"
    body = request.get_data(cache=True)
    if request.headers.get("x-amz-content-sha256") != hashlib.sha256(body).hexdigest():
        return "XAmzContentSHA256Mismatch"
    names = names.split(";")
    wanted = [name.lower() for name in request.headers.keys() if name.lower().startswith("x-amz-")]
    if any(name not in names for name in wanted + ["host"]):
        return "AccessDenied"
    uri = request.environ["RAW_URI"]
    signed = AWSRequest(
        method=request.method, url=f"http://{request.headers['Host']}{uri}",
        headers={name: request.headers[name] for name in names}, data=body)
    signed.context["timestamp"] = request.headers["x-amz-date"]
    auth = S3SigV4Auth(
        Credentials(access_key, secret, request.headers.get("x-amz-security-token")), "s3", region)
    expected = auth.signature(auth.string_to_sign(signed, auth.canonical_request(signed)), signed)
    return None if expected == signature else "SignatureDoesNotMatch"


def answer(xml, status):
    return Response(xml, status=status, mimetype="application/xml")


def assume_role(application, request):
    """Asks moto for credentials, which doesn't look at the token, and notes them."""
    if request.form.get("WebIdentityToken") != WEB_IDENTITY_TOKEN:
        return answer(
            "<ErrorResponse><Error><Type>Sender</Type><Code>InvalidIdentityToken</Code>"
            "<Message>Refused.</Message></Error></ErrorResponse>", 400)
    response = Client(application).post("/", data=request.form.to_dict(), headers={"Host": request.headers["Host"]})
    key, secret, token = (
        re.search(f"<{name}>(.*)</{name}>", response.text).group(1)
        for name in ("AccessKeyId", "SecretAccessKey", "SessionToken"))
    KEYS[key] = secret, token
    return answer(response.text, response.status_code)


class Checked:
    def __init__(self, application):
        self.application = application

    def __call__(self, environ, start_response):
        request = Request(environ)
        command = request.path.split("/")[1:]
        if command[0] == "test":
            if command[1] == "clock":
                Clock.ahead = float(command[2])
            elif command[1] == "bucket":
                environ["REQUEST_METHOD"] = "PUT"
                environ["PATH_INFO"] = environ["RAW_URI"] = environ["REQUEST_URI"] = f"/{command[2]}"
                return self.application(environ, start_response)
            else:
                environ["PATH_INFO"] = environ["RAW_URI"] = environ["REQUEST_URI"] = "/moto-api/reset"
                return self.application(environ, start_response)
            return Response("")(environ, start_response)
        if request.method == "POST" and request.path == "/" and "Action" in request.form:
            return assume_role(self.application, request)(environ, start_response)
        code = refusal(request)
        if code:
            xml = f"<Error><Code>{code}</Code><Message>Refused.</Message><RequestId>R1</RequestId></Error>"
            return answer(xml, 403)(environ, start_response)
        # moto reads the body again.
        environ["wsgi.input"] = io.BytesIO(request.get_data())
        return self.application(environ, start_response)


logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = make_server(
    "127.0.0.1", int(sys.argv[1]), Checked(DomainDispatcherApplication(create_backend_app)), threaded=True,
    request_handler=Handler)
server.serve_forever()
