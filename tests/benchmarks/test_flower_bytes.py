from flq_jax.benchmarks import flower_bytes
from flq_jax.benchmarks.flower_bytes import OWN, Case
from flq_jax.experiments.deployment.proxy import Count

PATH = "/v1/fleet/"


def test_a_row_has_what_crossed_on_the_paths_of_messages():
    found = [Case(8, OWN, 32, b"x" * 32), Case(8, "sign()", 5, b"x" * 31)]
    other = {f"{PATH}heartbeat": Count(9, 9000, 900, 9000, 900)}
    counts = [
        other | {f"{PATH}push-object": Count(1, 400, 100, 7, 1)},
        other
        | {
            f"{PATH}push-object": Count(1, 150, 60, 7, 1),
            f"{PATH}push-messages": Count(1, 50, 40, 7, 1),
            f"{PATH}pull-object": Count(1, 70, 1, 90, 80),
        },
    ]
    head, own, one_bit = flower_bytes.rows(found, counts)
    assert own == ["8", OWN, "32", "0", "100", "400", "0", "0", "1.00"]
    assert one_bit == ["8", "sign()", "5", "31", "100", "200", "80", "90", "2.00"]
    assert len(head) == len(own)


def test_every_method_has_a_message_of_its_size():
    d = 200
    found = {case.method: case for case in flower_bytes.cases([d])}
    assert found["identity()"].payload == 4 * d and found[OWN].payload == 4 * d
    assert found["sign()"].payload == d // 8 + 4
    assert found["uniform(4)"].payload == d // 2 + 4
    assert found["silence"].data == b""
