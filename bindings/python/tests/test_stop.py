"""What stops guests: fuel, timeouts, interrupts, signals."""

import signal
import threading
import time

import pytest
import wasmrt
from wasmrt import Config, Engine, Instance, Module, Store, Trap, TrapCode

FOREVER = """(module (import "h" "f" (func $f)) (func (export "forever") (loop br 0))
  (func (export "calls") (loop call $f br 0)) (func (export "short") (result i32) (i32.const 1)))"""


@pytest.fixture
def guest(store):
    return Instance(store, Module(store, FOREVER), [lambda: None]).exports


def test_fuel(fueled):
    assert fueled.fuel == 0
    fueled.fuel = 1000
    exports = Instance(fueled, Module(fueled, FOREVER), [lambda: None]).exports
    with pytest.raises(Trap) as caught:
        exports.forever()
    assert caught.value.code is TrapCode.OUT_OF_FUEL
    fueled.add_fuel(100)
    assert exports.short() == 1
    assert 900 < fueled.fuel_consumed < 1100 and fueled.fuel < 101


def test_fuel_is_off(store):
    with pytest.raises(wasmrt.MisuseError):
        store.fuel
    with pytest.raises(wasmrt.MisuseError):
        store.fuel = 1


def test_timeouts(store, guest):
    store.set_call_timeout(0.02)
    for call in (guest.forever, guest.calls):
        with pytest.raises(Trap) as caught:
            call()
        assert caught.value.code is TrapCode.TIMEOUT
    assert guest.short() == 1
    store.set_call_timeout(None)
    store.set_timeout(0.02)
    with pytest.raises(Trap):
        guest.forever()
    with pytest.raises(Trap):
        guest.short()
    store.set_timeout(None)
    assert guest.short() == 1
    for wrong in (-1, float("nan")):
        with pytest.raises(ValueError):
            store.set_timeout(wrong)
    store.set_timeout(1e30)


def test_interrupt(store, guest):
    interrupt = store.interrupt()
    timer = threading.Timer(0.05, interrupt.trigger)
    timer.start()
    with pytest.raises(Trap) as caught:
        guest.forever()
    timer.join()
    assert caught.value.code is TrapCode.INTERRUPTED
    interrupt.trigger()
    interrupt.clear()
    assert guest.short() == 1
    store.close()
    interrupt.trigger()


def test_no_interruption():
    store = Store(Engine(Config(interruption=False)))
    for use in (lambda: store.set_timeout(1), lambda: store.set_call_timeout(1), store.interrupt):
        with pytest.raises(wasmrt.MisuseError, match="interruption"):
            use()
    assert Instance(store, Module(store, FOREVER), [lambda: None]).exports.short() == 1


def interrupted(call, expected=KeyboardInterrupt):
    """Calls with a signal on its way."""
    timer = threading.Timer(0.1, lambda: signal.pthread_kill(threading.main_thread().ident, signal.SIGINT))
    timer.start()
    try:
        with pytest.raises(expected) as caught:
            call()
    finally:
        timer.join()
    return caught.value


def test_keyboard_interrupt(guest):
    for call in (guest.forever, guest.calls):
        interrupted(call)
        assert guest.short() == 1


def test_keyboard_interrupt_of_a_start_function(store):
    module = Module(store, "(module (func $f (loop br 0)) (start $f))")
    interrupted(lambda: Instance(store, module))


def test_keyboard_interrupt_of_an_inner_guest(store, guest):
    def call():
        with pytest.raises(KeyboardInterrupt):
            guest.forever()

    outer = Instance(store, Module(store, '(module (import "h" "f" (func $f)) (func (export "run") call $f))'), [call])
    timer = threading.Timer(0.1, lambda: signal.pthread_kill(threading.main_thread().ident, signal.SIGINT))
    timer.start()
    outer.exports.run()
    timer.join()


def test_keyboard_interrupt_of_a_sleep(store):
    module = Module(store, """(module (import "wasi_snapshot_preview1" "poll_oneoff" (func $p (param i32 i32 i32 i32) (result i32)))
      (memory (export "memory") 1) (func (export "_start")
        (i64.store offset=24 (i32.const 0) (i64.const 600000000000)) (i32.store offset=16 (i32.const 0) (i32.const 1))
        (drop (call $p (i32.const 0) (i32.const 100) (i32.const 1) (i32.const 200)))))""")
    linker = wasmrt.Linker(store)
    wasi = linker.define_wasi()
    instance = linker.instantiate(module)
    interrupted(lambda: wasi.start(instance))


def test_handlers_that_return(store, guest):
    """A handler that raises nothing does not stop the guest, and cannot use the store."""
    found = []

    def handler(number, frame):
        try:
            guest.short()
        except wasmrt.ThreadError as error:
            found.append(error)
        other = Store(store.engine)
        found.append(Instance(other, Module(other, FOREVER), [lambda: None]).exports.short())
        stop.trigger()

    stop = store.interrupt()
    former = signal.signal(signal.SIGINT, handler)
    try:
        error = interrupted(guest.forever, Trap)
    finally:
        signal.signal(signal.SIGINT, former)
    assert error.code is TrapCode.INTERRUPTED
    assert "signal handler" in str(found[0]) and found[1] == 1


def test_other_signals(guest):
    def handler(number, frame):
        raise TimeoutError("alarm")

    former = signal.signal(signal.SIGALRM, handler)
    try:
        signal.setitimer(signal.ITIMER_REAL, 0.05)
        with pytest.raises(TimeoutError, match="alarm"):
            guest.forever()
    finally:
        signal.signal(signal.SIGALRM, former)
    assert guest.short() == 1


def test_ctrl_c(run):
    """A program of its own that is interrupted ends as Python programs do."""
    done = run(
        f"""
        import os, signal, threading, wasmrt
        store = wasmrt.Store()
        exports = wasmrt.Instance(store, wasmrt.Module(store, {FOREVER!r}), [lambda: None]).exports
        threading.Timer(0.2, lambda: os.kill(os.getpid(), signal.SIGINT)).start()
        exports.forever()
        """,
        code=-signal.SIGINT,
    )
    assert "KeyboardInterrupt" in done.stderr


def test_other_threads_run_meanwhile(guest, store):
    """A guest runs without the GIL."""
    store.set_call_timeout(5)
    stop = store.interrupt()
    ran = []

    def other():
        for _ in range(1000):
            ran.append(1)
        time.sleep(0.01)
        stop.trigger()

    thread = threading.Thread(target=other)
    thread.start()
    with pytest.raises(Trap) as caught:
        guest.forever()
    thread.join()
    assert caught.value.code is TrapCode.INTERRUPTED and len(ran) == 1000
