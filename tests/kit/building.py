"""Values built of strategies."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st


def builds(kind: type, *args: Any, **named: Any) -> st.SearchStrategy[Any]:
    """`st.builds` without a look at the types of the fields, some of which are imported for the type checker alone."""
    return st.builds(lambda *values, **others: kind(*values, **others), *args, **named)
