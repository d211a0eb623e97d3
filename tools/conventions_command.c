/* SPDX-License-Identifier: MIT */
#include "arguments.h"

#include <getopt.h>
#include <rfield/analysis.h>
#include <stdio.h>

static const char help[] =
    "usage: rfield conventions\n"
    "\n"
    "Lists the published ways of counting that `rfield analyze --convention NAME` follows:\n"
    "name, what the tool calls its number, and the rule.\n";

static int run(const subcommand *command, int argc, char **argv)
{
    static const struct option options[] = {{"help", no_argument, NULL, 'h'}, {0}};
    int answer;
    opterr = 0;
    while ((answer = getopt_long(argc, argv, ":h", options, NULL)) != -1)
        return answer == 'h' ? print_help(command) : bad_option(command, answer, argv);
    if (optind < argc)
        return misuse(command, "'%.80s' is one word too many", argv[optind]);
    size_t count;
    const rf_convention *all = rf_conventions(&count);
    for (size_t i = 0; i < count; i++)
        printf("%-14s %-12s %s\n", all[i].name, all[i].quantity, all[i].rule);
    return finish_stdout();
}

const subcommand conventions_command = {
    "conventions", "lists the ways of counting that analyze can follow", help, run};
