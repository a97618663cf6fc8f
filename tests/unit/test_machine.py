"""What the machine says of itself."""

from chatwoot_ops.adapters.machine import Machine


def test_available_memory_is_a_part_of_all_memory():
    machine = Machine()
    assert 0 < machine.available_memory() <= machine.memory()
