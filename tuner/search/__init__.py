"""The search: proposers of configurations, jobs and their executors, and the driver that connects them."""
