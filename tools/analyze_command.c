/* SPDX-License-Identifier: MIT */
#include <getopt.h>
#include <string.h>

#include <rfield/report.h>

#include "open_model.h"
#include "output_file.h"

static const char help[] =
    "usage: rfield analyze MODEL [options]\n"
    "\n"
    "Tells what every layer of a network sees and costs. MODEL is an .onnx or .json file.\n"
    "\n"
    "  -i, --input NAME=SHAPE   shape of an input, such as data=1x3x224x224; repeatable.\n"
    "                           NAME= may be left out where the network has one input\n"
    "  -f, --format FORMAT      table (default), json, csv, markdown or html\n"
    "  -c, --convention NAME    also count as another tool does; see rfield conventions\n"
    "  -u, --allow-unknown      list operators without a rule instead of failing\n"
    "  -o, --output FILE        write there, whole or not at all; - is standard output\n"
    "  -h, --help\n"
    "\n"
    "exit code: 0; 1 for a bad model or input; 2 for a wrong command line\n";

static const struct option options[] = {
    {"input", required_argument, NULL, 'i'},      {"format", required_argument, NULL, 'f'},
    {"convention", required_argument, NULL, 'c'}, {"allow-unknown", no_argument, NULL, 'u'},
    {"output", required_argument, NULL, 'o'},     {"help", no_argument, NULL, 'h'},
    {0},
};

static const char *const formats[] = {"table", "json", "csv", "markdown", "html", NULL};

/* What the command line asks for. */
typedef struct analyze_request {
    const char *model, *convention, *output;
    input_options inputs;
    int format;
    bool allow_unknown, help;
} analyze_request;

static int choose_format(const subcommand *command, analyze_request *request)
{
    request->format = find_word(formats, optarg);
    if (request->format >= 0)
        return DONE;
    return misuse(command, "--format: '%.80s' is not table, json, csv, markdown or html", optarg);
}

static int choose_convention(const subcommand *command, analyze_request *request)
{
    size_t count;
    const rf_convention *all = rf_conventions(&count);
    request->convention = optarg;
    for (size_t i = 0; i < count; i++)
        if (strcmp(all[i].name, optarg) == 0)
            return DONE;
    return misuse(command, "--convention: there is no '%.80s'; rfield conventions lists all",
                  optarg);
}

static int take_option(const subcommand *command, analyze_request *request, int answer, char **argv)
{
    switch (answer) {
    case 'i': return add_input(command, &request->inputs, optarg);
    case 'f': return choose_format(command, request);
    case 'c': return choose_convention(command, request);
    case 'o': request->output = optarg; return DONE;
    case 'u': request->allow_unknown = true; return DONE;
    case 'h': request->help = true; return DONE;
    default: return bad_option(command, answer, argv);
    }
}

static int read_words(const subcommand *command, analyze_request *request, int argc, char **argv)
{
    int answer;
    opterr = 0;
    while ((answer = getopt_long(argc, argv, ":i:f:c:uo:h", options, NULL)) != -1) {
        int code = take_option(command, request, answer, argv);
        if (code != DONE || request->help)
            return code;
    }
    return take_model(command, argc, argv, &request->model);
}

static int write_report(const open_model *model, const analyze_request *request)
{
    rf_report_options how = {.size = sizeof how, .format = (rf_report_format)request->format,
                             .convention = request->convention};
    rf_error error;
    output_file output;
    int code = output_open(&output, request->output);
    if (code != DONE)
        return code;
    rf_status status = rf_report(model->analysis, &how, output_write, &output, &error);
    if (status == RF_OK || status == RF_ERROR_IO)
        return output_finish(&output);
    output_discard(&output);
    return complain(model->path, "%s", error.message);
}

static int run(const subcommand *command, int argc, char **argv)
{
    analyze_request request = {.format = RF_REPORT_TABLE};
    int code = read_words(command, &request, argc, argv);
    if (code == DONE && request.help) {
        code = print_help(command);
    } else if (code == DONE) {
        open_model model;
        code = model_open(&model, request.model, &request.inputs, request.allow_unknown);
        if (code == DONE)
            code = write_report(&model, &request);
        model_close(&model);
    }
    free_inputs(&request.inputs);
    return code;
}

const subcommand analyze_command = {
    "analyze", "tells what every layer sees and costs", help, run};
