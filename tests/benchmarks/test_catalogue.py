"""That each system says what a reader of its figures must know."""

from benchmarks import catalogue, stores


def test_it_has_this_project_first_and_each_system_once():
    names = [system.name for system in catalogue.systems()]
    assert names[0] == "queuectl"
    assert len(set(names)) == len(names)


def test_it_pins_and_describes_every_other_system():
    for system in catalogue.systems()[1:]:
        assert "==" in system.requirements[0], system.name
        assert system.settings, system.name
        assert set(system.stores) <= set(stores.KINDS), system.name
