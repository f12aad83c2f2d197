"""Result objects to the destinations that shall receive them."""
