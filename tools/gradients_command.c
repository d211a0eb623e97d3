/* SPDX-License-Identifier: MIT */
#include "gradients_answer.h"

#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char help[] =
    "usage: rfield gradients MODEL [options]\n"
    "       rfield gradients --perceptron DEPTH [--width W] [--activation NAME] [options]\n"
    "\n"
    "Runs a batch of random numbers forward and back, and shows layer by layer what becomes of the\n"
    "gradient, and whether it vanishes by small weights or by saturation.\n"
    "\n"
    "  -i, --input NAME=SHAPE    as for rfield analyze, but unknown first extents are --batch\n"
    "  -b, --batch N             examples; 16 by default\n"
    "      --perceptron DEPTH    instead of a model: DEPTH dense layers with an activation between them\n"
    "      --width W             features of each, 64 by default\n"
    "      --activation NAME     sigmoid (default), tanh, relu, leaky-relu, elu, selu, softplus, softsign,\n"
    "                            gelu, none\n"
    "      --init SCHEME[:A[,B]] new weights: zero, constant:VALUE, normal:[MEAN,]DEVIATION,\n"
    "                            uniform:LIMIT, uniform:LOW,HIGH, xavier-uniform, xavier-normal, he-uniform,\n"
    "                            he-normal, lecun-normal, orthogonal; without it, only weights that a\n"
    "                            model lacks are made, by he-normal\n"
    "      --gain G              factor of the last six schemes in place of their own; also for new weights\n"
    "      --loss NAME           squared (default) or cross-entropy\n"
    "      --seed N              of weights and batch; 1 by default\n"
    "  -f, --format FORMAT       text (default) or json\n"
    "  -o, --output FILE         write there, whole or not at all; a FILE.png gets the norms as bars, beside\n"
    "                            the text\n"
    "  -h, --help\n"
    "\n"
    "exit code: 0; 1 for a bad model or input; 2 for a wrong command line\n";

enum { PERCEPTRON = 256, WIDTH, ACTIVATION, INIT, GAIN, LOSS, SEED };
enum { MOST_DEPTH = 10000, MOST_WIDTH = 16384 };

static const struct option options[] = {
    {"input", required_argument, NULL, 'i'},        {"batch", required_argument, NULL, 'b'},
    {"perceptron", required_argument, NULL, PERCEPTRON}, {"width", required_argument, NULL, WIDTH},
    {"activation", required_argument, NULL, ACTIVATION}, {"init", required_argument, NULL, INIT},
    {"gain", required_argument, NULL, GAIN},        {"loss", required_argument, NULL, LOSS},
    {"seed", required_argument, NULL, SEED},        {"format", required_argument, NULL, 'f'},
    {"output", required_argument, NULL, 'o'},       {"help", no_argument, NULL, 'h'},
    {0},
};

static const char *const formats[] = {"text", "json", NULL};
static const char *const losses[] = {"squared", "cross-entropy", NULL};

/* What the command line asks for. */
typedef struct gradients_request {
    const char *model, *output;
    input_options inputs;
    perceptron_request perceptron;
    rf_initialization how;
    int64_t batch, seed;
    int format, loss;
    bool shaped, help; /* shaped: --width or --activation is given */
} gradients_request;

/* ---- Words -------------------------------------------------------------------------------- */

static int take_count(const subcommand *command, const char *option, int64_t most, int64_t *count)
{
    if (parse_integer(optarg, count) && *count >= 1 && *count <= most)
        return DONE;
    return misuse(command, "--%s: '%.80s' is not a number from 1 to %lld", option, optarg, (long long)most);
}

static int take_word(const subcommand *command, const char *option, const char *const *words, int *word)
{
    *word = find_word(words, optarg);
    if (*word >= 0)
        return DONE;
    return misuse(command, "--%s: '%.80s' is not known; the first of those that are is '%s'", option, optarg, words[0]);
}

static int take_gain(const subcommand *command, rf_initialization *how)
{
    char *end;
    how->gain = strtod(optarg, &end);
    how->all = true;
    if (end != optarg && *end == 0 && isfinite(how->gain) && how->gain > 0)
        return DONE;
    return misuse(command, "--gain: '%.80s' is not a number above 0", optarg);
}

static int take_seed(const subcommand *command, gradients_request *request)
{
    if (parse_integer(optarg, &request->seed))
        return DONE;
    return misuse(command, "--seed: '%.80s' is not a number from 0 on", optarg);
}

static int take_shape(const subcommand *command, gradients_request *request, int answer)
{
    request->shaped = true;
    if (answer == WIDTH)
        return take_count(command, "width", MOST_WIDTH, &request->perceptron.width);
    return take_word(command, "activation", gradients_activations, &request->perceptron.activation);
}

