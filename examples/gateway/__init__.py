"""The payment gateway: a process of its own, as flaky as one asks it to be."""
