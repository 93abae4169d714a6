"""The peers, started once for this folder and ended by their process ids."""
import os
import sys

import pytest

HERE = os.path.dirname(os.path.abspath(__file__))
for place in (HERE, os.path.dirname(HERE)):
    if place not in sys.path:
        sys.path.insert(0, place)

import exim as exim_peer  # noqa: E402
import postfix as postfix_peer  # noqa: E402
from dovecot import Dovecot  # noqa: E402
from gates import Gate  # noqa: E402
from names import Names  # noqa: E402
from places import Site  # noqa: E402
from postgrey import Postgrey  # noqa: E402
from support import free_port  # noqa: E402


@pytest.fixture(scope="session")
def site():
    s = Site()
    yield s
    s.close()


@pytest.fixture(scope="session")
def names(site):
    n = Names(free_port("127.8.0.53"))
    for domain, address in {**exim_peer.DOMAINS, **postfix_peer.DOMAINS}.items():
        n.add_mx(domain, address)
    yield n
    n.close()


def running(peer):
    try:
        yield peer
    finally:
        peer.stop()


@pytest.fixture(scope="session")
def postfix(site):
    policy = Postgrey(site, "postgrey-for-postfix")
    yield from running(postfix_peer.Postfix(site, policy.at).start())
    policy.stop()


@pytest.fixture(scope="session")
def exim(site):
    policy = Postgrey(site, "postgrey-for-exim")
    yield from running(exim_peer.Exim(site, policy.at).start())
    policy.stop()


@pytest.fixture(scope="session")
def dovecot(site):
    yield from running(Dovecot(site))


def gate_maker(site, names):
    """make(name, routes, **sections) → a running gate, ended with the scope."""
    made = []

    def make(name, routes, **options):
        gate = Gate(site, f"{name}{len(os.listdir(site.directory))}", names, routes, **options)
        made.append(gate)
        return gate.start()

    yield make
    for gate in made:
        gate.stop()


@pytest.fixture
def gates(site, names):
    yield from gate_maker(site, names)


@pytest.fixture(scope="module")
def module_gates(site, names):
    yield from gate_maker(site, names)
