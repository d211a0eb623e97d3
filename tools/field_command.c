/* SPDX-License-Identifier: MIT */
#include "field_answer.h"

#include <getopt.h>
#include <string.h>

static const char help[] =
    "usage: rfield field MODEL --layer NAME --at Y,X [options]\n"
    "\n"
    "Tells exactly which part of an input one output element of a layer sees.\n"
    "\n"
    "  -l, --layer NAME         a layer, or a tensor that a layer puts out\n"
    "  -a, --at Y,X             the element: X, or Z,Y,X, where the output has one spatial axis\n"
    "                           or three; left out where it has none\n"
    "      --channel C          one channel of the output, from 0; without it, all together\n"
    "      --of INPUT           which input of the network; the first that the layer sees\n"
    "  -i, --input NAME=SHAPE   as for rfield analyze\n"
    "  -u, --allow-unknown      as for rfield analyze\n"
    "      --map                also count the paths from each position\n"
    "  -f, --format FORMAT      text (default) or json\n"
    "      --image IN           draw the field on this picture, scaled to the input's size,\n"
    "                           as a PNG into the file that -o names\n"
    "  -o, --output FILE        write there, whole or not at all; - is standard output\n"
    "  -h, --help\n"
    "\n"
    "Bounds are inclusive and count from 0; before 0 and past the end lies padding.\n"
    "exit code: 0; 1 for a bad model or input; 2 for a wrong command line\n";

enum { CHANNEL = 256, OF, MAP, IMAGE };

static const struct option options[] = {
    {"layer", required_argument, NULL, 'l'},     {"at", required_argument, NULL, 'a'},
    {"channel", required_argument, NULL, CHANNEL}, {"of", required_argument, NULL, OF},
    {"input", required_argument, NULL, 'i'},     {"allow-unknown", no_argument, NULL, 'u'},
    {"map", no_argument, NULL, MAP},             {"format", required_argument, NULL, 'f'},
    {"image", required_argument, NULL, IMAGE},   {"output", required_argument, NULL, 'o'},
    {"help", no_argument, NULL, 'h'},            {0},
};

static const char *const formats[] = {"text", "json", NULL};

/* What the command line asks for. */
typedef struct field_request {
    const char *model, *layer, *of, *image, *output;
    input_options inputs;
    int64_t at[RF_MAX_RANK], channel;
    size_t at_count;
    int format;
    bool allow_unknown, map, help;
} field_request;

static int take_at(const subcommand *command, field_request *request)
{
    if (parse_indices(optarg, request->at, RF_MAX_RANK, &request->at_count))
        return DONE;
    return misuse(command, "--at: '%.80s' is not a list of indices such as 3,4", optarg);
}

static int take_channel(const subcommand *command, field_request *request)
{
    if (parse_integer(optarg, &request->channel))
        return DONE;
    return misuse(command, "--channel: '%.80s' is not a channel's index", optarg);
}

static int take_format(const subcommand *command, field_request *request)
{
    request->format = find_word(formats, optarg);
    if (request->format >= 0)
        return DONE;
    return misuse(command, "--format: '%.80s' is not text or json", optarg);
}

static int take_option(const subcommand *command, field_request *request, int answer, char **argv)
{
    switch (answer) {
    case 'l': request->layer = optarg; return DONE;
    case 'a': return take_at(command, request);
    case CHANNEL: return take_channel(command, request);
    case OF: request->of = optarg; return DONE;
    case 'i': return add_input(command, &request->inputs, optarg);
    case 'u': request->allow_unknown = true; return DONE;
    case MAP: request->map = true; return DONE;
    case 'f': return take_format(command, request);
    case IMAGE: request->image = optarg; return DONE;
    case 'o': request->output = optarg; return DONE;
    case 'h': request->help = true; return DONE;
    default: return bad_option(command, answer, argv);
    }
}

static int read_words(const subcommand *command, field_request *request, int argc, char **argv)
{
    int answer;
    opterr = 0;
    while ((answer = getopt_long(argc, argv, ":l:a:i:uf:o:h", options, NULL)) != -1) {
        int code = take_option(command, request, answer, argv);
        if (code != DONE || request->help)
            return code;
    }
    int code = take_model(command, argc, argv, &request->model);
    if (code != DONE)
        return code;
    if (!request->layer)
        return misuse(command, "--layer is needed");
    if (request->image && (!request->output || strcmp(request->output, "-") == 0))
        return misuse(command, "--image needs -o, the PNG file to write");
    return DONE;
}

