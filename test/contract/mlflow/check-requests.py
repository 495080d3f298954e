"""Reads requests.json with MLflow's own protobuf messages: path, method, field names and types must be known to it."""

import json
import sys

from google.protobuf.json_format import ParseDict
from google.protobuf.message_factory import GetMessageClass
from mlflow.protos import databricks_pb2, model_registry_pb2, service_pb2


def endpoints():
    """(method, path) -> message class, from the options of the services' rpcs."""
    found = {}
    for module in (service_pb2, model_registry_pb2):
        for service in module.DESCRIPTOR.services_by_name.values():
            for rpc in service.methods:
                message = GetMessageClass(rpc.input_type)
                for endpoint in rpc.GetOptions().Extensions[databricks_pb2.rpc].endpoints:
                    found[(endpoint.method, endpoint.path.lstrip("/"))] = message
    return found


def main(path):
    known = endpoints()
    problems = []
    checked = 0
    with open(path, encoding="utf-8") as file:
        requests = json.load(file)
    for request in requests:
        title = f"{request['method']} {request['path']}"
        if not request["path"].startswith("mlflow/"):
            continue
        checked += 1
        message = known.get((request["method"], request["path"]))
        if message is None:
            problems.append(f"{title}: MLflow has no such endpoint")
            continue
        try:
            ParseDict(request["body"], message(), ignore_unknown_fields=False).SerializeToString()
        except Exception as error:
            problems.append(f"{title}: {error}")
    print(json.dumps({"checked": checked, "problems": problems}))


main(sys.argv[1])
