"""The thin edges: command line, HTTP and pictures over the scheduler's services."""
