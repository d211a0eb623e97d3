/* SPDX-License-Identifier: MIT */
/* Which instruction set a model gets: by the machine, the caller and the environment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include <rfield/run.h>

#include "kernels/machine.h"

static const char *chosen(const char *isa, const char *mask)
{
    const rf_kernels *kernels = NULL;
    assert_int_equal(rf_machine_choose(isa, mask, &kernels, NULL), RF_OK);
    return kernels->isa;
}

static void refused(const char *isa, const char *mask, const char *why)
{
    const rf_kernels *kernels;
    rf_error error = {.message = ""};
    assert_int_equal(rf_machine_choose(isa, mask, &kernels, &error), RF_ERROR_UNSUPPORTED);
    assert_non_null(strstr(error.message, why));
}

static const rf_kernels *last(void)
{
    const rf_kernels *const *set = rf_machine_kernels();
    while (set[1])
        set++;
    return *set;
}

static void built_and_allowed(void **state)
{
    (void)state;
    const rf_kernels *const *built = rf_machine_built(), *const *allowed = rf_machine_kernels();
    while (*built && built != allowed)
        built++;
    assert_ptr_equal(built, allowed);
    assert_non_null(*allowed);
    assert_string_equal(last()->isa, "baseline");
}

static void masks(void **state)
{
    (void)state;
    const char *best = (*rf_machine_kernels())->isa;
    assert_string_equal(chosen(NULL, NULL), best);
    assert_string_equal(chosen(NULL, ""), best);
    for (const rf_kernels *const *set = rf_machine_kernels(); *set; set++) {
        char list[64] = "baseline,";
        const char *isa = (*set)->isa;
        assert_string_equal(chosen(NULL, isa), isa);
        assert_string_equal(chosen(isa, NULL), isa);
        assert_string_equal(chosen(isa, best), isa);
        assert_string_equal(chosen(best, isa), isa);
        assert_string_equal(chosen(NULL, strcat(list, isa)), isa);
        assert_string_equal(chosen("baseline", list), "baseline");
    }
    /* What was built for other machines may be named. */
    for (const rf_kernels *const *set = rf_machine_built(); set != rf_machine_kernels(); set++)
        assert_string_equal(chosen(NULL, (*set)->isa), best);
}

static void refusals(void **state)
{
    (void)state;
    refused("sse17", NULL, "'sse17'");
    refused(NULL, "sse17", "'sse17'");
    refused(NULL, "baseline,", "''");
    refused(NULL, ",", "''");
    refused(NULL, "baseline,sse17,baseline", "'sse17'");
    refused(NULL, "baselin", "'baselin'");
    const rf_kernels *best = *rf_machine_kernels();
    if (best == last())
        return;
    char list[64] = "";
    strcat(strcat(strcat(list, best->isa), ","), best->isa);
    refused("baseline", list, "leaves nothing");
}

/* One layer that needs no weights. */
static rf_status compile(rf_error *error)
{
    static const rf_tensor input = {.name = "x", .shape = RF_SHAPE(1, 3, 8, 8)};
    static const rf_layer relu = {.name = "r", .type = "Relu"};
    static const rf_network network = {.inputs = &input, .input_count = 1, .layers = &relu, .layer_count = 1};
    rf_model *model;
    rf_status status = rf_compile(&network, NULL, &model, error);
    rf_model_free(model);
    return status;
}

static void environment(void **state)
{
    (void)state;
    rf_error error = {.message = ""};
    assert_int_equal(setenv("RFIELD_ISA", "baseline", 1), 0);
    assert_int_equal(compile(&error), RF_OK);
    assert_int_equal(setenv("RFIELD_ISA", "abacus", 1), 0);
    assert_int_equal(compile(&error), RF_ERROR_UNSUPPORTED);
    assert_non_null(strstr(error.message, "'abacus'"));
    assert_int_equal(unsetenv("RFIELD_ISA"), 0);
    assert_int_equal(compile(&error), RF_OK);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(built_and_allowed),
        cmocka_unit_test(masks),
        cmocka_unit_test(refusals),
        cmocka_unit_test(environment),
    };
    return cmocka_run_group_tests_name("machine", tests, NULL, NULL);
}
