"""Numbers that both sides draw; draws.ts is its twin."""


class Draws:
    """Park and Miller's generator: exact in double precision, so that JavaScript draws the same numbers."""

    def __init__(self, seed):
        self.state = seed

    def next(self):
        self.state = self.state * 48271 % 2147483647
        return self.state / 2147483647
