"""A foreign client on a guarded port: plain grpcio, which is gRPC's C core with BoringSSL.

usage: guarded_client.py HOST:PORT CASES, where CASES is JSON: a list of {ca, certificate, key, token}, paths and a string, each may be null.
Prints how ListSweeps ended in each case: a status, and where there is one the reason of google.rpc.ErrorInfo.
"""

import json
import sys

import grpc


def read(path):
    if path is None:
        return None
    with open(path, "rb") as file:
        return file.read()


def attempt(address, case):
    credentials = grpc.ssl_channel_credentials(read(case["ca"]), read(case["key"]), read(case["certificate"]))
    metadata = [] if case["token"] is None else [("authorization", "Bearer " + case["token"])]
    with grpc.secure_channel(address, credentials) as channel:
        try:
            channel.unary_unary("/graft.v1.SweepService/ListSweeps")(b"", metadata=metadata, timeout=10)
            return "OK"
        except grpc.RpcError as error:
            details = dict(error.trailing_metadata() or []).get("grpc-status-details-bin", b"")
            return error.code().name + (" with details" if b"UNAUTHENTICATED" in details else "")


print(json.dumps([attempt(sys.argv[1], case) for case in json.loads(sys.argv[2])]))