/* Finds the layer and which of its outputs is meant. */
static int find_layer(field_answer *answer, const field_request *request)
{
    const rf_analysis *analysis = answer->model->analysis;
    size_t found = rf_analysis_find_layer(analysis, request->layer);
    if (found == analysis->layer_count)
        return complain_of_layer(answer->model, request->layer);
    const rf_layer_analysis *layer = &analysis->layers[found];
    answer->query.layer = found;
    for (size_t i = 0; i < layer->output_count; i++)
        if (strcmp(layer->outputs[i].name, request->layer) == 0)
            answer->query.output = i;
    if (answer->query.output >= layer->output_count)
        return complain(answer->model->path, "layer '%.80s' puts out nothing", layer->name);
    return DONE;
}

static int find_input(field_answer *answer, const field_request *request)
{
    const rf_analysis *analysis = answer->model->analysis;
    const rf_layer_analysis *layer = &analysis->layers[answer->query.layer];
    if (!request->of && layer->field_count == 0)
        return complain(answer->model->path, "layer '%.80s' sees no input of the network",
                        layer->name);
    answer->query.input = request->of ? model_find_input(answer->model, request->of)
                                      : layer->fields[0].input;
    if (answer->query.input < analysis->input_count)
        return DONE;
    return complain(answer->model->path, "the network has no input '%.80s'; its first is '%.80s'",
                    request->of, analysis->input_count ? analysis->inputs[0].name : "");
}

/* A missing --at is a wrong command line unless there is nothing to point at. */
static int check_at(const subcommand *command, const field_answer *answer)
{
    const rf_layer_analysis *layer = &answer->model->analysis->layers[answer->query.layer];
    int32_t rank = layer->outputs[answer->query.output].shape.rank;
    if (answer->query.at_count == 0 && rank > 2)
        return misuse(command, "--at is needed: the output of '%.80s' has %d spatial axes",
                      layer->name, (int)rank - 2);
    return DONE;
}

static int ask(field_answer *answer, bool map)
{
    const rf_analysis *analysis = answer->model->analysis;
    rf_error error;
    rf_status status = rf_field_at(analysis, &answer->query, &answer->result, &error);
    if (status == RF_OK && map)
        status = rf_field_map_make(analysis, &answer->query, &answer->map, &error);
    return status == RF_OK ? DONE : complain(answer->model->path, "%s", error.message);
}

static int print_answer(const field_answer *answer, const field_request *request)
{
    static int (*const printers[])(const field_answer *, output_file *) = {print_field_text,
                                                                           print_field_json};
    output_file output;
    int code = output_open(&output, request->image ? NULL : request->output);
    if (code != DONE)
        return code;
    code = printers[request->format](answer, &output);
    if (code == DONE)
        return output_finish(&output);
    output_discard(&output);
    return code;
}

static int answer_request(const subcommand *command, const field_request *request,
                          const open_model *model)
{
    field_answer answer = {.model = model,
                           .query = {.channel = request->channel, .at = request->at,
                                     .at_count = request->at_count}};
    int code = find_layer(&answer, request);
    if (code == DONE)
        code = check_at(command, &answer);
    if (code == DONE)
        code = find_input(&answer, request);
    if (code == DONE)
        code = ask(&answer, request->map);
    if (code == DONE && request->image)
        code = draw_field(&answer, request->image, request->output);
    if (code == DONE)
        code = print_answer(&answer, request);
    rf_field_map_free(answer.map);
    return code;
}

static int run(const subcommand *command, int argc, char **argv)
{
    field_request request = {.channel = -1};
    int code = read_words(command, &request, argc, argv);
    if (code == DONE && request.help) {
        code = print_help(command);
    } else if (code == DONE) {
        open_model model;
        code = model_open(&model, request.model, &request.inputs, request.allow_unknown);
        if (code == DONE)
            code = answer_request(command, &request, &model);
        model_close(&model);
    }
    free_inputs(&request.inputs);
    return code;
}

const subcommand field_command = {
    "field", "tells what one output element of a layer sees", help, run};
