"""The version of the rules of `domain.folding`, which a start can compare without their patterns."""

from __future__ import annotations

FOLD_VERSION = 1
"""Changes whenever `indexed` or `facet` gives something else; an index of another version must be built anew."""
