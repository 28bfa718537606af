"""Threads, garbage, leaks and the end of the interpreter."""

import gc
import resource
import sys
import threading
import weakref

import pytest
import wasmrt
from conftest import collect
from wasmrt import Config, Engine, Func, FuncType, Global, Instance, Linker, Memory, MemoryType, Module, Store, Table, TableType

TEXT = """(module (import "h" "f" (func $f (param externref) (result externref))) (memory (export "memory") 1)
  (func (export "run") (param externref) (result externref) local.get 0 call $f)
  (func (export "forever") (loop br 0)) (func (export "trap") unreachable)
  (table (export "t") 4 externref) (func (export "short")))"""


class Thing:
    pass


def test_two_threads(store):
    """The second thread gets a clear error, whatever it uses."""
    inside, leave = threading.Event(), threading.Event()

    def wait(x):
        inside.set()
        leave.wait(60)
        return x

    exports = Instance(store, Module(store, TEXT), [wait]).exports
    linker = Linker(store)
    memory, function, table = exports.memory, exports.run, exports.t
    thread = threading.Thread(target=function, args=(None,))
    thread.start()
    inside.wait(60)
    uses = (
        lambda: function(None),
        lambda: memory[0],
        lambda: len(memory),
        lambda: memoryview(memory),
        lambda: table[0],
        lambda: store.gc(),
        lambda: exports.trap,
        lambda: linker.get("a", "b"),
        lambda: Global(store, "i32", 1),
        lambda: Func(store, print, FuncType()),
        lambda: Instance(store, Module(store.engine, "(module)")),
        lambda: store.close(),
        lambda: function.close(),
    )
    try:
        for use in uses:
            with pytest.raises(wasmrt.ThreadError, match="one thread at a time"):
                use()
        del uses, use, linker  # a linker waits for the thread that uses the store
    finally:
        leave.set()
        thread.join()
    assert exports.run(5) == 5


def test_threads_in_turn(store):
    exports = Instance(store, Module(store, TEXT), [lambda x: x]).exports
    answers = []
    for number in range(5):
        thread = threading.Thread(target=lambda: answers.append(exports.run(number)))
        thread.start()
        thread.join()
    assert answers == list(range(5))


def test_threads_with_stores_of_their_own(engine):
    module = Module(engine, TEXT)
    answers = []

    def work(number):
        for _ in range(50):
            with Store(engine) as store:
                exports = Instance(store, module, [lambda x: x]).exports
                answers.append(exports.run(number) == number)
                with pytest.raises(wasmrt.Trap):
                    exports.trap()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == [True] * 300


def test_host_functions_and_stores_are_garbage_together():
    """A host function that refers to its store, and an object in a guest's table that does."""
    store = Store()
    thing = Thing()

    def f(x):
        return (store, exports, thing)

    exports = Instance(store, Module(store, TEXT), [f]).exports
    exports.run(thing)
    exports.t[0] = [store, thing]
    thing.exports = exports
    gone = weakref.ref(thing)
    del store, exports, f, thing
    collect()
    assert gone() is None


def test_close_releases():
    store = Store()
    thing = Thing()
    gone = weakref.ref(thing)
    exports = Instance(store, Module(store, TEXT), [lambda x, thing=thing: x]).exports
    exports.t[0] = thing
    function = Func(store, thing.__init__, FuncType())
    del thing
    store.close()
    assert gone() is None
    with pytest.raises(wasmrt.ClosedError):
        function()


def test_finalizers_may_use_everything(store):
    """An object whose __del__ calls into the store that frees it."""
    seen = []

    class Calls:
        def __del__(self):
            try:
                exports.short()
                seen.append("called")
            except wasmrt.ClosedError:
                seen.append("closed")

    exports = Instance(store, Module(store, TEXT), [lambda x: x]).exports
    exports.run(Calls())
    exports.t[0] = Calls()
    exports.t[0] = None
    store.gc()
    store.close()
    collect()
    assert len(seen) == 2 and set(seen) <= {"called", "closed"}


def test_exceptions_do_not_stay(store):
    exports = Instance(store, Module(store, TEXT), [lambda x: exec("raise KeyError")]).exports
    error = None
    try:
        exports.run(None)
    except KeyError as caught:
        error = caught
    assert sys.getrefcount(error) <= 3


def memory_in_use():
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 1e6


COUNT = 100_000


