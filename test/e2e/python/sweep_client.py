"""A third-party client: plain grpcio with stubs generated from proto/.

usage: sweep_client.py STUBS_DIR HOST:PORT DATASET_DIR
Creates a sweep of two runs, watches it to its end, and prints the leaderboard as JSON.
"""

import json
import sys

sys.path.insert(0, sys.argv[1])

import grpc  # noqa: E402
from google.rpc import error_details_pb2, status_pb2  # noqa: E402
from graft.v1 import parameter_pb2, sweep_pb2, sweep_service_pb2, sweep_service_pb2_grpc  # noqa: E402


def value(python_value):
    kinds = {bool: "bool_value", int: "int_value", float: "number_value", str: "string_value"}
    return parameter_pb2.ParameterValue(**{kinds[type(python_value)]: python_value})


def parameters(**named):
    return [
        parameter_pb2.Parameter(name=name.replace("__", "."), value=value(v)) for name, v in named.items()
    ]


def violations(error):
    """Returns the field violations of google.rpc.BadRequest in the status details."""
    trailer = dict(error.trailing_metadata())["grpc-status-details-bin"]
    status = status_pb2.Status.FromString(trailer)
    fields, reason = [], None
    for detail in status.details:
        if detail.type_url.endswith("google.rpc.BadRequest"):
            fields += error_details_pb2.BadRequest.FromString(detail.value).field_violations
        elif detail.type_url.endswith("google.rpc.ErrorInfo"):
            reason = error_details_pb2.ErrorInfo.FromString(detail.value).reason
    return reason, {field.field: field.description for field in fields}


def main():
    _, _, address, dataset = sys.argv
    spec = sweep_pb2.SweepSpec(
        display_name="from Python",
        dataset={"path": dataset},
        base=parameters(
            backbone="efficientnet_lite0",
            image_size=32,
            epochs=2,
            batch_size=8,
            head__dropout=0.0,
        ),
        strategy=sweep_pb2.STRATEGY_GRID,
        parameters=[{"name": "head.units", "values": {"values": [value(4), value(8)]}}],
        seed=7,
    )
    with grpc.insecure_channel(address) as channel:
        stub = sweep_service_pb2_grpc.SweepServiceStub(channel)

        broken = sweep_pb2.SweepSpec(dataset={"path": "not/absolute"}, parameters=[{"name": "head.unts"}])
        try:
            stub.CreateSweep(sweep_service_pb2.CreateSweepRequest(spec=broken), timeout=30)
            raise SystemExit("a broken spec was taken")
        except grpc.RpcError as error:
            reason, fields = violations(error)
            assert error.code() == grpc.StatusCode.INVALID_ARGUMENT, error
            assert reason == "INVALID_REQUEST", reason

        request = sweep_service_pb2.CreateSweepRequest(request_id=f"python-{dataset}", spec=spec)
        sweep = stub.CreateSweep(request, timeout=30).sweep
        again = stub.CreateSweep(request, timeout=30).sweep
        assert again.sweep_id == sweep.sweep_id, "CreateSweep is not idempotent"

        kinds, epochs, cursors = set(), 0, []
        for event in stub.WatchSweep(
            sweep_service_pb2.WatchSweepRequest(sweep_id=sweep.sweep_id), timeout=240
        ):
            kind = event.WhichOneof("event")
            kinds.add(kind)
            cursors.append(event.cursor)
            epochs += kind == "epoch"
        assert cursors == sorted(set(cursors)), "cursors do not grow"

        state = stub.GetSweep(
            sweep_service_pb2.GetSweepRequest(sweep_id=sweep.sweep_id), timeout=30
        ).sweep
        board = stub.GetLeaderboard(
            sweep_service_pb2.GetLeaderboardRequest(sweep_id=sweep.sweep_id), timeout=30
        )
    print(
        json.dumps(
            {
                "sweep_id": sweep.sweep_id,
                "violations": fields,
                "state": sweep_pb2.SweepState.Name(state.state),
                "reason": state.state_reason,
                "event_kinds": sorted(kinds),
                "epoch_events": epochs,
                "test_look_count": board.test_look_count,
                "leaderboard": [
                    {
                        "rank": entry.rank,
                        "run_id": entry.run.run_id,
                        "best_value": entry.run.best_value,
                        "test_accuracy": entry.test_result.accuracy if entry.HasField("test_result") else None,
                    }
                    for entry in board.entries
                ],
            }
        )
    )


main()
