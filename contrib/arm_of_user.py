#!/usr/bin/env python3
# SPDX-License-Identifier: BSD-2-Clause
"""Which arm of a split a user gets, reckoned outside of the gateway: for support, load tests and
statistics, and as a second implementation of what src/split/split.h defines. Needs Python 3.

usage: contrib/arm_of_user.py [--salt SALT] SERVICE=PERCENT SERVICE=PERCENT... < USERS

USERS has what names a user (the value of the cookie, say), one a line; of an IPv6 address the
last 64 bits are zero. Prints "USER ARM BUCKET", the bucket in percent, of the last service.
"""
import sys

MASK = 2**64 - 1
WHOLE = 10000  # weights count in 0.01 %


def siphash(key, text):
    """SipHash-2-4 with a key of two words; the result is a word."""
    v = [key[0] ^ 0x736F6D6570736575, key[1] ^ 0x646F72616E646F6D,
         key[0] ^ 0x6C7967656E657261, key[1] ^ 0x7465646279746573]

    def turn(word, by):
        return (word << by | word >> (64 - by)) & MASK

    def rounds(count):
        for _ in range(count):
            v[0] = (v[0] + v[1]) & MASK
            v[1] = turn(v[1], 13) ^ v[0]
            v[0] = turn(v[0], 32)
            v[2] = (v[2] + v[3]) & MASK
            v[3] = turn(v[3], 16) ^ v[2]
            v[0] = (v[0] + v[3]) & MASK
            v[3] = turn(v[3], 21) ^ v[0]
            v[2] = (v[2] + v[1]) & MASK
            v[1] = turn(v[1], 17) ^ v[2]
            v[2] = turn(v[2], 32)

    padded = text + bytes(-(len(text) + 1) % 8) + bytes([len(text) & 0xFF])
    for at in range(0, len(padded), 8):
        word = int.from_bytes(padded[at:at + 8], "little")
        v[3] ^= word
        rounds(2)
        v[0] ^= word
    v[2] ^= 0xFF
    rounds(4)
    return v[0] ^ v[1] ^ v[2] ^ v[3]


def cost(draw):
    """-log2((draw + 1) / 2^64) in whole 2^-32, rounded as the gateway does: up, since what is
    left of the logarithm is cut off."""
    if draw == MASK:
        return 0
    draw += 1
    whole = draw.bit_length() - 1
    rest = draw << (63 - whole)  # 1 to 2, with 63 bits behind the point
    fraction = 0
    for _ in range(32):
        square = rest * rest
        overflow = square >> 127
        rest = square >> (63 + overflow)
        fraction = fraction << 1 | overflow
    return (64 << 32) - (whole << 32 | fraction)


class Split:
    def __init__(self, services, weights, salt=b""):
        self.services = services
        self.weights = weights
        self.salt = (siphash((0, 0), salt), siphash((0, 1), salt))
        self.seeds = [siphash(self.salt, service.encode()) for service in services]

    def costs(self, user):
        place = siphash(self.salt, user).to_bytes(8, "little")
        return [cost(siphash((seed, self.salt[1]), place)) for seed in self.seeds]

    def best(self, costs, without=None):
        """The least cost / weight; compared by cross-multiplication, since both are whole."""
        best = None
        for arm, weight in enumerate(self.weights):
            if arm == without or weight == 0:
                continue
            if best is None:
                best = arm
                continue
            mine = costs[arm] * self.weights[best]
            other = costs[best] * weight
            if mine < other or (mine == other and self.seeds[arm] < self.seeds[best]):
                best = arm
        return best

    def arm(self, user):
        return self.services[self.best(self.costs(user))]

    def bucket(self, user, arm=-1):
        """The weight above which `arm` has this user, the others in the proportions they have."""
        costs = self.costs(user)
        arm %= len(self.services)
        best = self.best(costs, without=arm)
        if best is None:
            return 0
        others = sum(self.weights) - self.weights[arm]
        against = costs[best] * others // self.weights[best]
        if costs[arm] + against == 0:
            return 0
        return min(costs[arm] * WHOLE // (costs[arm] + against), WHOLE - 1)


def main(words):
    salt = b""
    if len(words) > 1 and words[0] == "--salt":
        salt = words[1].encode()
        words = words[2:]
    pairs = [word.rpartition("=") for word in words]
    if len(pairs) < 2 or any(not name for name, _, _ in pairs):
        sys.exit(__doc__)
    weights = [round(float(percent.rstrip("%")) * 100) for _, _, percent in pairs]
    if sum(weights) != WHOLE:
        sys.exit("the weights add up to %g%%, not 100%%" % (sum(weights) / 100))
    split = Split([name for name, _, _ in pairs], weights, salt)
    for line in sys.stdin.buffer:
        user = line.rstrip(b"\r\n")
        print(user.decode(errors="replace"), split.arm(user), "%.2f%%" % (split.bucket(user) / 100))


if __name__ == "__main__":
    main(sys.argv[1:])
