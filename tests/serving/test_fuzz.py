from bench.fuzz_ws import fuzz
from bench.lone_server import Server


def test_malformed_frames_get_their_codes_and_leave_nothing_behind(server: Server) -> None:
    fuzz(server.port, 2_000, seed=2)
    memory, descriptors = server.memory(), server.descriptors()
    codes = fuzz(server.port, 20_000)
    assert {-32700, -32600, -32601, -32602, 1002, 1003, 1005, 1007, 1009, 3010} <= codes.keys()
    assert server.memory() - memory < 10 * 1024**2
    assert server.descriptors() <= descriptors + 5