def leaks(make, count=COUNT):
    """How many MB the process has grown while many objects were made and dropped, after some before."""
    for _ in range(count // 10):
        make()
    collect()
    before = memory_in_use()
    for _ in range(count):
        make()
    collect()
    return memory_in_use() - before


def test_engines_do_not_leak():
    module = "(module)"
    assert leaks(lambda: Engine(), 1000) < 20
    engine = Engine()
    assert leaks(lambda: Module(engine, module), 2000) < 20
    assert engine.module_count == 0


def test_stores_do_not_leak(engine):
    assert leaks(lambda: Store(engine)) < 20


def test_instances_do_not_leak(engine):
    module = Module(engine, '(module (import "h" "f" (func)) (func (export "run") (result i32) (i32.const 1)))')

    def make():
        store = Store(engine)
        assert Instance(store, module, {"h": {"f": lambda: store}}).exports.run() == 1

    gc.collect()
    assert leaks(make, 20000) < 40


@pytest.mark.parametrize(
    "kind",
    ["exports", "types", "externref", "views", "traps", "exceptions", "results", "interrupts", "linkers", "wasi", "host_results"],
)
def test_what_is_in_a_store_does_not_leak(kind, store):
    exports = Instance(store, Module(store, TEXT), [lambda x: x]).exports
    raising = Instance(store, Module(store, TEXT), [lambda x: exec("raise KeyError(x)")]).exports
    wrapped = exports.run
    wasmi = store.engine.backend == "wasmi"

    def trap():
        try:
            exports.trap()
        except wasmrt.Trap:
            pass

    def exception():
        try:
            raising.run(None)
        except KeyError:
            pass

    make = {
        "exports": lambda: store._do(lambda: type(exports)(exports._instance)["run"]),
        "types": lambda: (wrapped.type, exports.memory.type, exports.t.type),
        "externref": lambda: exports.run(Thing()),
        "views": lambda: memoryview(exports.memory),
        "traps": trap,
        "exceptions": exception,
        "results": lambda: exports.t[0],
        "interrupts": store.interrupt,
        "linkers": lambda: Linker(store),
        "wasi": lambda: wasmrt.Wasi(store),
        "host_results": lambda: exports.run("x" * 100),
    }[kind]
    # wasmi keeps references as long as the store.
    count = COUNT // 10 if wasmi and kind in ("externref", "host_results") else COUNT
    assert leaks(make, count) < (30 if count == COUNT else 60)


def test_many_objects_of_a_store_are_told_apart(store):
    module = Module(store, '(module (func (export "f")))')
    instances = [Instance(store, module) for _ in range(5000)]
    functions = [instance.exports.f for instance in instances]
    assert len({hash(function) for function in functions}) == 5000
    assert len(set(instances)) == 5000 and len(store._instances) == 5000
    again = store._do(lambda: type(instances[7].exports)(instances[7]))["f"]
    assert again is not functions[7] and again == functions[7] and hash(again) == hash(functions[7])
    function = Func(store, print, FuncType())
    store.close()
    assert hash(functions[7]) == hash(again) and hash(function) is not None


def test_objects_of_closed_stores_do_not_leak(engine):
    """What lives as long as its store: host functions, memories, globals, tables."""

    def make():
        with Store(engine) as store:
            for _ in range(50):
                Func(store, lambda: store, FuncType())
                Global(store, "externref", Thing())
                Table(store, TableType("externref", 2), Thing())

    assert leaks(make, 500) < 40
    with Store(engine) as store:
        for _ in range(100):
            Memory(store, MemoryType(1))


def test_daemon_threads_at_exit(run):
    """Guests of daemon threads that run, and call the host, while the interpreter ends."""
    done = run(
        """
        import threading, time, wasmrt
        text = '''(module (import "h" "f" (func $f)) (func (export "calls") (loop call $f br 0))
          (func (export "nested") (loop call $f br 0)) (func (export "forever") (loop br 0))
          (func (export "busy") call $f))'''
        engine = wasmrt.Engine()
        module = wasmrt.Module(engine, text)
        def work(name):
            store = wasmrt.Store(engine)
            inner = wasmrt.Instance(store, module, [lambda: None]).exports
            def f():
                store.set_call_timeout(0.001)
                try:
                    if name == "nested": inner.calls()
                except wasmrt.Trap: pass
            def compute():
                while True: sum(range(1000))
            functions = {"nested": f, "busy": compute}
            getattr(wasmrt.Instance(store, module, [functions.get(name, lambda: None)]).exports, name)()
        for name in ("calls", "nested", "forever", "calls", "busy"):
            threading.Thread(target=work, args=(name,), daemon=True).start()
        time.sleep(0.3)
        print("end")
        """
    )
    assert done.stdout == "end\n"


def test_everything_at_exit(run):
    """Objects that are used and freed when modules are torn down."""
    done = run(
        """
        import atexit, wasmrt
        store = wasmrt.Store()
        exports = wasmrt.Instance(store, wasmrt.Module(store, '(module (memory (export "m") 1) (func (export "f")))')).exports
        function, view = exports.f, memoryview(exports.m)
        class Late:
            def __init__(self, call): self.call = call
            def __del__(self): self.call()
        late = Late(function)
        wasmrt.late = Late(exports.f)
        wasmrt._core.late = Late(exports.f)
        store.data = Late(function)
        table = wasmrt.Table(store, wasmrt.TableType("externref", 2), Late(function))
        host = wasmrt.Func(store, Late(function).call, wasmrt.FuncType())
        atexit.register(lambda: print("last", function(), view[0]))
        """
    )
    assert done.stdout == "last None 0\n"
    assert "Error" not in done.stderr or "ClosedError" in done.stderr


def test_subinterpreters(run):
    done = run(
        """
        import sys, wasmrt
        try:
            import _interpreters as interpreters
            create, execute = (lambda: interpreters.create("legacy")), interpreters.exec
        except ImportError:
            import _xxsubinterpreters as interpreters
            create, execute = (lambda: interpreters.create(isolated=False)), interpreters.run_string
        program = '''
        try:
            import wasmrt
        except ImportError as error:
            print("refused:", error, flush=True)
        '''
        import textwrap
        answer = execute(create(), textwrap.dedent(program))
        assert answer is None, answer
        """
    )
    assert done.stdout.startswith("refused: wasmrt cannot be used in a subinterpreter")


def test_fork(run):
    done = run(
        """
        import os, signal, threading, wasmrt
        store = wasmrt.Store()
        exports = wasmrt.Instance(store, wasmrt.Module(store,
            '(module (func (export "f") (result i32) (i32.const 7)) (func (export "forever") (loop br 0)))')).exports
        exports.f()
        child = os.fork()
        if child == 0:
            threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
            try:
                exports.forever()
            except KeyboardInterrupt:
                os._exit(exports.f())
            os._exit(1)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """
    )
    assert done.stdout == "7\n"


def test_import_in_a_thread(run):
    done = run(
        """
        import threading
        def work():
            import wasmrt
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        import os, signal, wasmrt
        store = wasmrt.Store()
        exports = wasmrt.Instance(store, wasmrt.Module(store, '(module (func (export "forever") (loop br 0)))')).exports
        threading.Timer(0.1, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        try:
            exports.forever()
        except KeyboardInterrupt:
            print("interrupted")
        """
    )
    assert done.stdout == "interrupted\n"


def test_stores_do_not_wait_for_the_collector(engine):
    module = Module(engine, TEXT)
    gc.disable()
    try:
        store = Store(engine)
        instance = Instance(store, module, [lambda x: x])
        exports = instance.exports
        assert exports.run(5) == 5 and exports is instance.exports and exports.t[0] is None
        gone = weakref.ref(store)
        del store, instance
        assert exports.run(6) == 6 and list(exports)[0] == "memory"
        del exports
        assert gone() is None
    finally:
        gc.enable()


def test_the_names_of_exports_are_known_by_exports_alone(engine):
    """A caller's instance, of which the program has the exports only."""
    store = Store(engine)
    names = []
    module = Module(store, '(module (import "h" "f" (func $f)) (func (export "run") (call $f)))')
    exports = Instance(store, module, [Func(store, lambda caller: names.extend(caller.instance.exports), FuncType(), caller=True)]).exports
    exports.run()
    assert names == ["run"]


def test_with(store):
    with Func(store, print, FuncType()) as function, Linker(store) as linker, Global(store, "i32", 1) as number:
        assert number.value == 1 and function() is None and not linker.closed
    assert function.closed and linker.closed and number.closed
    with Instance(store, Module(store, "(module)")) as instance, wasmrt.Wasi(store) as wasi, Memory(store, MemoryType(1)) as memory:
        assert len(memory) == 65536
    assert instance.closed and wasi.closed and memory.closed
    with store.interrupt() as interrupt:
        interrupt.clear()
    assert interrupt.closed
    for use in (interrupt.trigger, interrupt.clear):
        with pytest.raises(wasmrt.ClosedError):
            use()


def test_nothing_is_hung_onto_a_closed_store(store):
    store.close()
    with pytest.raises(wasmrt.ClosedError):
        wasmrt._core.cell(store, Thing())