static int take_option(const subcommand *command, gradients_request *request, int answer, char **argv)
{
    switch (answer) {
    case 'i': return add_input(command, &request->inputs, optarg);
    case 'b': return take_count(command, "batch", 1000000, &request->batch);
    case PERCEPTRON: return take_count(command, "perceptron", MOST_DEPTH, &request->perceptron.depth);
    case WIDTH:
    case ACTIVATION: return take_shape(command, request, answer);
    case INIT: return take_scheme(command, optarg, &request->how);
    case GAIN: return take_gain(command, &request->how);
    case LOSS: return take_word(command, "loss", losses, &request->loss);
    case SEED: return take_seed(command, request);
    case 'f': return take_word(command, "format", formats, &request->format);
    case 'o': request->output = optarg; return DONE;
    case 'h': request->help = true; return DONE;
    default: return bad_option(command, answer, argv);
    }
}

static bool takes_gain(rf_weight_scheme scheme)
{
    return scheme >= RF_WEIGHTS_XAVIER_UNIFORM;
}

static int check_words(const subcommand *command, const gradients_request *request)
{
    if (request->shaped && !request->perceptron.depth)
        return misuse(command, "--width and --activation are for --perceptron");
    if (request->how.gain > 0 && !takes_gain(request->how.scheme))
        return misuse(command, "--gain is for the schemes of Xavier, He, LeCun and for orthogonal");
    return DONE;
}

static int read_words(const subcommand *command, gradients_request *request, int argc, char **argv)
{
    int answer;
    opterr = 0;
    while ((answer = getopt_long(argc, argv, ":i:b:f:o:h", options, NULL)) != -1) {
        int code = take_option(command, request, answer, argv);
        if (code != DONE || request->help)
            return code;
    }
    int code = DONE;
    if (!request->perceptron.depth)
        code = take_model(command, argc, argv, &request->model);
    else if (optind < argc)
        code = misuse(command, "'%.80s' is one word too many: --perceptron needs no model", argv[optind]);
    return code == DONE ? check_words(command, request) : code;
}

/* ---- The answer --------------------------------------------------------------------------- */

static bool is_picture(const char *path)
{
    size_t bytes = path ? strlen(path) : 0;
    return bytes > 4 && strcmp(path + bytes - 4, ".png") == 0;
}

static int print_answer(const gradients_answer *answer, const gradients_request *request)
{
    static int (*const printers[])(const gradients_answer *, output_file *) = {print_gradients_text,
                                                                               print_gradients_json};
    output_file output;
    bool picture = is_picture(request->output);
    int code = picture ? draw_gradients(answer, request->output) : DONE;
    if (code == DONE)
        code = output_open(&output, picture ? NULL : request->output);
    if (code != DONE)
        return code;
    code = printers[request->format](answer, &output);
    if (code == DONE)
        return output_finish(&output);
    output_discard(&output);
    return code;
}

static int answer_request(const gradients_request *request, const gradients_network *it)
{
    rf_error error;
    rf_gradient_report_options how = RF_GRADIENT_REPORT_OPTIONS_DEFAULT;
    gradients_answer answer = {.path = it->path, .loss = losses[request->loss], .seed = (uint64_t)request->seed};
    how.bindings = request->inputs.bindings;
    how.binding_count = request->inputs.count;
    how.batch = request->batch;
    how.seed = answer.seed;
    how.loss = request->loss ? RF_LOSS_CROSS_ENTROPY : RF_LOSS_SQUARED_ERROR;
    if (rf_gradient_report_make(it->network, &how, &answer.report, &error) != RF_OK)
        return complain(it->path, "%s", error.message);
    int code = print_answer(&answer, request);
    rf_gradient_report_free(answer.report);
    return code;
}

static int run(const subcommand *command, int argc, char **argv)
{
    gradients_request request = {.how = RF_INITIALIZATION_DEFAULT, .perceptron = {.width = 64}, .batch = 16, .seed = 1};
    int code = read_words(command, &request, argc, argv);
    if (code == DONE && request.help) {
        code = print_help(command);
    } else if (code == DONE) {
        gradients_network network;
        request.how.seed = (uint64_t)request.seed;
        code = gradients_network_open(&network, request.model, &request.perceptron, &request.inputs, &request.how);
        if (code == DONE)
            code = answer_request(&request, &network);
        gradients_network_close(&network);
    }
    free_inputs(&request.inputs);
    return code;
}

const subcommand gradients_command = {"gradients", "shows whether gradients vanish in a network, and why", help, run};
