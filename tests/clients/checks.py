"""What is checked, one line each."""


class Checks:
    def __init__(self):
        self.done, self.failed = 0, 0

    def check(self, what, found, expected):
        self.done += 1
        if found == expected:
            print("ok      %s" % what)
        else:
            self.failed += 1
            print("FAILED  %s: found %r, expected %r" % (what, found, expected))
