"""The search: who proposes, who trains what, where it runs, and the driver that ties them."""
