"""Registry cut, Gatekeeper from its chart: what recovers while no image can be pulled."""

import pytest

from chaos_harness.scenarios.registry_cut import cells

pytestmark = pytest.mark.shape(install="chart", workers=2)

test_admission_without_a_registry = cells.test_admission_without_a_registry
test_the_registry_is_asked_before_and_not_during = cells.test_the_registry_is_asked_before_and_not_during
test_one_replica_enforces_for_all = cells.test_one_replica_enforces_for_all
