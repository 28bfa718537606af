;; Writes a line, and exits with the error number if that fails.
(module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $proc_exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\08\00\00\00\06\00\00\00hello\n")
  (func (export "_start") (local $error i32)
    (local.set $error (call $fd_write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 20)))
    (if (local.get $error) (then (call $proc_exit (local.get $error))))))
