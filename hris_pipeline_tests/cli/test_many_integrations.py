"""`hris integrations` asks the store the same few things for one integration and for very many."""

import pytest
import sqlalchemy as sa

from hris_pipeline.operations.services import open_services
from hris_pipeline_tests.kit.command_line import Hris
from hris_pipeline_tests.kit.many_integrations import add_integrations, counted_statements

MANY = 300


@pytest.mark.parametrize("options", [(), ("--json",)], ids=["drawn", "as a document"])
def test_the_list_of_very_many_is_the_same_few_statements(hris: Hris, options: tuple[str, ...]) -> None:
    services = open_services(create=True)
    try:
        add_integrations(services.store, 1, due=True)
        with counted_statements(sa.Engine) as few:
            assert "company-00000" in hris("integrations", *options).stdout
        add_integrations(services.store, MANY, due=True, prefix="other", imports_each=2)
        with counted_statements(sa.Engine) as many:
            printed = hris("integrations", *options).stdout
    finally:
        services.close()
    assert "other-00000" in printed
    assert len(many) == len(few)
    assert sum(statement.startswith("SELECT") for statement in many) <= 8
