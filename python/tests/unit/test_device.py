"""Device and edge: the same answers as from one machine, whatever happens to the edge."""

import asyncio
import dataclasses

import numpy
import pytest

import cleave


def check(record, layers, frame):
    numpy.testing.assert_allclose(record.outputs["y"], layers[1](frame), rtol=1e-4, atol=1e-5)


@pytest.fixture
def edge(layers):
    with cleave.Edge(layers[0], listen="127.0.0.1:0") as served:
        yield served


def test_runs_alone(layers, frame):
    with cleave.Device(layers[0]) as device:
        record = device.infer({"x": frame})
        check(record, layers, frame)
        assert record.where == "device"
        assert record.plan.cut == device.last_cut
        assert not device.edge_usable
        check(device.infer(frame), layers, frame)  # The only input needs no name.
    with pytest.raises(cleave.FailedPreconditionError, match="device: found a closed one"):
        device.infer(frame)


@pytest.mark.parametrize("policy, where", [("device", "device"), ("fixed:1", "split"), ("edge", "edge")])
def test_runs_where_the_policy_says(layers, frame, edge, policy, where):
    with cleave.Device(layers[0], edge.address, policy=policy, cuts="all") as device:
        record = device.infer(frame)
        check(record, layers, frame)
        assert (record.where, record.fallback) == (where, None)
        if where != "device":
            assert record.bytes_up > 0
            assert record.bytes_down > 0


def test_takes_the_content_of_a_model(layers, frame, edge):
    content = layers[0].read_bytes()
    with cleave.Device(content, edge.address, edge_model="layers", policy="edge") as device:
        record = device.infer(frame)
        check(record, layers, frame)
        assert record.where == "edge"


def test_changes_the_policy(layers, frame, edge):
    with cleave.Device(layers[0], edge.address, policy="device") as device:
        assert device.infer(frame).where == "device"
        device.set_policy("edge")
        assert device.infer(frame).where == "edge"
        with pytest.raises(cleave.InvalidArgumentError, match="policy"):
            device.set_policy("nonsense")
        assert device.infer(frame).where == "edge"


def test_explains_every_plan(layers, edge):
    with cleave.Device(layers[0], edge.address, cuts="all") as device:
        rows = device.explain()
        cuts = {row.cut for row in rows}
        assert {0, device.last_cut} <= cuts <= set(device.candidate_cuts)
        assert sum(row.chosen for row in rows) == 1
        assert all(row.total_us > 0 for row in rows)
        with pytest.raises(cleave.InvalidArgumentError, match="batch"):
            device.explain(0)


def test_describes_itself(layers):
    with cleave.Device(layers[0], shapes={"x": [4, 64]}) as device:
        assert [arg.shape for arg in device.inputs] == [[None, 64]]
        assert [arg.shape for arg in device.profiled_inputs] == [[4, 64]]
        assert [arg.name for arg in device.outputs] == ["y"]
        assert device.exits == []
        assert device.warnings == []
        assert device.edge_problem


def test_records_become_rows(layers, frame):
    with cleave.Device(layers[0]) as device:
        row = dataclasses.asdict(device.infer(frame))
        assert row["plan"]["encoding"] == "fp32"
        assert set(row["timeline"]) >= {"head_us", "uplink_us", "tail_us", "wasted_us"}
        assert set(dataclasses.asdict(device.explain()[0])) >= {"cut", "total_us", "allowed"}


@pytest.mark.parametrize(
    "options, words",
    [
        ({"polcy": "edge"}, "option 'polcy': there is none of this name"),
        ({"threads": "two"}, "option 'threads': found 'two', expected a value of type int"),
        ({"threads": 0}, "threads: found 0, expected at least 1"),
        ({"verify_share": 2.0}, "verify_share: found 2"),
        ({"max_miss": 0.1}, "max_miss: found 0.1 and no deadline_us"),
        ({"encodings": "fp99"}, "fp99"),
    ],
    ids=lambda each: next(iter(each)) if isinstance(each, dict) else None,
)
def test_options_that_do_not_fit_are_named(layers, options, words):
    with pytest.raises(cleave.InvalidArgumentError, match=words):
        cleave.Device(layers[0], **options)


def test_every_option_can_be_set_to_its_own_default(layers):
    defaults = cleave.DeviceOptions()
    names = [name for name in dir(defaults) if not name.startswith("_")]
    assert len(names) == 29
    options = {name: getattr(defaults, name) for name in names}
    with cleave.Device(layers[0], **options) as device:
        assert device.last_cut > 0
    served = cleave.EdgeOptions()
    options = {name: getattr(served, name) for name in dir(served) if not name.startswith("_")}
    options["models"] = [str(layers[0])]
    options["listen"] = "127.0.0.1:0"
    with cleave.Edge(**options) as edge:
        assert edge.port > 0


def test_an_edge_that_is_killed_loses_no_inference(layers, frame, start_edge):
    edge = start_edge(layers[0])
    session = cleave.InferenceSession(layers[0], edge=edge.address, policy="edge")
    numpy.testing.assert_allclose(session.run(None, {"x": frame})[0], layers[1](frame), rtol=1e-4, atol=1e-5)
    assert session.last_record.where == "edge"
    edge.kill()
    for _ in range(3):
        outputs = session.run(["y"], {"x": frame})
        numpy.testing.assert_allclose(outputs[0], layers[1](frame), rtol=1e-4, atol=1e-5)
    assert session.last_record.where == "device"
    assert session.last_record.fallback


def test_an_edge_that_is_not_there_is_no_error(layers, frame):
    with cleave.Device(layers[0], "127.0.0.1:1") as device:
        check(device.infer(frame), layers, frame)
        assert "unavailable" in device.edge_problem


def test_other_tasks_run_while_one_waits(layers, frame, edge):
    async def main():
        with cleave.Device(layers[0], edge.address, policy="edge") as device:
            return await asyncio.gather(*(device.ainfer({"x": frame * scale}) for scale in range(1, 9)))

    records = asyncio.run(main())
    assert sorted(record.id for record in records) == list(range(8))
    for scale, record in enumerate(records, 1):
        check(record, layers, frame * numpy.float32(scale))


def test_an_edge_says_what_happened(layers, frame, edge):
    with cleave.Device(layers[0], edge.address, policy="edge") as device:
        edge.events()
        device.infer(frame)
    kinds = [event.kind for event in edge.events()]
    assert kinds.count("infer") == 1
    assert edge.address == f"127.0.0.1:{edge.port}"


def test_an_address_that_is_taken_is_an_error(layers, edge):
    with pytest.raises(cleave.UnavailableError, match=str(edge.port)):
        cleave.Edge(layers[0], listen=edge.address)
    with pytest.raises(cleave.InvalidArgumentError, match="listen"):
        cleave.Edge(layers[0], listen="nowhere")


def test_a_file_that_is_no_picture_is_refused(layers):
    with cleave.Device(layers[0]) as device:
        with pytest.raises(cleave.InvalidArgumentError, match="pictures: the model takes none"):
            device.infer_pictures([b"no picture"])
