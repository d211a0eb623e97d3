/* SPDX-License-Identifier: MIT */
#include <getopt.h>
#include <stdio.h>
#include <unistd.h>

#include "verify.h"

static const char help[] =
    "usage: rfield verify MODEL [options]\n"
    "\n"
    "Checks what rfield analyze and rfield field say by running the network:\n"
    "- plain loops that count what they do must count, layer by layer, what the analysis counts as valid;\n"
    "- a NaN in one input pixel must come out exactly where the field says that the pixel is seen.\n"
    "MODEL is an .onnx file with weights. The first check runs unoptimised loops and takes long on\n"
    "large networks.\n"
    "\n"
    "  -i, --input NAME=SHAPE   shape of an input, such as data=1x3x224x224; repeatable\n"
    "  -p, --points N           input pixels to try, 3 by default\n"
    "  -s, --seed N             of the pixels and outputs chosen, 1 by default\n"
    "      --precision NAME     of the run with NaN: float32 (default), or bf16\n"
    "  -h, --help\n"
    "\n"
    "exit code: 0 where all agrees; 1 for a difference, a bad model or input; 2 for a wrong command line\n";

static const struct option options[] = {
    {"input", required_argument, NULL, 'i'}, {"points", required_argument, NULL, 'p'},
    {"seed", required_argument, NULL, 's'},  {"precision", required_argument, NULL, 'P'},
    {"help", no_argument, NULL, 'h'},
    {0},
};

void show_progress(const char *what, size_t done, size_t all)
{
    if (!isatty(STDERR_FILENO))
        return;
    if (all)
        fprintf(stderr, "\r%s %zu/%zu\033[K", what, done, all);
    else
        fprintf(stderr, "\r\033[K");
}

static int take_number(const subcommand *command, const char *option, int64_t *number)
{
    if (parse_integer(optarg, number) && *number >= 1 && *number <= 1000000)
        return DONE;
    return misuse(command, "%s: '%.80s' is not a number from 1 to 1000000", option, optarg);
}

static int take_option(const subcommand *command, verify_request *request, int answer, char **argv)
{
    switch (answer) {
    case 'i': return add_input(command, &request->inputs, optarg);
    case 'p': return take_number(command, "--points", &request->points);
    case 's': return take_number(command, "--seed", &request->seed);
    case 'P': return take_precision(command, optarg, &request->precision);
    case 'h': request->help = true; return DONE;
    default: return bad_option(command, answer, argv);
    }
}

static int read_words(const subcommand *command, verify_request *request, int argc, char **argv)
{
    int answer;
    opterr = 0;
    while ((answer = getopt_long(argc, argv, ":i:p:s:h", options, NULL)) != -1) {
        int code = take_option(command, request, answer, argv);
        if (code != DONE || request->help)
            return code;
    }
    return take_model(command, argc, argv, &request->path);
}

static int verify(const verify_request *request)
{
    open_model model;
    uint64_t differences = 0;
    int code = model_open(&model, request->path, &request->inputs, false);
    if (code == DONE)
        code = verify_counts(&model, &differences);
    if (code == DONE)
        code = verify_fields(&model, request, &differences);
    model_close(&model);
    if (code == DONE)
        code = finish_stdout();
    if (code == DONE && differences)
        return complain(request->path, "%llu differences between what was said and what was seen",
                        (unsigned long long)differences);
    return code;
}

static int run(const subcommand *command, int argc, char **argv)
{
    verify_request request = {.points = 3, .seed = 1};
    int code = read_words(command, &request, argc, argv);
    if (code == DONE)
        code = request.help ? print_help(command) : verify(&request);
    free_inputs(&request.inputs);
    return code;
}

const subcommand verify_command = {"verify", "checks fields and counts by running the network", help, run};
