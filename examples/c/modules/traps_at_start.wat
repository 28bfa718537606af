;; Sample for run.c: traps while it is instantiated.
(module
  (func $start unreachable)
  (start $start)
  (func (export "never")))
