/* SPDX-License-Identifier: MIT */
#define _POSIX_C_SOURCE 200809L

#include "check_main.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/machine.h"

typedef enum purpose { TEST, BENCH, ACCURACY, HELP, MISUSE } purpose;

static purpose take_option(int answer)
{
    switch (answer) {
    case 'i': return setenv("RF_ISA", optarg, 1) || !rf_machine_find(optarg) ? MISUSE : TEST;
    case 'f': return setenv("RF_FILTER", optarg, 1) ? MISUSE : TEST;
    case 's': return setenv("RF_SEED", optarg, 1) ? MISUSE : TEST;
    case 'c': return setenv("RF_CASES", optarg, 1) || atoi(optarg) < 1 ? MISUSE : TEST;
    case 'b': return BENCH;
    case 'a': return ACCURACY;
    case 'h': return HELP;
    default: return MISUSE;
    }
}

static purpose read_words(int argc, char **argv)
{
    static const struct option options[] = {
        {"isa", required_argument, NULL, 'i'},  {"filter", required_argument, NULL, 'f'},
        {"seed", required_argument, NULL, 's'}, {"cases", required_argument, NULL, 'c'},
        {"bench", no_argument, NULL, 'b'},      {"accuracy", no_argument, NULL, 'a'},
        {"help", no_argument, NULL, 'h'},       {0},
    };
    int answer;
    purpose found = TEST;
    while ((answer = getopt_long(argc, argv, "", options, NULL)) != -1) {
        purpose asked = take_option(answer);
        found = asked > found ? asked : found;
    }
    return optind == argc ? found : MISUSE;
}

static int print_help(const check_program *program, purpose asked)
{
    fprintf(asked == HELP ? stdout : stderr,
            "usage: %s [--isa NAME] [--filter TEXT] [--seed N] [--cases N] [--bench | --accuracy]\n"
            "\n"
            "Checks kernels against sums in double on random shapes, N for each test.\n"
            "\n"
            "  --isa NAME      only those of this instruction set, which the machine must have\n"
            "  --filter TEXT   only tests, or lines of --bench, whose name has this in it\n"
            "  --bench         prints how fast they are instead\n"
            "  --accuracy      checks, and prints how far results were off\n",
            program->name);
    return asked == HELP ? 0 : 2;
}

/* The names are compared with wildcards. */
static void set_filter(char *pattern, size_t room)
{
    const char *text = getenv("RF_FILTER");
    if (!text)
        return;
    snprintf(pattern, room, "*%s*", text);
    cmocka_set_test_filter(pattern);
}

static int run_group(const check_program *program, check_random *random)
{
    struct CMUnitTest tests[8];
    char pattern[200];
    size_t count = 0;
    for (; count < 8 && program->tests[count].name; count++)
        tests[count] = (struct CMUnitTest){
            .name = program->tests[count].name, .test_func = program->tests[count].run,
            .setup_func = check_restart, .initial_state = random,
        };
    set_filter(pattern, sizeof pattern);
    return _cmocka_run_group_tests(program->name, tests, count, NULL, NULL);
}

static int run_all(const check_program *program, bool accuracy)
{
    check_errors errors = {0};
    check_random random = check_seeded();
    random.errors = accuracy ? &errors : NULL;
    int failed = run_group(program, &random);
    if (!accuracy)
        return failed;
    check_errors_print(&errors);
    for (const rf_kernels *set = check_set(NULL); program->accuracy && set; set = check_set(set))
        program->accuracy(set);
    return failed;
}

int check_main(int argc, char **argv, const check_program *program)
{
    purpose asked = read_words(argc, argv);
    if (asked >= HELP)
        return print_help(program, asked);
    if (asked != BENCH)
        return run_all(program, asked == ACCURACY);
    for (const rf_kernels *set = check_set(NULL); set; set = check_set(set))
        if (program->bench)
            program->bench(set);
    return 0;
}
