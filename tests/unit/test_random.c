/* SPDX-License-Identifier: MIT */
/* Random numbers: those of the published generators, with the moments that they should have. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

#include <rfield/random.h>

enum { DRAWS = 1000000 };

/* The first numbers of the authors' own programs, for SplitMix64 seeded by 1234567 and for xoshiro256**
 * in the state 1, 2, 3, 4. */
static void test_published_numbers(void **state)
{
    (void)state;
    static const uint64_t mixed[] = {UINT64_C(6457827717110365317), UINT64_C(3203168211198807973),
                                     UINT64_C(9817491932198370423), UINT64_C(4593380528125082431)};
    static const uint64_t bits[] = {11520, 0, 1509978240, UINT64_C(1215971899390074240)};
    rf_random random = rf_random_make(1234567);
    assert_memory_equal(random.state, mixed, sizeof mixed);
    random = (rf_random){.state = {1, 2, 3, 4}};
    for (int i = 0; i < 4; i++)
        assert_true(rf_random_bits(&random) == bits[i]);
}

/* In deviations of the mean's own distribution, four of which happen once in 15,000 times. */
static void assert_moment(double sum, double expected, double deviation)
{
    double off = (sum / DRAWS - expected) / (deviation / sqrt(DRAWS));
    if (fabs(off) > 4)
        fail_msg("%g instead of %g: off by %g deviations", sum / DRAWS, expected, off);
}

static void test_uniform(void **state)
{
    (void)state;
    rf_random random = rf_random_make(1);
    double sum = 0, squares = 0;
    for (int i = 0; i < DRAWS; i++) {
        double x = rf_random_uniform(&random);
        assert_true(x >= 0 && x < 1);
        sum += x;
        squares += x * x;
    }
    assert_moment(sum, 0.5, sqrt(1.0 / 12));
    assert_moment(squares, 1.0 / 3, sqrt(1.0 / 5 - 1.0 / 9));
}

static void test_normal(void **state)
{
    (void)state;
    rf_random random = rf_random_make(2);
    double sums[5] = {0};
    int beyond = 0;
    for (int i = 0; i < DRAWS; i++) {
        double x = rf_random_normal(&random), power = 1;
        for (int k = 0; k < 5; k++, power *= x)
            sums[k] += power;
        beyond += fabs(x) > 3;
    }
    assert_moment(sums[1], 0, 1);
    assert_moment(sums[2], 1, sqrt(2.0));
    assert_moment(sums[3], 0, sqrt(15.0));
    assert_moment(sums[4], 3, sqrt(96.0));
    assert_moment(beyond, 0.0026998, sqrt(0.0026998));
}

/* The numbers depend on no mathematics library, so that these constants hold everywhere. */
static void test_normal_bits(void **state)
{
    (void)state;
    rf_random random = rf_random_named(7, "conv1.weight");
    double first[3];
    for (int i = 0; i < 3; i++)
        first[i] = rf_random_normal(&random);
    static const double expected[] = {0x1.0de9a73715ad5p+0, -0x1.7d19d9ec5be8dp-2, 0x1.a8b61c8c5a2ep-5};
    for (int i = 0; i < 3; i++)
        if (first[i] != expected[i])
            fail_msg("normal number %d is %a instead of %a", i, first[i], expected[i]);
    rf_random other = rf_random_named(7, "conv2.weight"), seed = rf_random_named(8, "conv1.weight");
    assert_true(rf_random_normal(&other) != first[0]);
    assert_true(rf_random_normal(&seed) != first[0]);
}

static void test_below(void **state)
{
    (void)state;
    rf_random random = rf_random_make(3);
    int counts[6] = {0};
    for (int i = 0; i < DRAWS; i++)
        counts[rf_random_below(&random, 6)]++;
    for (int k = 0; k < 6; k++)
        assert_moment(counts[k], 1.0 / 6, sqrt(5.0 / 36));
    assert_true(rf_random_below(&random, 0) == 0 && rf_random_below(&random, 1) == 0);
    /* Of this bound almost every second draw is thrown away. */
    for (int i = 0; i < 100; i++)
        assert_true(rf_random_below(&random, (UINT64_C(1) << 63) + 1) <= UINT64_C(1) << 63);
}

static void test_shuffle(void **state)
{
    (void)state;
    enum { ORDERS = 24 };
    rf_random random = rf_random_make(4);
    int counts[256] = {0};
    for (int i = 0; i < DRAWS; i++) {
        size_t numbers[] = {0, 1, 2, 3};
        rf_random_shuffle(&random, numbers, 4);
        assert_int_equal(1 << numbers[0] | 1 << numbers[1] | 1 << numbers[2] | 1 << numbers[3], 15);
        counts[numbers[0] << 6 | numbers[1] << 4 | numbers[2] << 2 | numbers[3]]++;
    }
    int seen = 0;
    for (int k = 0; k < 256; k++) {
        if (counts[k])
            assert_moment(counts[k], 1.0 / ORDERS, sqrt(1.0 / ORDERS * (1 - 1.0 / ORDERS)));
        seen += counts[k] > 0;
    }
    assert_int_equal(seen, ORDERS);
    rf_random_shuffle(&random, NULL, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_published_numbers), cmocka_unit_test(test_uniform), cmocka_unit_test(test_normal),
        cmocka_unit_test(test_normal_bits),       cmocka_unit_test(test_below),   cmocka_unit_test(test_shuffle),
    };
    return cmocka_run_group_tests_name("random numbers", tests, NULL, NULL);
}
