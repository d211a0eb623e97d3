/* SPDX-License-Identifier: MIT */
/*
 * Runs ONNX's conformance suite (Debian's libonnx-testdata) and writes a report.
 *
 *     test_onnx_suite FOLDER [--report FILE] [--only TEXT]
 *
 * Exit 0 where nothing fails and enough passes, 77 (skip) where the suite is not
 * installed, 1 otherwise.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "suite_case.h"

enum { SKIP = 77, MOST_OPERATORS = 400, MOST_REASONS = 400 };

typedef struct tally {
    char name[400];
    int counts[3]; /* by suite_result */
} tally;

typedef struct totals {
    tally operators[MOST_OPERATORS], reasons[MOST_REASONS];
    int operator_count, reason_count;
    int node[3], other[3];
} totals;

static tally *find(tally *list, int *count, int most, const char *name)
{
    for (int i = 0; i < *count; i++)
        if (strcmp(list[i].name, name) == 0)
            return &list[i];
    if (*count == most)
        return NULL;
    snprintf(list[*count].name, sizeof list->name, "%s", name);
    return &list[(*count)++];
}

/* "layer 'y' (Type): why" without the layer, so that equal reasons are counted together. */
static const char *without_layer(const char *reason)
{
    const char *end = strncmp(reason, "layer '", 7) == 0 ? strstr(reason, "): ") : NULL;
    return end ? end + 3 : reason;
}

static void count(totals *all, bool is_node, const suite_outcome *outcome)
{
    (is_node ? all->node : all->other)[outcome->result]++;
    for (int i = 0; i < outcome->operator_count; i++) {
        tally *row = find(all->operators, &all->operator_count, MOST_OPERATORS, outcome->operators[i]);
        if (row)
            row->counts[outcome->result]++;
    }
    if (outcome->result == SUITE_PASSED)
        return;
    tally *row = find(all->reasons, &all->reason_count, MOST_REASONS, without_layer(outcome->reason));
    if (row)
        row->counts[outcome->result]++;
}

static int by_name(const void *a, const void *b)
{
    return strcmp(((const tally *)a)->name, ((const tally *)b)->name);
}

static void write_report(totals *all, FILE *file)
{
    qsort(all->operators, (size_t)all->operator_count, sizeof *all->operators, by_name);
    qsort(all->reasons, (size_t)all->reason_count, sizeof *all->reasons, by_name);
    fprintf(file, "# Conformance\n\nWhat became of ONNX's own tests (Debian's `libonnx-testdata`), compared with the\n"
                  "suite's tolerance: |got - wanted| <= 1e-7 + 1e-3 |wanted|. Written by\n"
                  "`test_onnx_suite FOLDER --report docs/conformance.md`; the test suite runs it too.\n\n");
    fprintf(file, "| tests | passed | failed | not supported |\n|:--|--:|--:|--:|\n");
    fprintf(file, "| single operators (`node`) | %d | %d | %d |\n", all->node[0], all->node[1], all->node[2]);
    fprintf(file, "| converted and simple models | %d | %d | %d |\n\n", all->other[0], all->other[1], all->other[2]);
    fprintf(file, "## By operator\n\nTests in which an operator occurs, with others or alone.\n\n"
                  "| operator | passed | failed | not supported |\n|:--|--:|--:|--:|\n");
    for (int i = 0; i < all->operator_count; i++)
        fprintf(file, "| %s | %d | %d | %d |\n", all->operators[i].name, all->operators[i].counts[0],
                all->operators[i].counts[1], all->operators[i].counts[2]);
    fprintf(file, "\n## Why not\n\n| reason | failed | not supported |\n|:--|--:|--:|\n");
    for (int i = 0; i < all->reason_count; i++)
        fprintf(file, "| %s | %d | %d |\n", all->reasons[i].name, all->reasons[i].counts[1], all->reasons[i].counts[2]);
}

static int is_visible(const struct dirent *entry)
{
    return entry->d_name[0] != '.';
}

static void run_folder(const char *root, const char *group, const char *only, totals *all)
{
    char folder[700], path[1000];
    struct dirent **entries;
    snprintf(folder, sizeof folder, "%s/%s", root, group);
    int found = scandir(folder, &entries, is_visible, alphasort);
    for (int i = 0; i < found; i++) {
        suite_outcome outcome;
        snprintf(path, sizeof path, "%s/%.256s", folder, entries[i]->d_name);
        if (!only || strstr(entries[i]->d_name, only)) {
            suite_run(path, &outcome);
            count(all, strcmp(group, "node") == 0, &outcome);
            if (outcome.result == SUITE_FAILED || (only && outcome.result == SUITE_REFUSED))
                printf("%s %s/%s: %s\n", outcome.result == SUITE_FAILED ? "failed" : "refused", group,
                       entries[i]->d_name, outcome.reason);
        }
        free(entries[i]);
    }
    if (found >= 0)
        free(entries);
}

static int judge(const totals *all, const char *only)
{
    printf("single operators: %d passed, %d failed, %d not supported\n", all->node[0], all->node[1], all->node[2]);
    printf("models: %d passed, %d failed, %d not supported\n", all->other[0], all->other[1], all->other[2]);
    if (only)
        return 0;
    return all->node[1] || all->other[1] || all->node[0] < 700 || all->other[0] < 120;
}

int main(int argc, char **argv)
{
    static const char *const groups[] = {"node", "pytorch-converted", "pytorch-operator", "simple"};
    static totals all;
    const char *report = NULL, *only = NULL;
    struct stat status;
    for (int i = 2; i + 1 < argc; i += 2) {
        if (strcmp(argv[i], "--report") == 0)
            report = argv[i + 1];
        else if (strcmp(argv[i], "--only") == 0)
            only = argv[i + 1];
    }
    if (argc < 2 || stat(argv[1], &status) != 0) {
        printf("the suite is not installed\n");
        return SKIP;
    }
    for (size_t i = 0; i < sizeof groups / sizeof *groups; i++)
        run_folder(argv[1], groups[i], only, &all);
    FILE *file = report ? fopen(report, "w") : NULL;
    if (report && !file)
        return 1;
    if (file) {
        write_report(&all, file);
        fclose(file);
    }
    return judge(&all, only);
}
