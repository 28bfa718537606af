;; Closes standard output and exits with the error number of a write to it.
(module
  (import "wasi_snapshot_preview1" "fd_close" (func $fd_close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (func $write_to_closed (result i32)
    (drop (call $fd_close (i32.const 1)))
    (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))
  (func (export "answer") (result i32) (call $write_to_closed))
  (func (export "_start") (call $proc_exit (call $write_to_closed))))
