"""The only module that tells TensorFlow from JAX: gradients, compilation, training epochs.

Everything else is written with `keras.ops`. The backend is Keras' own choice
(`KERAS_BACKEND`, TensorFlow unless told otherwise).
"""

import contextlib
import functools
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

SUPPORTED = ("tensorflow", "jax")


def name() -> str:
    """The Keras backend in use.

    Raises:
        RuntimeError: for a backend other than TensorFlow and JAX.
    """
    backend = keras.backend.backend()
    if backend not in SUPPORTED:
        raise RuntimeError(
            f"robustnets runs on the tensorflow and jax backends of Keras, got {backend!r}; "
            "set KERAS_BACKEND=tensorflow"
        )
    return backend


def value_and_grad(function: Callable[[Any], Any], aux: bool = False) -> Callable[[Any], Any]:
    """Differentiate the sum of per-example values with respect to the input.

    Args:
        function: tensor (N, ...) -> tensor (N,), row i depending on input row i only; with
            `aux`, -> (tensor (N,), anything else made of tensors).
        aux: whether the function returns something besides the values.

    Returns:
        A function of the same input giving what `function` gives and the gradient (N, ...).
    """
    return (_jax_gradient if name() == "jax" else _tensorflow_gradient)(function, aux)


def _jax_gradient(function, aux):
    import jax

    def both(x):
        def total(z):
            found = function(z)
            return keras.ops.sum(found[0] if aux else found), found

        gradient, found = jax.grad(total, has_aux=True)(x)
        return found, gradient

    return both


