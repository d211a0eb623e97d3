/* SPDX-License-Identifier: MIT */
/*
 * Runs a network between two writes that fail, for test_run_strace.sh to look for what the system is asked
 * in between. The words are what is written.
 */
#include "run_tools.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void mark(const char *words)
{
    if (write(-1, words, strlen(words)) >= 0)
        fail_msg("there is a file of number -1");
}

static void between_marks(void **state)
{
    (void)state;
    rf_network network = mixed_network();
    rf_compile_options options = RF_COMPILE_OPTIONS_DEFAULT;
    for (int reference = 0; reference < 2; reference++) {
        rf_model *model;
        bound_run run;
        options.reference = reference != 0;
        assert_int_equal(rf_compile(&network, &options, &model, NULL), RF_OK);
        bound_run_make(&run, model, NULL, 1);
        mark("the run begins");
        rf_status first = rf_run(run.session, NULL), second = rf_run(run.session, NULL);
        mark("the run has ended");
        assert_true(first == RF_OK && second == RF_OK);
        bound_run_free(&run);
        rf_model_free(model);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(between_marks)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
