/* SPDX-License-Identifier: MIT */
#include <rfield/random.h>

#include <math.h>

/* SplitMix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014). */
static uint64_t split_mix(uint64_t *state)
{
    uint64_t z = *state += UINT64_C(0x9e3779b97f4a7c15);
    z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
    return z ^ z >> 31;
}

rf_random rf_random_make(uint64_t seed)
{
    rf_random random = {.has_spare = false};
    for (int i = 0; i < 4; i++)
        random.state[i] = split_mix(&seed);
    return random;
}

/* The name's FNV-1a hash shifts the seed. */
rf_random rf_random_named(uint64_t seed, const char *name)
{
    uint64_t hash = UINT64_C(0xcbf29ce484222325);
    for (const unsigned char *at = (const unsigned char *)(name ? name : ""); *at; at++)
        hash = (hash ^ *at) * UINT64_C(0x100000001b3);
    return rf_random_make(split_mix(&seed) ^ hash);
}

static uint64_t rotated(uint64_t x, int bits)
{
    return x << bits | x >> (64 - bits);
}

uint64_t rf_random_bits(rf_random *random)
{
    uint64_t *s = random->state, result = rotated(s[1] * 5, 7) * 9, shifted = s[1] << 17;
    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= shifted;
    s[3] = rotated(s[3], 45);
    return result;
}

/* Numbers below 2^64 mod bound are drawn again, so that what is left divides evenly. */
uint64_t rf_random_below(rf_random *random, uint64_t bound)
{
    if (bound == 0)
        return 0;
    uint64_t uneven = (UINT64_MAX - bound + 1) % bound, bits;
    do
        bits = rf_random_bits(random);
    while (bits < uneven);
    return bits % bound;
}

double rf_random_uniform(rf_random *random)
{
    return (double)(rf_random_bits(random) >> 11) * 0x1p-53;
}

/* log(x), 0 < x < 1, to about an ulp: x = m 2^e with m near 1, log(m) = 2 artanh((m - 1) / (m + 1)). */
static double logarithm(double x)
{
    enum { TERMS = 11 }; /* the next would add less than 1e-18 */
    int exponent;
    double m = frexp(x, &exponent);
    if (m < 0.70710678118654752) {
        m *= 2;
        exponent--;
    }
    double t = (m - 1) / (m + 1), square = t * t, sum = 0;
    for (int k = TERMS; k >= 0; k--)
        sum = sum * square + 1.0 / (2 * k + 1);
    return 2 * t * sum + exponent * 0.69314718055994531;
}

double rf_random_normal(rf_random *random)
{
    double u, v, s;
    if (random->has_spare) {
        random->has_spare = false;
        return random->spare;
    }
    do {
        u = 2 * rf_random_uniform(random) - 1;
        v = 2 * rf_random_uniform(random) - 1;
        s = u * u + v * v;
    } while (s >= 1 || s == 0);
    double factor = sqrt(-2 * logarithm(s) / s);
    random->spare = v * factor;
    random->has_spare = true;
    return u * factor;
}

/* Fisher and Yates. */
void rf_random_shuffle(rf_random *random, size_t *numbers, size_t count)
{
    for (size_t left = count; left > 1; left--) {
        size_t other = (size_t)rf_random_below(random, left), number = numbers[left - 1];
        numbers[left - 1] = numbers[other];
        numbers[other] = number;
    }
}