def _tensorflow_gradient(function, aux):
    import tensorflow as tf

    def both(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            found = function(x)
        gradient = tape.gradient(found[0] if aux else found, x)
        # None means that nothing depends on x: the gradient is zero, as JAX has it
        return found, tf.zeros_like(x) if gradient is None else gradient

    return both


def pullback(function: Callable[[Any], Any], x: Any) -> tuple[Any, Callable[[Any], Any]]:
    """Run a function once and differentiate it as often as wanted.

    Args:
        function: tensor (N, ...) -> tensor (N, K), row i depending on input row i only.
        x: float32 (N, ...).

    Returns:
        The values (N, K), and a function of weights (N, K) giving the gradient (N, ...) of
        the sum of weights * values: one backward pass and no forward pass a call. It may be
        called inside loops of `keras.ops`.
    """
    if name() == "jax":
        import jax

        values, pull = jax.vjp(function, x)
        return values, lambda weights: pull(weights)[0]
    import tensorflow as tf

    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        values = function(x)

    def gradient(weights):
        found = tape.gradient(values, x, output_gradients=weights)
        return tf.zeros_like(x) if found is None else found

    return values, gradient


def compiled(
    function: Callable[..., Any], xla: bool = False, any_batch: bool = False
) -> Callable[..., Any]:
    """Compile a function of tensors; each new input shape compiles once more.

    What it writes to Keras variables that hold integers, such as the state of a random generator,
    is written at each call, as often as it is written in its loops: a model that draws at random
    draws anew in every pass on either backend.

    Args:
        function: tensors in, tensors out; Python side effects run only while tracing.
        xla: on TensorFlow, compile with XLA instead of a plain graph. JAX always uses XLA.
        any_batch: whether a plain graph serves leading axes of every length, all other lengths
            and the structure of the arguments being those of the first call. What is `fused`
            in it compiles for each length all the same, and so does all that XLA compiles.
    """
    if name() == "jax":
        return _jax_compiled(function)
    import tensorflow as tf

    if any_batch and not xla:
        return _graph_for_any_batch(function)
    return tf.function(function, jit_compile=xla, autograph=False, reduce_retracing=False)


class _Written(Exception):
    """Variables that a function writes, and that its compiled form does not hand on yet."""


class _HandedOn(keras.StatelessScope):
    """Where Keras variables are read and written while a function is traced.

    Args:
        values: (variable, value) for those that are read from somewhere else.
        references: (variable, reference that JAX can write to) for those that are handed on, in
            loops, branches and below gradients too.

    Attributes:
        written: other variables of integers that were written; they stay as they were.
    """

    def __init__(self, values: Any = (), references: Any = ()):
        super().__init__(list(values))
        self.references = {id(variable): reference for variable, reference in references}
        self.written: list[keras.Variable] = []

    def add_update(self, update: tuple[keras.Variable, Any]) -> None:
        variable, value = update
        reference = self.references.get(id(variable))
        if reference is not None:
            reference[...] = value
        # batch statistics are not handed on: attacks leave a model as it is
        elif not keras.backend.is_float_dtype(variable.dtype) and not any(
            variable is other for other in self.written
        ):
            self.written.append(variable)

    def get_current_value(self, variable: keras.Variable) -> Any:
        reference = self.references.get(id(variable))
        return super().get_current_value(variable) if reference is None else reference[...]


class _Refused(keras.StatelessScope):
    """On JAX, no integers are written to variables, but where a scope around it takes them."""

    def add_update(self, update: tuple[keras.Variable, Any]) -> None:
        if self.original_scope is not None:
            self.original_scope.add_update(update)
        elif not keras.backend.is_float_dtype(update[0].dtype):
            raise ValueError(
                f"{update[0].path} changes when the model predicts, as where it draws at random, "
                "and JAX would freeze it here: call the model within what Classifier.compiled "
                "compiles, such as by engines.run, or set KERAS_BACKEND=tensorflow"
            )

    def get_current_value(self, variable: keras.Variable) -> Any:
        outer = self.original_scope
        return None if outer is None else outer.get_current_value(variable)


def never_frozen(x: Any) -> contextlib.AbstractContextManager[Any]:
    """Raise ValueError for a model that draws at random where JAX would freeze its draws.

    That is where x, its input, is being traced by something else than `compiled`. On TensorFlow
    draws are never frozen.
    """
    if name() == "jax":
        import jax

        if isinstance(x, jax.core.Tracer):
            return _Refused()
    return contextlib.nullcontext()


def _references(variables, values):
    """Pairs of a variable and a reference that holds its value while JAX traces."""
    import jax

    if variables and not hasattr(jax, "new_ref"):
        raise ValueError(
            f"{variables[0].path} changes when the model predicts, as where it draws at random, "
            f"which JAX {jax.__version__} would freeze: install a JAX that has jax.new_ref, or set "
            "KERAS_BACKEND=tensorflow"
        )
    return [(variable, jax.new_ref(value)) for variable, value in zip(variables, values)]


def _jax_compiled(function, read=()):
    """Compile for JAX; `read` are variables whose values may change between calls."""
    import jax

    handed_on: list[keras.Variable] = []

    @jax.jit
    def run(values, states, arguments):
        references = _references(handed_on, states)
        with _HandedOn(zip(read, values), references) as scope:
            found = function(*arguments)
        if scope.written:
            raise _Written(scope.written)
        return found, [reference[...] for _, reference in references]

    def call(*arguments):
        while True:
            values, states = ([v.value for v in group] for group in (read, handed_on))
            try:
                found, states = run(values, states, arguments)
            except _Written as more:
                handed_on.extend(more.args[0])  # known now: it is traced again
                continue
            for variable, state in zip(handed_on, states):
                variable.assign(state)
            return found

    return call


def states_and_chance(
    function: Callable[[Any], Any], x: Any, differ: Callable[[Any, Any], bool]
) -> tuple[list[keras.Variable], str]:
    """How the passes of a function from one state differ; no variable changes.

    Args:
        function: tensor -> tensor.
        x: its input.
        differ: whether two of its results, NumPy arrays, are not the same.

    Returns:
        The variables of integers that a pass writes, such as the states of random generators.
        "none" where passes from one state agree, "fresh" where they differ when compiled, too,
        and "frozen" where only what is traced anew differs, as by NumPy's random numbers.
    """

    written: list[keras.Variable] = []

    def alone(x):
        with _HandedOn() as scope:
            found = function(x)
        written[:] = scope.written
        return found

    jax_text = ""
    if name() == "jax":
        same, jax_text = _same_programs(alone, x)
    else:
        same = not differ(*(keras.ops.convert_to_numpy(alone(x)) for _ in range(2)))
    states = list(written)
    if same:
        return states, "none"

    def compile_alone():
        run = compiled(lambda x: alone(x))  # a new function each time, or JAX remembers
        return lambda: keras.ops.convert_to_numpy(run(x))

    once, anew = compile_alone(), compile_alone()
    if differ(once(), once()):
        # JAX may call what is said to be pure once where a loop asks for it many times
        return states, "frozen" if "pure_callback" in jax_text else "fresh"
    return states, "frozen" if differ(once(), anew()) else "none"


def _same_programs(function, x):
    """Whether JAX certainly sees the same in two passes, and what it sees, in its words."""
    import jax

    one, two = (jax.make_jaxpr(lambda x: function(x))(x) for _ in range(2))
    text, other = (re.sub("0x[0-9a-f]+", "", str(program)) for program in (one, two))
    same = all(a is b or np.array_equal(a, b) for a, b in zip(one.consts, two.consts))
    return text == other and "callback" not in text and same, text


def _graph_for_any_batch(function):
    import tensorflow as tf

    def open_axis(tensor):
        return tf.TensorSpec((None, *tensor.shape[1:]), tensor.dtype)

    graph = None

    def run(*arguments):
        nonlocal graph
        if graph is None:
            signature = tf.nest.map_structure(open_axis, arguments)
            graph = tf.function(function, input_signature=signature, autograph=False)
        return graph(*arguments)

    return run


def fused(function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a chain of elementwise operations into one pass over memory.

    For a piece of a larger compiled function that would otherwise write every intermediate
    result out: on TensorFlow that piece alone becomes an XLA cluster of the graph. Nothing
    changes on JAX, where XLA fuses by itself, or in eager calls.
    """
    if name() == "jax":
        return function
    import tensorflow as tf

    cluster = tf.function(function, jit_compile=True, autograph=False)
    return lambda *arguments: (function if tf.executing_eagerly() else cluster)(*arguments)


def choose_rows(chosen: Any, new: Any, old: Any) -> Any:
    """Whole rows of one tensor or of another, as `keras.ops.where` with a column of conditions.

    TensorFlow broadcasts such a column value by value, which takes five times as long as copying
    the rows does.

    Args:
        chosen: bool (N,).
        new: (N, ...), taken where `chosen`.
        old: the same shape and dtype, taken elsewhere.
    """
    if name() == "jax":
        column = keras.ops.reshape(chosen, (-1, *[1] * (len(new.shape) - 1)))
        return keras.ops.where(column, new, old)
    import tensorflow as tf

    return tf.raw_ops.Select(condition=chosen, x=new, y=old)


def compiled_with_weights(
    model: keras.Model, function: Callable[..., Any], xla: bool = False
) -> Callable[..., Any]:
    """Compile a function that reads the model's variables as they stand at each call.

    Args:
        model: whose variables may change between calls.
        function: tensors in, tensors out, using the model in inference mode.
        xla: as for `compiled`.
    """
    if name() == "tensorflow":
        return compiled(function, xla)  # variables are references there
    return _jax_compiled(function, model.variables)


def epoch_function(
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    loss: Callable[[Any, Any], Any],
    xla: bool,
    perturb: Callable[..., Any] | None = None,
    devices: int = 1,
) -> Callable[..., float]:
    """Compile a whole training epoch over in-memory data into one call.

    Args:
        model: built; its variables are updated in place by each call.
        optimizer: built on the model's trainable variables; updated in place too.
        loss: (labels (B,), logits (B, K)) -> scalar.
        xla: compile with XLA (always so on JAX).
        perturb: what each step trains on instead: (x (B, ...), y (B,), *columns (B,)) ->
            (B, ...), using the model in inference mode with the weights as they stand; no
            gradient flows through it.
        devices: that share each batch, whose size they divide; see `data_parallel`.

    Returns:
        A function of x (N, ...), y (N,), both on the device, batches, int32
        (steps, batch size) of row numbers, and as many columns (steps, batch size) as
        `perturb` takes, giving the mean loss over the steps.
    """
    if devices > 1:
        data_parallel(devices)  # refuses TensorFlow
    if name() == "jax":
        return _jax_epoch(model, optimizer, loss, perturb, devices)
    return _tensorflow_epoch(model, optimizer, loss, xla, perturb)


def data_parallel(devices: int) -> keras.distribution.DataParallel:
    """The first devices that JAX finds, each with the whole model and a share of every batch.

    Raises:
        ValueError: on another backend than JAX, or for more devices than there are.
    """
    if name() != "jax":
        raise ValueError(
            "training over several devices goes by keras.distribution on JAX; set KERAS_BACKEND=jax"
        )
    known = keras.distribution.list_devices()
    if (
        isinstance(devices, bool)
        or not isinstance(devices, int)
        or devices not in range(1, len(known) + 1)
    ):
        raise ValueError(
            f"devices must lie in 1..{len(known)}, those that JAX finds, got {devices!r}"
        )
    return keras.distribution.DataParallel(devices=known[:devices])


def on_all(tensor: Any, devices: int) -> Any:
    """A tensor with a copy on each of the first devices; as it is for one device."""
    if devices == 1:
        return tensor
    mesh = data_parallel(devices).device_mesh
    layout = keras.distribution.TensorLayout([None] * len(tensor.shape), mesh)
    return keras.distribution.distribute_tensor(tensor, layout)


def _tensorflow_epoch(model, optimizer, loss, xla, perturb):
    import tensorflow as tf

    @functools.partial(tf.function, jit_compile=xla, autograph=False)
    def run(x, y, batches, *columns):
        def step(i, total):
            inputs, labels = tf.gather(x, batches[i]), tf.gather(y, batches[i])
            if perturb is not None:
                inputs = perturb(inputs, labels, *(column[i] for column in columns))
            with tf.GradientTape() as tape:
                value = loss(labels, model(inputs, training=True)) + sum(model.losses)
            optimizer.apply(tape.gradient(value, model.trainable_variables))
            return i + 1, total + value

        steps = tf.shape(batches)[0] if batches.shape[0] is None else batches.shape[0]
        _, total = tf.while_loop(
            lambda i, _: i < steps, step, (tf.constant(0), tf.constant(0.0)), parallel_iterations=1
        )
        return total / tf.cast(steps, tf.float32)

    return lambda x, y, batches, *columns: float(
        run(x, y, tf.constant(batches, tf.int32), *map(tf.constant, columns))
    )


def _jax_epoch(model, optimizer, loss, perturb, devices):
    import jax

    def shared_out(rows):
        if devices == 1:
            return rows
        layout = data_parallel(devices).get_data_layout(rows.shape)
        return keras.distribution.distribute_tensor(rows, layout)

    @functools.partial(jax.jit, donate_argnums=(0, 1, 2))
    def run(trainable, fixed, slots, x, y, batches, *columns):
        def objective(trainable, fixed, inputs, labels):
            logits, fixed, losses = model.stateless_call(
                trainable, fixed, inputs, training=True, return_losses=True
            )
            return loss(labels, logits) + sum(losses), fixed

        def perturbed(trainable, fixed, inputs, labels, own):
            both = list(zip(model.non_trainable_variables, fixed))
            able = hasattr(jax, "new_ref")
            moving = [p for p in both if able and not keras.backend.is_float_dtype(p[0].dtype)]
            references = _references(*zip(*moving)) if moving else []
            values = [*zip(model.trainable_variables, trainable), *both]
            with _HandedOn(values, references) as scope:
                inputs = perturb(inputs, labels, *own)
                _references(scope.written, ())  # refuses what is not handed on
                return inputs, [variable.value for variable, _ in both]

        def step(state, numbers):
            trainable, fixed, slots, total = state
            rows, *own = numbers
            inputs, labels = shared_out(x[rows]), shared_out(y[rows])
            if perturb is not None:
                inputs, fixed = perturbed(trainable, fixed, inputs, labels, own)
            (value, fixed), gradients = jax.value_and_grad(objective, has_aux=True)(
                trainable, fixed, inputs, labels
            )
            trainable, slots = optimizer.stateless_apply(slots, gradients, trainable)
            return (trainable, fixed, slots, total + value), None

        (trainable, fixed, slots, total), _ = jax.lax.scan(
            step, (trainable, fixed, slots, 0.0), (batches, *columns)
        )
        return trainable, fixed, slots, total / len(batches)

    def epoch(x, y, batches, *columns):
        groups = (model.trainable_variables, model.non_trainable_variables, optimizer.variables)
        state = [[on_all(v.value, devices) for v in group] for group in groups]
        *state, mean = run(*state, x, y, jax.numpy.asarray(batches, "int32"), *columns)
        for group, values in zip(groups, state):
            for variable, value in zip(group, values):
                variable.assign(value)
        return float(mean)

    return epoch


@contextlib.contextmanager
def double_precision() -> Iterator[None]:
    """Keep float64 as it is, which JAX otherwise rounds to float32."""
    if name() == "jax":
        import jax.experimental

        # it moved between releases
        home: Any = jax if hasattr(jax, "enable_x64") else jax.experimental
        with home.enable_x64(True):
            yield
    else:
        yield


def on_accelerator() -> bool:
    """Whether computations run on something other than the CPU."""
    if name() == "jax":
        import jax

        return jax.default_backend() != "cpu"
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))


def is_out_of_memory(error: BaseException) -> bool:
    """Whether this is the backend's, or Python's, way to say that memory ran out."""
    if isinstance(error, MemoryError):
        return True
    kind = type(error).__name__
    return kind == "ResourceExhaustedError" or "RESOURCE_EXHAUSTED" in str(error)


def refuses_xla(error: BaseException) -> bool:
    """Whether TensorFlow's XLA has no code for an operation that a plain graph can run."""
    said = str(error)
    return name() == "tensorflow" and "XLA" in said and "unsupported operations" in said


def is_untraceable(error: BaseException) -> bool:
    """Whether a function failed because it looks at values that a compiled one has not got."""
    if name() == "jax":
        import jax

        # Keras raises these anew with its own text, which their constructors do not take
        lost = isinstance(error, AttributeError) and "_error_repr" in str(error)
        return lost or isinstance(error, jax.errors.JAXTypeError)
    import tensorflow as tf

    symbolic = "symbolic" in str(error) or "KerasTensor" in str(error)
    return symbolic or isinstance(error, tf.errors.OperatorNotAllowedInGraphError)


def use_threads(count: int) -> None:
    """Limit TensorFlow's thread pools; call before any tensor is made.

    On JAX the pool's size cannot be set from inside the process, so nothing is done.
    """
    if name() == "tensorflow":
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(count)
        tf.config.threading.set_inter_op_parallelism_threads(count)


def threads() -> int | None:
    """TensorFlow threads that share an operation, 0 for one on each core; None on JAX."""
    if name() == "jax":
        return None
    import tensorflow as tf

    return tf.config.threading.get_intra_op_parallelism_threads()


def silence() -> None:
    """Drop TensorFlow's warnings, such as that many functions are compiled: one per model is."""
    if name() == "tensorflow":
        import tensorflow as tf

        tf.get_logger().setLevel("ERROR")


def describe() -> dict[str, str]:
    """Versions of Keras and the backend, and the kind of device they run on."""
    if name() == "jax":
        import jax

        version, device = jax.__version__, jax.devices()[0].device_kind
    else:
        import tensorflow as tf

        gpus = tf.config.list_physical_devices("GPU")
        version = tf.__version__
        device = (
            tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU")
            if gpus
            else "cpu"
        )
    return {"backend": name(), name(): version, "keras": keras.__version__, "device": device}


@dataclass(frozen=True, slots=True)
class Operation:
    """A node of a TensorFlow graph: its first output's rank, or None, and who feeds it."""

    name: str
    kind: str
    inputs: tuple[str, ...]
    rank: int | None


class Signature:
    """A function of a TensorFlow SavedModel; its variables stay as they were saved.

    Attributes:
        inputs, outputs: their names.
        shape: of the first input, or None where it is not known.
        input_dtype: of the first input.
    """

    def __init__(self, loaded: Any, function: Any):
        takes = function.structured_input_signature[1]
        self.inputs, self.outputs = tuple(takes), tuple(function.structured_outputs)
        first = next(iter(takes.values()), None)
        self.shape: tuple[int | None, ...] | None = None
        self.input_dtype = "float32"
        if first is not None:
            self.input_dtype = first.dtype.name
            self.shape = None if first.shape.rank is None else tuple(first.shape)
        self._loaded = loaded  # variables live as long as this does
        self._function = function

    def call(self, x: Any) -> Any:
        """Tensor (N, ...) -> the first output, a tensor; differentiable."""
        return self._function(**{self.inputs[0]: x})[self.outputs[0]]

    @functools.cached_property
    def _frozen(self) -> Any:
        from tensorflow.python.framework import convert_to_constants

        freeze = convert_to_constants.convert_variables_to_constants_v2
        return freeze(self._function, lower_control_flow=False)

    @functools.cached_property
    def operations(self) -> tuple[Operation, ...]:
        """All nodes of the graph, functions inlined; none where that cannot be done."""
        try:
            nodes = self._frozen.graph.get_operations()
        except Exception:  # more than two gigabytes, or nodes that TensorFlow does not inline
            return ()
        return tuple(
            Operation(
                node.name,
                node.type,
                tuple(tensor.op.name for tensor in node.inputs),
                node.outputs[0].shape.rank if node.outputs else None,
            )
            for node in nodes
        )

    @property
    def output(self) -> str:
        """Name of the node that gives the first output."""
        return self._frozen.outputs[0].op.name

    def until(self, end: str) -> Callable[[Any], Any]:
        """A function of the same input that gives the output of a node."""
        import tensorflow as tf

        graph = self._frozen.graph.as_graph_def()
        whole = tf.compat.v1.wrap_function(lambda: tf.import_graph_def(graph, name=""), [])
        return whole.prune(self._frozen.inputs[0].name, f"{end}:0")


def saved_signatures(folder: Path) -> dict[str, Signature]:
    """The signatures of a TensorFlow SavedModel, by name.

    Raises:
        RuntimeError: on another backend than TensorFlow.
        Exception: whatever TensorFlow raises for a folder that it cannot read.
    """
    if name() != "tensorflow":
        raise RuntimeError(
            f"a SavedModel is read on the tensorflow backend of Keras, got {name()!r}; set "
            "KERAS_BACKEND=tensorflow"
        )
    import tensorflow as tf

    loaded = tf.saved_model.load(str(folder))
    return {key: Signature(loaded, function) for key, function in loaded.signatures.items()}
