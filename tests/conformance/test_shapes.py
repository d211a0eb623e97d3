#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""Shapes against ONNX's own conformance models (Debian's libonnx-testdata).

    test_shapes.py RFIELD OPERATORS_DEF [DATA_DIR]

`rfield analyze` must give every layer's output the shape that ONNX's shape inference gives it, where
that knows one, and every network output the shape of the output that comes with the model. Where a
shape depends on the elements of an input (a Reshape's target, say), rfield must say so; the inputs
that come with the model are then made constants, and the result must be right. Models with operators
that rfield has no row for must be refused in one line. Exits with 77 where Python's onnx or the
models are missing.
"""
import collections
import concurrent.futures
import json
import os
import re
import subprocess
import sys
import tempfile

SKIP = 77
DATA = '/usr/share/libonnx-testdata/data'
FOLDERS = ('node', 'pytorch-converted', 'pytorch-operator', 'simple')
OLDEST_OPSET = 6
TIMEOUT_S = 60

# What rfield says where a shape needs elements that only a run would know.
AT_RUN_TIME = re.compile(r"tensor '([^']*)'.* are known only when running$")

try:
    import onnx
    from onnx import shape_inference
except ImportError:
    print('SKIP: python3-onnx is not installed')
    sys.exit(SKIP)


class Failure(Exception):
    """What is wrong with one model."""


Run = collections.namedtuple('Run', 'code out error')
Compared = collections.namedtuple('Compared', 'by_onnx by_test')
Result = collections.namedtuple('Result', 'name group outcome message compared')


def read_operators(path):
    with open(path, encoding='ascii') as file:
        return set(re.findall(r'^RF_OP\((\w+)\)', file.read(), re.MULTILINE))


def analyze(rfield, path, options=()):
    """Runs rfield and checks what holds for every run, good or bad."""
    command = [rfield, 'analyze', path, '--format', 'json', *options]
    try:
        done = subprocess.run(command, capture_output=True, timeout=TIMEOUT_S, check=False)
    except subprocess.TimeoutExpired:
        raise Failure(f'no answer within {TIMEOUT_S} s') from None
    error = done.stderr.decode('utf-8')
    if done.returncode not in (0, 1):
        raise Failure(f'exit code {done.returncode}: {error}')
    if done.returncode == 0 and error:
        raise Failure(f'it succeeded, but wrote: {error}')
    if done.returncode == 1:
        if done.stdout:
            raise Failure('it failed, but wrote to standard output')
        if not re.fullmatch(re.escape(path) + r': [^\n]+\n', error):
            raise Failure(f'not a one-line error that starts with the file: {error!r}')
    return Run(done.returncode, done.stdout, error.rstrip('\n').removeprefix(path + ': '))


def dims_of(value_info):
    """Dimensions, None for each unknown one; None where there is no shape."""
    kind = value_info.type
    if kind.WhichOneof('value') != 'tensor_type' or not kind.tensor_type.HasField('shape'):
        return None
    return [d.dim_value if d.HasField('dim_value') else None for d in kind.tensor_type.shape.dim]


def fits(shape, known):
    return len(shape) == len(known) and all(k is None or k == s for s, k in zip(shape, known))


# Their outputs' extents depend on elements; what is said of them is the most they can be.
RAGGED = {'Compress', 'NonMaxSuppression', 'NonZero', 'Unique'}


def holds(shape, known):
    return len(shape) == len(known) and all(k is None or k <= s for s, k in zip(shape, known))


def read_tensors(folder, kind):
    """The test's tensors by position; None for what is not a tensor."""
    tensors = []
    while os.path.exists(path := os.path.join(folder, 'test_data_set_0', f'{kind}_{len(tensors)}.pb')):
        with open(path, 'rb') as file:
            tensor = onnx.TensorProto()
            try:
                tensor.ParseFromString(file.read())
            except Exception:  # protobuf's error has another name in each version
                tensor = None
        tensors.append(tensor)
    return tensors


class Model:
    """One folder of the suite."""

    def __init__(self, folder):
        self.folder = folder
        self.name = os.path.join(os.path.basename(os.path.dirname(folder)), os.path.basename(folder))
        self.path = os.path.join(folder, 'model.onnx')
        self.proto = onnx.load(self.path)
        constants = {c.name for c in self.proto.graph.initializer}
        inputs = [i for i in self.proto.graph.input if i.name not in constants]
        self.inputs = dict(zip((i.name for i in inputs), read_tensors(folder, 'input')))

    def lacking(self, operators):
        """What rfield does not claim to know of it, '' for nothing."""
        if any(n.op_type not in operators or n.domain not in ('', 'ai.onnx') for n in self.proto.graph.node):
            return 'operator'
        if any(i.type.WhichOneof('value') != 'tensor_type' for i in self.proto.graph.input):
            return 'type'
        versions = [o.version for o in self.proto.opset_import if o.domain in ('', 'ai.onnx')]
        return '' if versions and versions[0] >= OLDEST_OPSET else 'operator set'

    def group(self):
        types = {n.op_type for n in self.proto.graph.node}
        return types.pop() if len(types) == 1 else 'several together'

    def bind(self):
        """Gives inputs of unknown extent that of the test's input; returns rfield's options."""
        options = []
        for value in self.proto.graph.input:
            tensor = self.inputs.get(value.name)
            dims = dims_of(value)
            if tensor is None or dims is None or None not in dims:
                continue
            for dim, extent in zip(value.type.tensor_type.shape.dim, tensor.dims):
                dim.dim_value = extent
            options += ['--input', value.name + '=' + 'x'.join(map(str, tensor.dims))]
        return options

    def freeze(self, name):
        """Makes an input a constant; all inputs where `name` is computed from them. False if none is left."""
        graph = self.proto.graph
        names = [name] if name in self.inputs else list(self.inputs)
        for frozen in names:
            tensor = self.inputs.pop(frozen)
            if tensor is None:
                return False
            tensor.name = frozen
            graph.initializer.append(tensor)
            kept = [i for i in graph.input if i.name != frozen]
            del graph.input[:]
            graph.input.extend(kept)
        return bool(names)


def check_layers(report, model):
    """Against ONNX's shape inference; returns how many shapes were compared."""
    try:
        graph = shape_inference.infer_shapes(model.proto, data_prop=True).graph
    except Exception:  # what ONNX itself cannot infer is no witness
        return 0
    compared = 0
    known = {v.name: dims_of(v) for v in list(graph.value_info) + list(graph.output)}
    for layer in report['layers']:
        for output in layer.get('outputs', [layer['output']]):
            expected = known.get(output['name'])
            compared += expected is not None
            judge = holds if layer['operator'] in RAGGED else fits
            if expected is not None and not judge(output['shape'], expected):
                raise Failure(f"{output['name']} of {layer['operator']} has shape {output['shape']}, "
                              f'but {expected} by ONNX')
    return compared


def check_outputs(report, model):
    """Against the outputs that come with the model; returns how many shapes were compared."""
    compared = 0
    outputs = report['network']['outputs']
    if [o['name'] for o in outputs] != [o.name for o in model.proto.graph.output]:
        raise Failure(f'the outputs are {[o["name"] for o in outputs]}')
    for output, tensor in zip(outputs, read_tensors(model.folder, 'output')):
        compared += tensor is not None
        ragged = RAGGED & {node.op_type for node in model.proto.graph.node}
        judge = holds if ragged else fits
        if tensor is not None and not judge(output['shape'], list(tensor.dims)):
            raise Failure(f"output {output['name']} has shape {output['shape']}, "
                          f'but {list(tensor.dims)} in the test')
    return compared


def check_report(run, model):
    report = json.loads(run.out)
    return Compared(check_layers(report, model), check_outputs(report, model))


def check_supported(rfield, model):
    """Returns whether inputs had to be made constants, and how many shapes were compared."""
    run = analyze(rfield, model.path, model.bind())
    frozen = False
    while run.code == 1:
        wanted = AT_RUN_TIME.search(run.error)
        if not wanted or not model.freeze(wanted.group(1)):
            raise Failure(run.error)
        frozen = True
        with tempfile.NamedTemporaryFile(suffix='.onnx') as file:
            file.write(model.proto.SerializeToString())
            file.flush()
            run = analyze(rfield, file.name)
    return frozen, check_report(run, model)


def check_refused(rfield, model):
    if analyze(rfield, model.path).code != 1:
        raise Failure('it is accepted, although an operator, type or operator set is not supported')
    run = analyze(rfield, model.path, ['--allow-unknown'])
    return check_report(run, model) if run.code == 0 else Compared(0, 0)


def check(rfield, operators, folder):
    model = Model(folder)
    lacking = model.lacking(operators)
    group = f'(unsupported {lacking})' if lacking else model.group()
    try:
        if lacking:
            return Result(model.name, group, 'refused', '', check_refused(rfield, model))
        frozen, compared = check_supported(rfield, model)
        return Result(model.name, group, 'bound' if frozen else 'static', '', compared)
    except Failure as failure:
        return Result(model.name, group, 'failed', str(failure), Compared(0, 0))


def find_models(data):
    for folder in FOLDERS:
        root = os.path.join(data, folder)
        for name in sorted(os.listdir(root)) if os.path.isdir(root) else ():
            if os.path.exists(os.path.join(root, name, 'model.onnx')):
                yield os.path.join(root, name)


def print_table(results):
    columns = ('static', 'bound', 'refused', 'failed')
    table = collections.defaultdict(collections.Counter)
    for result in results:
        table[result.group][result.outcome] += 1
    print(f"{'operator':28}" + ''.join(f'{c:>9}' for c in columns))
    for group in sorted(table):
        print(f'{group:28}' + ''.join(f'{table[group][c] or "":>9}' for c in columns).rstrip())
    print('static: shapes right as they are; bound: right once inputs that decide shapes are constants;')
    print('refused: not supported, and said so in one line')


def print_summary(results):
    outcomes = collections.Counter(r.outcome for r in results)
    print(f'{sum(r.compared.by_onnx for r in results)} shapes compared with shape inference, '
          f'{sum(r.compared.by_test for r in results)} with tested outputs')
    for result in results:
        if result.outcome == 'failed':
            print(f'FAILED {result.name}: {result.message}')
    print(f"{outcomes['static'] + outcomes['bound']} passed, {outcomes['failed']} failed, "
          f"{outcomes['refused']} skipped (refused in one line, as they must be)")


def main(arguments):
    if len(arguments) not in (3, 4):
        print(f'usage: {arguments[0]} RFIELD OPERATORS_DEF [DATA_DIR]', file=sys.stderr)
        return 2
    rfield, operators = arguments[1], read_operators(arguments[2])
    folders = list(find_models(arguments[3] if len(arguments) == 4 else DATA))
    if not folders:
        print('SKIP: libonnx-testdata is not installed')
        return SKIP
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        results = list(pool.map(lambda folder: check(rfield, operators, folder), folders))
    print_table(results)
    print_summary(results)
    return 1 if any(r.outcome == 'failed' for r in results) else 0


if __name__ == '__main__':
    sys.exit(main(sys.argv))
